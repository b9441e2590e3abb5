#include "serene/train/schedule.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace serene;

namespace {

const double not_a_number = std::numeric_limits<double>::quiet_NaN();

ScheduleConfig schedule(const std::string& json) {
  const Json j = parse_json(json, "schedule");
  return schedule_from_json(JsonReader(j, "schedule"));
}

}  // namespace

TEST_CASE("schedule: reduce on plateau follows Keras by hand") {
  // factor 0.5, patience 2, min_delta 0.1, cooldown 1
  ReduceOnPlateau r(1.0, 0.5, 2, 0.1, 1, 0.2, false);
  CHECK(r.update(1.0) == 1.0);            // best
  CHECK(r.update(0.95) == 1.0);           // within min_delta: wait 1
  CHECK(r.update(0.95) == 0.5);           // wait 2: reduced, cooldown 1
  CHECK(r.update(0.95) == 0.5);           // cooldown ends, and counts: wait 1
  CHECK(r.update(0.95) == 0.25);          // wait 2: reduced again
  CHECK(r.update(0.5) == 0.25);           // improved
  CHECK(r.update(not_a_number) == 0.25);  // no improvement: wait 1
  CHECK(r.update(0.6) == 0.2);            // not below the least rate
  CHECK(r.update(0.6) == 0.2);
  CHECK(r.update(0.6) == 0.2);

  ReduceOnPlateau up(1.0, 0.1, 1, 0.0, 0, 0.0, true);
  CHECK(up.update(0.5) == 1.0);
  CHECK(up.update(0.6) == 1.0);
  CHECK(up.update(0.6) == doctest::Approx(0.1));
}

TEST_CASE("schedule: cosine with warm-up, per step") {
  const ScheduleConfig c =
      schedule(R"({"type": "cosine", "warmup_epochs": 1, "initial_fraction": 0.1, "final_fraction": 0.01})");
  const Schedule s(c, 0.002, 10, 5);
  CHECK(s.rate(0) == doctest::Approx(0.0002));
  CHECK(s.rate(5) == doctest::Approx(0.0011));
  CHECK(s.rate(10) == doctest::Approx(0.002));
  CHECK(s.rate(30) == doctest::Approx(0.002 * (0.99 * 0.5 + 0.01)));
  CHECK(s.rate(50) == doctest::Approx(0.00002));
  CHECK(s.rate(1000000) == s.rate(50));

  // A warm-up as long as the run, or longer, and none at all.
  CHECK(Schedule(schedule(R"({"type": "cosine", "warmup_epochs": 50})"), 1, 2, 3).rate(5) == doctest::Approx(5.0 / 6));
  CHECK(Schedule(schedule(R"({"type": "cosine", "warmup_epochs": 0})"), 1, 2, 3).rate(0) == 1.0);
}

TEST_CASE("schedule: one cycle rises to the top and falls far below the start") {
  const Schedule s(schedule(R"({"type": "one_cycle", "warmup_fraction": 0.25})"), 1.0, 101, 1);
  CHECK(s.rate(0) == doctest::Approx(0.04));
  CHECK(s.rate(25) == doctest::Approx(1.0));
  CHECK(s.rate(100) == doctest::Approx(0.04e-4));
  for (int i = 0; i < 25; ++i) CHECK(s.rate(i + 1) > s.rate(i));
  for (int i = 25; i < 100; ++i) CHECK(s.rate(i + 1) < s.rate(i));
  CHECK(s.rate(500) == s.rate(100));
  for (const char* edge :
       {R"({"type": "one_cycle", "warmup_fraction": 0})", R"({"type": "one_cycle", "warmup_fraction": 1})"}) {
    const Schedule e(schedule(edge), 1.0, 1, 1);
    for (int i = 0; i < 3; ++i) CHECK(std::isfinite(e.rate(i)));
  }
}

TEST_CASE("schedule: constant stays, and only reduce on plateau listens to epochs") {
  Schedule constant(schedule(R"({"type": "constant"})"), 0.3, 1, 1);
  CHECK_FALSE(constant.end_epoch(5));
  CHECK_FALSE(constant.end_epoch(5));
  CHECK(constant.rate(100) == 0.3);
  Schedule plateau(schedule(R"({"type": "reduce_on_plateau", "patience": 1, "factor": 0.5})"), 0.3, 1, 1);
  CHECK_FALSE(plateau.end_epoch(5));
  CHECK(plateau.end_epoch(5));
  CHECK(plateau.rate(0) == 0.15);
  CHECK_THROWS_AS(Schedule(ScheduleConfig{}, 0.3, 0, 1), Error);
}

TEST_CASE("early stopping: patience, min_delta, direction, best epoch") {
  EarlyStoppingConfig c;
  c.patience = 2;
  c.min_delta = 0.1;
  EarlyStopping s(c);
  CHECK(s.best_epoch() == -1);
  CHECK(s.update(0, 1.0));
  CHECK_FALSE(s.update(1, 0.95));
  CHECK(s.update(2, 0.8));
  CHECK_FALSE(s.update(3, not_a_number));
  CHECK_FALSE(s.should_stop());
  CHECK_FALSE(s.update(4, 0.75));
  CHECK(s.should_stop());
  CHECK(s.best() == 0.8);
  CHECK(s.best_epoch() == 2);

  c.monitor = Monitor::val_uar;
  c.min_delta = 0;
  EarlyStopping up(c);
  CHECK(up.update(0, 0.3));
  CHECK(up.update(1, 0.4));
  CHECK_FALSE(up.update(2, 0.4));
  CHECK_FALSE(up.update(3, 0.2));
  CHECK(up.should_stop());

  c.enabled = false;
  EarlyStopping off(c);
  for (int i = 0; i < 10; ++i) off.update(i, 0.0);
  CHECK_FALSE(off.should_stop());
}

TEST_CASE("schedule and early stopping: a resumed run goes on exactly") {
  const ScheduleConfig sc = schedule(R"({"patience": 2, "cooldown": 1, "factor": 0.3})");
  EarlyStoppingConfig ec;
  ec.patience = 4;
  const double metrics[] = {1, 0.9, 0.91, 0.92, 0.93, 0.94, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3};
  for (int stop_at = 0; stop_at < 12; ++stop_at) {
    Schedule whole(sc, 0.001, 7, 12), first(sc, 0.001, 7, 12), second(sc, 0.001, 7, 12);
    EarlyStopping whole_e(ec), first_e(ec), second_e(ec);
    for (int i = 0; i < stop_at; ++i) first.end_epoch(metrics[i]), first_e.update(i, metrics[i]);
    const Json state = parse_json(first.state().dump(), "state"), state_e = parse_json(first_e.state().dump(), "state");
    second.restore(JsonReader(state, "schedule"));
    second_e.restore(JsonReader(state_e, "early_stopping"));
    for (int i = stop_at; i < 12; ++i) second.end_epoch(metrics[i]), second_e.update(i, metrics[i]);
    for (int i = 0; i < 12; ++i) whole.end_epoch(metrics[i]), whole_e.update(i, metrics[i]);
    CHECK(second.rate(0) == whole.rate(0));
    CHECK(second.state() == whole.state());
    CHECK(second_e.state() == whole_e.state());
  }
  Schedule s(sc, 0.001, 7, 12);
  const Json wrong = parse_json(R"({"learning_rate": "x"})", "state");
  CHECK_THROWS_AS(s.restore(JsonReader(wrong, "schedule")), Error);
  const Json state = s.state();
  CHECK_THROWS_AS(EarlyStopping(ec).restore(JsonReader(state, "early_stopping")), Error);
}
