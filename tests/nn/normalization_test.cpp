#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"
#include "serene/nn/batch_norm.h"
#include "serene/nn/layer_norm.h"

namespace serene {

TEST_CASE("batch norm passes the layer suite in both modes") {
  const auto make = [](auto s) { return std::make_shared<const BatchNorm<decltype(s)>>(5, 0.9, 1e-3); };
  test::run_layer_suite("batch norm, training", make, {.channels = 5});
  test::run_layer_suite("batch norm, inference", make, {.channels = 5, .mode = Mode::inference});
  test::run_layer_suite("batch norm on vectors", make, {.channels = 5, .batch = 6, .vector_input = true});
  const auto wide = [](auto s) { return std::make_shared<const BatchNorm<decltype(s)>>(130); };
  test::run_layer_suite("batch norm, many channels", wide, {.channels = 130, .batch = 2, .time = 3});
}

TEST_CASE("batch norm of maps passes the layer suite and is that of a batch with its frequencies as frames") {
  const auto make = [](auto s) { return std::make_shared<const BatchNorm<decltype(s)>>(12, 0.9, 1e-3, 3); };
  test::run_layer_suite("batch norm of maps, training", make, {.channels = 12});
  test::run_layer_suite("batch norm of maps, inference", make, {.channels = 12, .mode = Mode::inference});
  const auto wide = [](auto s) { return std::make_shared<const BatchNorm<decltype(s)>>(140, 0.9, 1e-3, 70); };
  test::run_layer_suite("batch norm, many maps", wide, {.channels = 140, .batch = 2, .time = 3});

  const BatchNorm<float> grid(12, 0.9, 1e-3, 3), flat(3, 0.9, 1e-3);
  LayerRunner<float> a(grid, {2, 5, 12}, Mode::training, {5, 2}), b(flat, {2, 20, 3}, Mode::training, {20, 8});
  for (auto* run : {&a, &b}) {
    run->randomize(4);
    run->poison();
    run->forward();
    run->poison_scratch();
    run->backward();
    run->commit();
  }
  test::check_same_bits(a.y.data(), b.y.data(), a.y.size(), "y");
  test::check_same_bits(a.dx.data(), b.dx.data(), a.dx.size(), "dx");
  test::check_same_bits(a.grads.data(), b.grads.data(), a.grads.size(), "gradients");
  test::check_same_bits(a.params.data(), b.params.data(), a.params.size(), "moving statistics");
  CHECK(grid.summary() == "momentum 0.9, epsilon 0.001, 3 maps");
  CHECK_THROWS_AS((BatchNorm<float>(12, 0.9, 1e-3, 5)), Error);
}

TEST_CASE("batch norm in training gives mean beta and deviation gamma over the valid frames") {
  const BatchNorm<double> layer(2, 0.75, 1e-9);
  LayerRunner<double> run(layer, {2, 4, 2}, Mode::training, {4, 2});
  run.randomize(2);
  for (Index i = 0; i < run.x.size(); ++i) run.x[i] = 100 + 3 * run.x[i];
  run.fill_padding(std::nan(""), std::nan(""));
  run.forward();
  for (Index c = 0; c < 2; ++c) {
    double mean = 0, square = 0, raw = 0;
    for (Index frame : {0, 1, 2, 3, 4, 5}) {
      mean += run.y[frame * 2 + c] / 6;
      raw += run.x[frame * 2 + c] / 6;
    }
    for (Index frame : {0, 1, 2, 3, 4, 5}) square += std::pow(run.y[frame * 2 + c] - mean, 2) / 6;
    CHECK(mean == doctest::Approx(run.parameter(1)[c]));
    CHECK(std::sqrt(square) == doctest::Approx(run.parameter(0)[c]));
    const double before = run.parameter(2)[c];
    if (c == 1) continue;
    run.commit();
    CHECK(run.parameter(2)[0] == doctest::Approx(0.75 * before + 0.25 * raw));
  }
}

TEST_CASE("batch norm without a valid frame leaves its statistics alone") {
  const BatchNorm<float> layer(3);
  LayerRunner<float> run(layer, {2, 4, 3}, Mode::training, {0, 0});
  run.randomize(2);
  const float mean = run.parameter(2)[1], variance = run.parameter(3)[1];
  run.poison();
  run.forward();
  run.backward();
  run.commit();
  CHECK(run.parameter(2)[1] == mean);
  CHECK(run.parameter(3)[1] == variance);
  CHECK(run.gradient(0)[0] == 0);
}

TEST_CASE("moving statistics are not trained and not decayed") {
  const auto specs = BatchNorm<float>(3).parameters();
  REQUIRE(specs.size() == 4);
  CHECK(specs[0].trainable);
  CHECK_FALSE(specs[2].trainable);
  CHECK_FALSE(specs[3].trainable);
  for (const ParameterSpec& spec : specs) CHECK_FALSE(spec.decay);
  CHECK_THROWS_AS((BatchNorm<float>(3, 1.5)), Error);
  CHECK_THROWS_AS((BatchNorm<float>(3, 0.9, 0)), Error);
  CHECK_THROWS_AS(BatchNorm<float>(3).plan({1, 1, 4}, Mode::training), Error);
}

TEST_CASE("layer norm passes the layer suite") {
  const auto reference = [](Params<const double> p, const double* x, Index n, Index channels) {
    std::vector<double> y;
    for (Index t = 0; t < n; ++t) {
      double mean = 0, variance = 0;
      for (Index c = 0; c < channels; ++c) mean += x[t * channels + c] / static_cast<double>(channels);
      for (Index c = 0; c < channels; ++c) {
        variance += std::pow(x[t * channels + c] - mean, 2) / static_cast<double>(channels);
      }
      for (Index c = 0; c < channels; ++c) {
        y.push_back((x[t * channels + c] - mean) / std::sqrt(variance + 1e-5) * p[0][c] + p[1][c]);
      }
    }
    return y;
  };
  const auto make = [](auto s) { return std::make_shared<const LayerNorm<decltype(s)>>(11, 1e-5); };
  test::run_layer_suite("layer norm", make, {.channels = 11, .reference = reference});
  const auto one = [](auto s) { return std::make_shared<const LayerNorm<decltype(s)>>(1); };
  test::run_layer_suite("layer norm, one channel", one, {.channels = 1});
  CHECK_THROWS_AS((LayerNorm<float>(3, -1)), Error);
}

}  // namespace serene
