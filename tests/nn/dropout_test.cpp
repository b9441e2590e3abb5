#include "serene/nn/dropout.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"

namespace serene {
namespace {

double kept_share(const Dropout<float>& layer, std::uint64_t seed, std::uint64_t step, std::uint64_t key) {
  LayerRunner<float> run(layer, {4, 50, 100}, Mode::training);
  run.x.fill(1);
  run.frame.seed = seed;
  run.frame.step = step;
  run.frame.key = key;
  run.forward();
  double kept = 0;
  for (Index i = 0; i < run.y.size(); ++i) kept += run.y[i] != 0 ? 1 : 0;
  return kept / static_cast<double>(run.y.size());
}

}  // namespace

TEST_CASE("dropout passes the layer suite") {
  for (const DropoutKind kind : {DropoutKind::element, DropoutKind::channel}) {
    for (const double rate : {0.0, 0.3, 0.9}) {
      const auto make = [=](auto s) { return std::make_shared<const Dropout<decltype(s)>>(rate, kind); };
      test::run_layer_suite(make(0.0)->type() + " " + make(0.0)->summary(), make, {.channels = 6});
      test::run_layer_suite(make(0.0)->type() + ", inference", make, {.channels = 6, .mode = Mode::inference});
    }
  }
}

TEST_CASE("dropout drops its rate and scales the rest") {
  for (const double rate : {0.1, 0.5, 0.75}) {
    const Dropout<float> layer(rate);
    // 20 000 elements: five deviations of the share are at most 0.018.
    CHECK(std::abs(kept_share(layer, 1, 2, 3) - (1 - rate)) < 0.018);
    LayerRunner<float> run(layer, {1, 1, 64}, Mode::training);
    run.x.fill(3);
    run.forward();
    for (Index i = 0; i < 64; ++i) {
      const bool dropped = run.y[i] == 0, scaled = std::abs(run.y[i] - 3 / (1 - rate)) < 1e-5;
      CHECK((dropped || scaled));
    }
  }
}

TEST_CASE("masks differ by seed, step, layer and sample, and by nothing else") {
  const Dropout<float> layer(0.5);
  const auto mask = [&](std::uint64_t seed, std::uint64_t step, std::uint64_t key, Index first) {
    LayerRunner<float> run(layer, {1, 2, 40}, Mode::training);
    run.x.fill(1);
    run.frame.seed = seed;
    run.frame.step = step;
    run.frame.key = key;
    run.frame.first_sample = first;
    run.forward();
    return std::vector<float>(run.y.data(), run.y.data() + run.y.size());
  };
  const auto base = mask(1, 2, 3, 4);
  CHECK(base == mask(1, 2, 3, 4));
  CHECK(base != mask(9, 2, 3, 4));
  CHECK(base != mask(1, 9, 3, 4));
  CHECK(base != mask(1, 2, 9, 4));
  CHECK(base != mask(1, 2, 3, 9));
}

TEST_CASE("a shard draws what the whole batch draws") {
  const Dropout<double> layer(0.4);
  LayerRunner<double> whole(layer, {5, 3, 7}, Mode::training), shard(layer, {2, 3, 7}, Mode::training);
  whole.x.fill(1);
  shard.x.fill(1);
  shard.frame.first_sample = 3;
  whole.forward();
  shard.forward();
  test::check_same_bits(whole.y.data() + 3 * 21, shard.y.data(), 2 * 21, "shard");
}

TEST_CASE("spatial dropout drops whole channels") {
  const Dropout<float> layer(0.5, DropoutKind::channel);
  LayerRunner<float> run(layer, {2, 9, 32}, Mode::training);
  run.x.fill(1);
  run.forward();
  int dropped = 0;
  for (Index b = 0; b < 2; ++b) {
    for (Index c = 0; c < 32; ++c) {
      for (Index t = 1; t < 9; ++t) CHECK(run.y[(b * 9 + t) * 32 + c] == run.y[b * 9 * 32 + c]);
      dropped += run.y[b * 9 * 32 + c] == 0 ? 1 : 0;
    }
  }
  CHECK(dropped > 8);
  CHECK(dropped < 56);
}

TEST_CASE("dropout takes a mask from outside") {
  const Dropout<float> layer = Dropout<float>(0.5).with_mask({1, 0, 0, 1});
  LayerRunner<float> run(layer, {2, 1, 2}, Mode::training);
  run.x.fill(1);
  run.forward();
  CHECK(run.y[0] == 2);
  CHECK(run.y[1] == 0);
  CHECK(run.y[3] == 2);
  CHECK_THROWS_AS(layer.plan({3, 1, 2}, Mode::training), Error);
  CHECK_THROWS_AS((Dropout<float>(1.0)), Error);
  CHECK_THROWS_AS((Dropout<float>(-0.1)), Error);
}

}  // namespace serene
