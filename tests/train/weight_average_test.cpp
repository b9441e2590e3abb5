#include <doctest/doctest.h>

#include <vector>

#include "serene/core/error.h"
#include "serene/train/weight_average.h"

using namespace serene;

namespace {

AveragingConfig of(const char* text) { return averaging_from_json(JsonReader(parse_json(text, ""), "averaging")); }

// Weights that are the number of the step, in every place of a vector that takes several pieces.
double after(const AveragingConfig& config, int steps, int total, int threads = 1) {
  ThreadPool pool(threads);
  WeightAverage average(config, 100000, total);
  for (int t = 0; t < steps; ++t) {
    const std::vector<float> weights(100000, static_cast<float>(t));
    average.update(t, weights, pool);
  }
  for (const float v : average.values()) CHECK(v == average.values()[0]);
  return average.values()[0];
}

}  // namespace

TEST_CASE("weight average: ema is the recursion, slow at its start") {
  const auto config = of(R"({"type": "ema", "decay": 0.9})");
  double expected = 0;
  for (int t = 1; t < 200; ++t) expected += (1 - std::min(0.9, (1.0 + t) / (10.0 + t))) * (t - expected);
  CHECK(after(config, 200, 1000) == doctest::Approx(expected).epsilon(1e-5));
  CHECK(after(config, 200, 1000, 3) == after(config, 200, 1000));
}

TEST_CASE("weight average: tail is the plain mean from its start on, before that the weights themselves") {
  const auto config = of(R"({"type": "tail", "start": 0.5})");
  CHECK(after(config, 30, 100) == 29);
  CHECK(after(config, 51, 100) == 50);
  CHECK(after(config, 100, 100) == doctest::Approx((50 + 99) / 2.0).epsilon(1e-5));
}

TEST_CASE("weight average: none takes no memory; bad values name their key") {
  CHECK(WeightAverage(of("{}"), 10, 10).values().empty());
  CHECK_FALSE(WeightAverage(of("{}"), 10, 10).active());
  CHECK_THROWS_WITH_AS(of(R"({"type": "sma"})"), doctest::Contains("averaging.type"), Error);
  CHECK_THROWS_WITH_AS(of(R"({"decay": 1})"), doctest::Contains("averaging.decay"), Error);
  CHECK_THROWS_WITH_AS(of(R"({"dekay": 0.9})"), doctest::Contains("dekay"), Error);
}
