#include "serene/eval/calibration.h"

#include <doctest/doctest.h>

#include "predictions.h"
#include "serene/core/error.h"
#include "serene/eval/metrics.h"

using namespace serene;
using doctest::Approx;

namespace {

// Truths drawn from softmax(logits / temperature): that temperature is the right one.
std::vector<Prediction> drawn_at(double temperature, int count) {
  std::vector<Prediction> list;
  for (int i = 0; i < count; ++i) {
    Random random(7, Purpose::test, static_cast<std::uint64_t>(i));
    Prediction p;
    p.clip = std::to_string(i);
    for (int c = 0; c < 4; ++c) p.logits.push_back(1.5 * random.normal() * temperature);
    const auto logs = log_probabilities(p.logits, temperature);
    double u = random.uniform();
    while (p.truth < 3 && (u -= std::exp(logs[static_cast<std::size_t>(p.truth)])) >= 0) ++p.truth;
    list.push_back(p);
  }
  return list;
}

}  // namespace

TEST_CASE("calibration: a known temperature is found again") {
  for (const double temperature : {0.4, 1.0, 3.0}) {
    auto list = drawn_at(temperature, 20000);
    const TemperatureFit fit = fit_temperature(list);
    CHECK(fit.temperature == Approx(temperature).epsilon(0.04));
    CHECK(fit.nll_after <= fit.nll_before);
    CHECK(nll_at(list, fit.temperature) <= nll_at(list, fit.temperature * 1.02));
    CHECK(nll_at(list, fit.temperature) <= nll_at(list, fit.temperature / 1.02));
    for (Prediction& p : list) p.temperature = fit.temperature;
    CHECK(probability_scores(list, Calibrated::yes).ece < 0.02);
  }
}

TEST_CASE("calibration: deterministic and bounded when all answers are right or all wrong") {
  const std::vector<Prediction> right(5, test::prediction(0, 0, 3)), wrong(5, test::prediction(1, 0, 3));
  CHECK(fit_temperature(right).temperature == Approx(min_temperature).epsilon(1e-6));
  CHECK(fit_temperature(wrong).temperature == Approx(max_temperature).epsilon(1e-6));
  const auto list = drawn_at(2, 500);
  CHECK(fit_temperature(list).temperature == fit_temperature(list).temperature);
  CHECK_THROWS_AS(fit_temperature({}), Error);
}
