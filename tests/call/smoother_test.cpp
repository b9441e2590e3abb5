// Smoothing, hysteresis and trend, against values worked out by hand.
#include "serene/call/smoother.h"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using namespace serene;

namespace {

using Probabilities = std::vector<double>;
const Probabilities kCalm = {0.9, 0.1}, kAngry = {0.1, 0.9};

// The figures that the expectations below are worked out for.
CallConfig settings(double smoothing_s = 1) {
  CallConfig c;
  c.smoothing_s = smoothing_s;
  c.uncertain_below = 0.4, c.certain_above = 0.45;
  c.switch_margin = 0.05, c.switch_windows = 2;
  return c;
}

CallConfig unsmoothed() { return settings(0); }

}  // namespace

TEST_CASE("smoother: the first window stands as it is, later ones by the speech between them") {
  Smoother s(settings(), 2);
  CHECK(s.state() == state_no_speech);
  CHECK(s.add(kCalm, 1));
  CHECK(s.state() == 0);
  CHECK(s.probabilities()[0] == 0.9);
  s.add(kAngry, 0.5);
  CHECK(s.probabilities()[1] == doctest::Approx(0.1 + 0.8 * (1 - std::exp(-0.5))));
  s.add(kAngry, 100);
  CHECK(s.probabilities()[1] == doctest::Approx(0.9));
}

TEST_CASE("smoother: a new state must lead for two windows in a row") {
  Smoother s(unsmoothed(), 3);
  s.add(Probabilities{0.8, 0.1, 0.1}, 1);
  CHECK_FALSE(s.add(Probabilities{0.1, 0.8, 0.1}, 1));
  CHECK_FALSE(s.add(Probabilities{0.8, 0.1, 0.1}, 1));
  CHECK_FALSE(s.add(Probabilities{0.1, 0.8, 0.1}, 1));
  CHECK_FALSE(s.add(Probabilities{0.1, 0.1, 0.8}, 1));  // another candidate
  CHECK(s.add(Probabilities{0.1, 0.1, 0.8}, 1));
  CHECK(s.state() == 2);
  CHECK(s.previous() == 0);
  // Less than the margin is no lead, for however long.
  for (int i = 0; i < 10; ++i) CHECK_FALSE(s.add(Probabilities{0.48, 0.06, 0.46}, 1));
  CHECK(s.top() == 0);
  CHECK(s.state() == 2);
}

TEST_CASE("smoother: uncertain below one level, certain again above another") {
  Smoother s(unsmoothed(), 3);
  s.add(Probabilities{0.42, 0.3, 0.28}, 1);
  CHECK(s.state() == state_uncertain);
  s.add(Probabilities{0.5, 0.3, 0.2}, 1);
  CHECK(s.add(Probabilities{0.5, 0.3, 0.2}, 1));
  CHECK(s.state() == 0);
  for (int i = 0; i < 5; ++i) s.add(Probabilities{0.42, 0.3, 0.28}, 1);
  CHECK(s.state() == 0);
  s.add(Probabilities{0.39, 0.31, 0.3}, 1);
  CHECK(s.state() == 0);
  CHECK(s.add(Probabilities{0.39, 0.31, 0.3}, 1));
  CHECK(s.state() == state_uncertain);
}

TEST_CASE("smoother: after silence nothing is remembered") {
  Smoother s({}, 2);
  CHECK_FALSE(s.reset());
  s.add(kAngry, 1);
  CHECK(s.reset());
  CHECK(s.state() == state_no_speech);
  CHECK(s.previous() == 1);
  s.add(kCalm, 0.01);
  CHECK(s.probabilities()[0] == 0.9);
  CHECK(s.state() == 0);
}

TEST_CASE("trend: the slope of a straight line, and a direction that does not flicker") {
  CallConfig c;  // 20 s, rising from 0.6 a minute, back below 0.3
  Trend t(c, {0, 1});
  const auto line = [&](double from_s, double to_s, double start, double per_min) {
    int turns = 0;
    for (double at = from_s; at < to_s; at += 0.5) {
      const double y = start + (at - from_s) * per_min / 60;
      turns += t.add(at, Probabilities{1 - y, y}) ? 1 : 0;
    }
    return turns;
  };
  CHECK(line(0, 9.9, 0.1, 0.9) == 0);  // half the span is needed
  CHECK(t.slope_per_min() == 0);
  CHECK(line(9.9, 30, 0.2485, 0.9) == 1);
  CHECK(t.direction() == Direction::rising);
  CHECK(t.slope_per_min() == doctest::Approx(0.9));
  CHECK(line(30, 60, 0.55, 0.4) == 0);  // slower, but not by half
  CHECK(t.slope_per_min() == doctest::Approx(0.4));
  CHECK(line(60, 90, 0.75, 0) == 1);
  CHECK(t.direction() == Direction::steady);
  CHECK(t.negative() == doctest::Approx(0.75));
  CHECK(line(90, 115, 0.75, -1) == 1);
  CHECK(t.direction() == Direction::falling);
  t.reset();
  CHECK(t.direction() == Direction::steady);
  CHECK(t.slope_per_min() == 0);
}
