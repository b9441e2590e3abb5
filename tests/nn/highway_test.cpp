#include "serene/nn/highway.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"
#include "serene/nn/batch_norm.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/dropout.h"
#include "serene/nn/init.h"
#include "serene/nn/lstm.h"

namespace serene {
namespace {

template <class S>
std::vector<NamedLayer<S>> one_lstm(Index channels) {
  return {{"lstm", std::make_shared<const Lstm<S>>(channels, RecurrentOptions{.units = channels})}};
}

template <class S>
std::vector<NamedLayer<S>> several(Index channels) {
  const Window same{.size = 3, .padding = Padding::same};
  return {{"conv", std::make_shared<const Conv1D<S>>(channels, 5, same, Activation::tanh)},
          {"drop", std::make_shared<const Dropout<S>>(0.4)},
          {"dense", std::make_shared<const Dense<S>>(5, channels)}};
}

// y = g h + (1 - g) x around h = tanh(x W + b).
std::vector<double> naive(Params<const double> p, const double* x, Index n, Index channels) {
  std::vector<double> y;
  for (Index t = 0; t < n; ++t) {
    for (Index o = 0; o < channels; ++o) {
      double h = p[1][o], g = p[3][o];
      for (Index c = 0; c < channels; ++c) {
        h += x[t * channels + c] * p[0][c * channels + o];
        g += x[t * channels + c] * p[2][c * channels + o];
      }
      g = 1 / (1 + std::exp(-g));
      y.push_back(g * std::tanh(h) + (1 - g) * x[t * channels + o]);
    }
  }
  return y;
}

}  // namespace

TEST_CASE("highway passes the layer suite") {
  test::run_layer_suite("highway, dense",
                        [](auto s) {
                          using S = decltype(s);
                          const auto dense = std::make_shared<const Dense<S>>(4, 4, Activation::tanh);
                          return std::make_shared<const Highway<S>>(4, std::vector<NamedLayer<S>>{{"dense", dense}});
                        },
                        {.channels = 4, .reference = naive});
  test::run_layer_suite(
      "highway, lstm", [](auto s) { return std::make_shared<const Highway<decltype(s)>>(4, one_lstm<decltype(s)>(4)); },
      {.channels = 4});
  test::run_layer_suite("highway, three layers",
                        [](auto s) { return std::make_shared<const Highway<decltype(s)>>(3, several<decltype(s)>(3)); },
                        {.channels = 3});
  test::run_layer_suite("highway, batch norm",
                        [](auto s) {
                          using S = decltype(s);
                          auto parts = several<S>(3);
                          parts.push_back({"norm", std::make_shared<const BatchNorm<S>>(3)});
                          return std::make_shared<const Highway<S>>(3, parts);
                        },
                        {.channels = 3});
}

TEST_CASE("highway begins near the identity") {
  const Highway<float> layer(6, one_lstm<float>(6));
  const auto specs = layer.parameters();
  REQUIRE(specs.back().name == "gate.bias");
  std::vector<float> bias(6);
  initialize_tensor<float>(specs.back(), 1, 0, bias.data());
  for (const float b : bias) CHECK(b == -1);
  LayerRunner<float> run(layer, {1, 5, 6}, Mode::inference);
  run.x.fill(1);
  std::copy_n(bias.data(), 6, run.parameter(specs.size() - 1));
  run.forward();
  const float open = 1 / (1 + std::exp(1.0f));
  for (Index i = 0; i < run.y.size(); ++i) CHECK(run.y[i] == doctest::Approx(1 - open));  // all other weights are 0
}

TEST_CASE("highway: commit reaches the moving statistics, cost adds up") {
  const Highway<double> layer(3, {{"norm", std::make_shared<const BatchNorm<double>>(3)}});
  LayerRunner<double> run(layer, {2, 8, 3}, Mode::training);
  run.randomize(2);
  const double before = run.parameter(2)[0];
  run.poison();
  run.forward();
  run.backward();
  run.commit();
  CHECK(run.parameter(2)[0] != before);
  CHECK(std::isfinite(run.parameter(2)[0]));
  CHECK(layer.sync_points(Pass::forward) == std::vector<Index>{7});
  const Highway<double> gated(3, one_lstm<double>(3));
  const Lstm<double> lstm(3, {.units = 3});
  CHECK(gated.multiply_adds({1, 7, 3}) == lstm.multiply_adds({1, 7, 3}) + 7 * 3 * 3 + 2 * 7 * 3);
}

TEST_CASE("highway: refuses what does not keep the shape") {
  CHECK_THROWS_AS(Highway<float>(3, {}), Error);
  CHECK_THROWS_AS(Highway<float>(3, {{"a", nullptr}}), Error);
  const auto conv = [](Index filters, Window w) { return std::make_shared<const Conv1D<float>>(3, filters, w); };
  const Window same{.size = 3, .padding = Padding::same}, strided{.size = 3, .stride = 2, .padding = Padding::same};
  CHECK_THROWS_AS(Highway<float>(3, {{"a", conv(4, same)}}).plan({1, 8, 3}, Mode::training), Error);
  CHECK_THROWS_AS(Highway<float>(3, {{"a", conv(3, strided)}}).plan({1, 8, 3}, Mode::training), Error);
  CHECK_THROWS_AS(Highway<float>(3, {{"a", conv(3, {.size = 3})}}).plan({1, 8, 3}, Mode::training), Error);
  CHECK_THROWS_AS(Highway<float>(3, {{"a", conv(3, same)}}).plan({1, 8, 4}, Mode::training), Error);
}

}  // namespace serene
