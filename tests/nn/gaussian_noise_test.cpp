#include "serene/nn/gaussian_noise.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"
#include "serene/nn/dropout.h"

namespace serene {
namespace {

std::vector<float> noise(std::uint64_t seed, std::uint64_t step, std::uint64_t key, Index first, Index time = 2) {
  const GaussianNoise<float> layer(1);
  LayerRunner<float> run(layer, {1, time, 8}, Mode::training);
  run.frame.seed = seed;
  run.frame.step = step;
  run.frame.key = key;
  run.frame.first_sample = first;
  run.forward();
  return {run.y.data(), run.y.data() + 16};
}

}  // namespace

TEST_CASE("gaussian_noise passes the layer suite") {
  for (const double stddev : {0.0, 0.5}) {
    const auto make = [=](auto s) { return std::make_shared<const GaussianNoise<decltype(s)>>(stddev); };
    test::run_layer_suite("gaussian_noise " + make(0.0)->summary(), make, {.channels = 5});
    test::run_layer_suite("gaussian_noise, inference", make, {.channels = 5, .mode = Mode::inference});
  }
}

TEST_CASE("gaussian_noise has the deviation it is given, around the input") {
  const GaussianNoise<double> layer(0.3);
  LayerRunner<double> run(layer, {4, 50, 100}, Mode::training);
  run.x.fill(2);
  run.forward();
  double sum = 0, squares = 0;
  for (Index i = 0; i < run.y.size(); ++i) sum += run.y[i] - 2, squares += (run.y[i] - 2) * (run.y[i] - 2);
  const auto n = static_cast<double>(run.y.size());
  CHECK(std::abs(sum / n) < 5 * 0.3 / std::sqrt(n));
  CHECK(std::abs(std::sqrt(squares / n) - 0.3) < 5 * 0.3 / std::sqrt(2 * n));
}

TEST_CASE("gaussian_noise is a function of seed, step, layer and sample, and of nothing else") {
  const auto base = noise(1, 2, 3, 4);
  CHECK(base == noise(1, 2, 3, 4));
  CHECK(base == noise(1, 2, 3, 4, 9));
  CHECK(base != noise(2, 2, 3, 4));
  CHECK(base != noise(1, 3, 3, 4));
  CHECK(base != noise(1, 2, 4, 4));
  CHECK(base != noise(1, 2, 3, 5));
}

TEST_CASE("gaussian_noise leaves inference alone and refuses what is no deviation") {
  const GaussianNoise<float> layer(3);
  LayerRunner<float> run(layer, {2, 3, 4}, Mode::inference);
  run.randomize(1);
  run.forward();
  test::check_same_bits(run.x.data(), run.y.data(), run.x.size(), "inference");
  for (const double bad : {-1.0, 1e7, std::nan("")}) CHECK_THROWS_AS(GaussianNoise<float>{bad}, Error);
}

}  // namespace serene
