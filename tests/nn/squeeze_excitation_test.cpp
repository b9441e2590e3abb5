#include "serene/nn/squeeze_excitation.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"

namespace serene {
namespace {

auto make_block(Index channels, Index units) {
  return [=](auto s) { return std::make_shared<const SqueezeExcitation<decltype(s)>>(channels, units); };
}

test::NaiveReference naive_block(Index units) {
  return [=](Params<const double> p, const double* x, Index n, Index channels) {
    std::vector<double> y;
    std::vector<double> hidden(p[1], p[1] + units), scale(p[3], p[3] + channels);
    for (Index c = 0; c < channels; ++c) {
      double mean = 0;
      for (Index t = 0; t < n; ++t) mean += x[t * channels + c] / static_cast<double>(n);
      for (Index u = 0; u < units; ++u) hidden[static_cast<std::size_t>(u)] += mean * p[0][c * units + u];
    }
    for (Index u = 0; u < units; ++u)
      for (Index c = 0; c < channels; ++c)
        scale[static_cast<std::size_t>(c)] +=
            std::max(hidden[static_cast<std::size_t>(u)], 0.0) * p[2][u * channels + c];
    for (Index i = 0; i < n * channels; ++i)
      y.push_back(x[i] / (1 + std::exp(-scale[static_cast<std::size_t>(i % channels)])));
    return y;
  };
}

}  // namespace

TEST_CASE("squeeze_excitation passes the layer suite") {
  test::run_layer_suite("squeeze_excitation", make_block(6, 3), {.channels = 6, .reference = naive_block(3)});
  test::run_layer_suite("squeeze_excitation, one unit", make_block(19, 1),
                        {.channels = 19, .reference = naive_block(1)});
  test::run_layer_suite("squeeze_excitation, many samples", make_block(5, 4),
                        {.channels = 5, .batch = 7, .time = 23, .reference = naive_block(4)});
}

TEST_CASE("squeeze_excitation: the gate is the mean of the valid frames alone") {
  const SqueezeExcitation<double> layer(2, 1);
  LayerRunner<double> run(layer, {2, 3, 2}, Mode::inference, {2, 0});
  run.parameter(0)[0] = 1;   // the hidden unit is the mean of channel 0
  run.parameter(2)[1] = -2;  // and closes channel 1
  const double x[] = {1, 10, 3, 20, 1e9, 1e9};
  std::copy_n(x, 6, run.x.data());
  run.poison();
  run.forward();
  CHECK(run.y[0] == doctest::Approx(0.5));
  CHECK(run.y[1] == doctest::Approx(10 / (1 + std::exp(4.0))));
  CHECK(run.y[3] == doctest::Approx(20 / (1 + std::exp(4.0))));
  for (Index i = 4; i < run.y.size(); ++i) CHECK(run.y[i] == 0);
}

TEST_CASE("squeeze_excitation: parameters, cost and what it refuses") {
  const SqueezeExcitation<float> layer(8, 2);
  const auto specs = layer.parameters();
  REQUIRE(specs.size() == 4);
  CHECK(specs[0].name == "reduce.kernel");
  CHECK(specs[3].name == "expand.bias");
  CHECK(layer.multiply_adds({1, 10, 8}) == 2 * 10 * 8 + 2 * 8 * 2);
  CHECK(layer.out_length(7) == 7);
  CHECK_THROWS_AS(layer.plan({1, 4, 7}, Mode::training), Error);
  CHECK_THROWS_AS(SqueezeExcitation<float>(0, 2), Error);
  CHECK_THROWS_AS(SqueezeExcitation<float>(2, 0), Error);
}

}  // namespace serene
