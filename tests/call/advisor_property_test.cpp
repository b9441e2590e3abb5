// Whatever customer and agent do, some things always hold. Random playbooks over random calls.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "advisor_log.h"
#include "call_counter.h"
#include "serene/core/random.h"

using namespace serene;
using namespace serene::test;

namespace {

// The shipped rules with random thresholds and times.
Playbook random_playbook(Random& random) {
  Playbook playbook = read_playbook(std::string(SERENE_SOURCE_DIR) + "/configs/call/playbook.json");
  playbook.min_show_s = random.uniform(0, 6);
  for (Rule& rule : playbook.rules) {
    rule.raise_at *= random.uniform(0.2, 1);
    rule.clear_below = rule.raise_at * random.uniform(0.3, 1);
    rule.windows = 1 + static_cast<int>(random.below(4));
    rule.min_speech_s = random.uniform(0, 2);
    rule.hold_s = random.below(2) == 0 ? 0 : random.uniform(0, 3);
    rule.clear_for_s = random.uniform(0, 4);
    rule.clear_after_silence_s = random.uniform(2, 20);
    rule.cooldown_s = random.uniform(0, 10);
    rule.escalate_after_s = rule.alert && random.below(2) == 0 ? random.uniform(0.1, 8) : 0;
    rule.show_for_s = playbook.min_show_s + random.uniform(0, 10);
    rule.priority = static_cast<int>(random.below(4));
  }
  return playbook;
}

struct Played {
  std::vector<Event> events;
  std::map<std::int64_t, std::int64_t> acknowledged;  // alert, time
  std::int64_t end_ms = 0;
  std::int64_t consent_lost_ms = -1;
  long allocations = 0;
};

// Stretches of speech, quiet and crosstalk; feelings wander; some alerts are acknowledged.
Played play(const Playbook& playbook, std::uint64_t seed) {
  Random random(seed, Purpose::test, 1);
  AdvisorLog log;
  Advisor advisor(playbook, {"angry", "sad", "fearful", "neutral"}, random.uniform(0, 30));
  Played played;
  std::int64_t t = 0, speech = 0, silence = 0, turn_end = 0, next_window = 500;
  bool customer = false, agent = false;
  std::array<double, 4> p{0.25, 0.25, 0.25, 0.25};
  const std::int64_t loses_consent = random.below(4) == 0 ? 20 * static_cast<std::int64_t>(random.below(9000)) : -1;
  const long before = allocations();
  while (t < 180000) {
    if (t >= turn_end) {
      customer = random.below(2) == 0;
      agent = random.below(3) == 0;
      turn_end = t + 20 * static_cast<std::int64_t>(1 + random.below(600));
      for (double& v : p) v = std::pow(random.uniform(), 3);
      p[random.below(4)] += random.uniform(0, 2);
      const double sum = p[0] + p[1] + p[2] + p[3];
      for (double& v : p) v /= sum;
    }
    t += block_ms;
    speech += customer ? block_ms : 0;
    silence = customer || agent ? 0 : silence + block_ms;
    const double loss = random.below(3) == 0 ? random.uniform() * 0.3 : 0.0;
    advisor.on_block({t, {customer, agent}, speech, silence, loss}, log);
    if (t == loses_consent) advisor.withdraw_emotion(t, log);
    if (t >= loses_consent && loses_consent >= 0) continue;
    if (customer && speech >= next_window) {
      advisor.on_window({t, speech, p, 0}, log);
      next_window = speech + 500;
    }
    if (random.below(200) == 0) advisor.acknowledge(static_cast<std::int64_t>(random.below(12)), t, log);
  }
  advisor.finish(t, log);
  played.allocations = allocations() - before;
  played.events = log.events;
  played.end_ms = t;
  played.consent_lost_ms = loses_consent;
  return played;
}

std::int64_t ms(double seconds) { return std::llround(seconds * 1000); }

// Every law that the events of one rule's alerts broke; "" when none.
std::string broken_alert_law(const Rule& rule, int index, const std::vector<Event>& events) {
  bool up = false, seen = false, higher = false;
  std::int64_t raised = 0, cleared = -1, number = 0;
  for (const Event& e : events) {
    if (e.type != EventType::alert || e.rule != index) continue;
    if (!rule.alert) return "a rule without alert raised one";
    if (e.action == EventAction::raised) {
      if (up) return "raised twice";
      if (cleared >= 0 && e.t_ms - cleared < ms(rule.cooldown_s)) return "raised within the cool-down";
      if (e.value < rule.raise_at) return "raised below its level";
      up = true, seen = higher = false, raised = e.t_ms, number = e.alert;
      if (e.duration_ms < ms(rule.hold_s)) return "raised before hold_s";
      continue;
    }
    if (!up) return std::string(action_name(e.action)) + " without being raised";
    if (e.alert != number) return "another number";
    if (e.action == EventAction::escalated) {
      if (seen) return "escalated after it was acknowledged";
      if (higher) return "escalated twice";
      if (rule.escalate_after_s <= 0 || e.t_ms - raised < ms(rule.escalate_after_s)) return "escalated too early";
      if (e.t_ms - raised > ms(rule.escalate_after_s) + block_ms) return "escalated too late";
      higher = true;
    } else if (e.action == EventAction::acknowledged) {
      if (seen) return "acknowledged twice";
      seen = true;
    } else if (e.action == EventAction::cleared) {
      up = false, cleared = e.t_ms;
    }
  }
  return up ? "still up at the end" : "";
}

std::string broken_advice_law(const Playbook& playbook, const Played& played) {
  int shown = -1;
  std::int64_t since = 0;
  for (const Event& e : played.events) {
    if (e.type != EventType::advice) continue;
    const Rule& rule = playbook.rules[static_cast<std::size_t>(e.rule)];
    if (e.action == EventAction::shown) {
      if (shown >= 0) return "two at once";
      shown = e.rule, since = e.t_ms;
      continue;
    }
    if (shown != e.rule) return "withdrawn without being shown";
    const std::int64_t for_ms = e.t_ms - since;
    const bool cut = e.t_ms == played.end_ms || (e.t_ms == played.consent_lost_ms && is_emotion(rule.signal));
    if (!cut && for_ms < ms(playbook.min_show_s)) return "withdrawn before min_show_s";
    if (for_ms > ms(rule.show_for_s) + block_ms) return "shown for too long";
    shown = -1;
  }
  return shown >= 0 ? "still shown at the end" : "";
}

}  // namespace

