#include "serene/nn/dense.h"

#include <doctest/doctest.h>

#include "layer_suite.h"

namespace serene {
namespace {

auto make_dense(Index channels, Index units, Activation a, bool use_bias) {
  return [=](auto s) { return std::make_shared<const Dense<decltype(s)>>(channels, units, a, use_bias); };
}

test::NaiveReference naive_dense(Index units, bool use_bias) {
  return [=](Params<const double> p, const double* x, Index n, Index channels) {
    std::vector<double> y;
    for (Index t = 0; t < n; ++t) {
      for (Index u = 0; u < units; ++u) {
        double sum = use_bias ? p[1][u] : 0;
        for (Index c = 0; c < channels; ++c) sum += x[t * channels + c] * p[0][c * units + u];
        y.push_back(sum);
      }
    }
    return y;
  };
}

}  // namespace

TEST_CASE("dense passes the layer suite") {
  test::run_layer_suite("dense linear", make_dense(5, 4, Activation::linear, true),
                        {.channels = 5, .reference = naive_dense(4, true)});
  test::run_layer_suite("dense without bias", make_dense(5, 4, Activation::linear, false),
                        {.channels = 5, .reference = naive_dense(4, false)});
  test::run_layer_suite("dense on vectors", make_dense(6, 9, Activation::tanh, true),
                        {.channels = 6, .batch = 5, .vector_input = true});
  test::run_layer_suite("dense to one unit", make_dense(1, 1, Activation::sigmoid, true), {.channels = 1});
}

TEST_CASE("dense with every fused activation") {
  for (const std::string& name : activation_names()) {
    test::run_layer_suite("dense " + name, make_dense(3, 4, parse_activation(name), true), {.channels = 3, .time = 5});
  }
}

TEST_CASE("dense refuses sizes that do not fit") {
  CHECK_THROWS_WITH_AS((Dense<float>(4, 0)), "dense: units below 1 (got 0)", Error);
  CHECK_THROWS_AS((Dense<float>(0, 4)), Error);
  const Dense<float> layer(4, 2);
  CHECK_THROWS_AS(layer.plan({1, 1, 5}, Mode::inference), Error);
  CHECK(layer.plan({3, 7, 4}, Mode::inference).out == Shape{3, 7, 2});
  CHECK(layer.multiply_adds({1, 7, 4}) == 7 * 4 * 2);
  CHECK(layer.summary() == "2 units, linear");
}

}  // namespace serene