TEST_CASE("advisor: the laws hold for random playbooks and calls") {
  std::map<std::string, int> counts;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Random random(seed, Purpose::test);
    const Playbook playbook = random_playbook(random);
    const Played played = play(playbook, seed);
    std::int64_t last_ms = 0, alerts = 0;
    for (const Event& e : played.events) {
      CHECK(e.t_ms >= last_ms);
      CHECK((std::isfinite(e.value) && e.value >= 0 && e.duration_ms >= 0));
      last_ms = e.t_ms;
      if (e.action == EventAction::raised) CHECK(e.alert == ++alerts);
      ++counts[action_name(e.action)];
    }
    for (std::size_t i = 0; i < playbook.rules.size(); ++i) {
      const std::string law = broken_alert_law(playbook.rules[i], static_cast<int>(i), played.events);
      CHECK_MESSAGE(law.empty(), playbook.rules[i].id << ": " << law);
    }
    const std::string law = broken_advice_law(playbook, played);
    CHECK_MESSAGE(law.empty(), law);
  }
  for (const char* action : {"raised", "escalated", "acknowledged", "cleared", "shown", "withdrawn"}) {
    MESSAGE(std::string(action) << ": " << counts[action]);
    CHECK(counts[action] > 100);  // the calls were not too tame to show anything
  }
}

TEST_CASE("advisor: the same call gives the same events, and none of them costs an allocation") {
  Random random(77, Purpose::test);
  const Playbook playbook = random_playbook(random);
  const Played once = play(playbook, 5), again = play(playbook, 5);
  REQUIRE(once.events.size() == again.events.size());
  REQUIRE(once.events.size() > 10);
  for (std::size_t i = 0; i < once.events.size(); ++i) {
    CHECK(once.events[i].t_ms == again.events[i].t_ms);
    CHECK(once.events[i].action == again.events[i].action);
    CHECK(once.events[i].rule == again.events[i].rule);
    CHECK(once.events[i].value == again.events[i].value);
  }
  if (!counting_allocations()) MESSAGE("allocations are not counted in this build");
  CHECK(once.allocations == 0);
}
