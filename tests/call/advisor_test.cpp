// The rules by hand: when each kind of signal raises, clears, escalates and shows its advice.
#include "serene/call/advisor.h"

#include <doctest/doctest.h>

#include <limits>

#include "advisor_log.h"

using namespace serene;
using namespace serene::test;
using doctest::Approx;

namespace {

// Raises after two windows and 1 s of speech at 0.7, clears after 3 s below 0.5, rests for 5 s.
const char* const anger =
    R"("alert":true,"signal":{"states":{"angry":1}},"windows":2,"min_speech_s":1,"clear_for_s":3,"cooldown_s":5)";

std::string with(const std::string& keys) { return std::string(anger) + "," + keys; }

}  // namespace

TEST_CASE("advisor: an alert rises after its windows and speech, and clears below its level") {
  AdvisorCall call(one_rule(anger));
  call.speak(2000, 0.1);
  call.speak(1000, 0.9);  // windows at 2500 and 3000
  CHECK(call.log.text(EventType::alert) == "raised@3000");
  CHECK(call.log.events[0].alert == 1);
  CHECK(call.log.events[0].value == Approx(0.9));
  CHECK(call.log.events[0].duration_ms == 1000);
  CHECK(call.log.events[0].at_ms == 2000);
  call.speak(5000, 0.6);  // between the levels: nothing changes
  CHECK(call.log.text(EventType::alert) == "raised@3000");
  call.speak(4000, 0.2);  // below from the window at 8500 on
  CHECK(call.log.text(EventType::alert) == "raised@3000 cleared@11500");
  CHECK(call.log.events.back().duration_ms == 9500);
}

TEST_CASE("advisor: one window is not enough, and a break begins the count anew") {
  AdvisorCall call(one_rule(anger));
  for (int i = 0; i < 10; ++i) {
    call.speak(500, 0.9);
    call.speak(500, 0.6);
  }
  CHECK(call.log.events.empty());
  AdvisorCall longer(one_rule(R"("alert":true,"signal":{"states":{"angry":1}},"windows":2,"min_speech_s":3)"));
  longer.speak(500, 0.1);
  longer.speak(2500, 0.9);
  CHECK(longer.log.events.empty());
  longer.speak(500, 0.9);
  CHECK(longer.log.text(EventType::alert) == "raised@3500");
}

TEST_CASE("advisor: hold_s counts time of call") {
  AdvisorCall call(one_rule(R"("alert":true,"signal":{"states":{"angry":1}},"hold_s":5)"));
  call.speak(500, 0.1);
  call.speak(1000, 0.9);
  call.quiet(6000, true);
  CHECK(call.log.events.empty());  // it rises with speech alone
  call.speak(500, 0.9);
  CHECK(call.log.text(EventType::alert) == "raised@8000");
}

TEST_CASE("advisor: after clearing it rests for the cool-down") {
  AdvisorCall call(one_rule(anger));
  call.speak(1000, 0.9);
  call.speak(4000, 0.1);  // clears at 4500
  CHECK(call.log.text(EventType::alert) == "raised@1000 cleared@4500");
  call.speak(10000, 0.9);
  CHECK(call.log.text(EventType::alert) == "raised@1000 cleared@4500 raised@9500");
  CHECK(call.log.events.back().alert == 2);
}

TEST_CASE("advisor: quiet keeps the last signal, long silence clears and forgets") {
  AdvisorCall call(one_rule(with(R"("clear_after_silence_s":20)")));
  call.speak(1000, 0.9);
  call.quiet(19000, true);
  CHECK(call.log.text(EventType::alert) == "raised@1000");
  call.quiet(2000, true);
  CHECK(call.log.text(EventType::alert) == "raised@1000 cleared@21000");
  // Below the level already: the silence counts too.
  AdvisorCall falls(one_rule(anger));
  falls.speak(1000, 0.9);
  falls.speak(500, 0.1);
  falls.quiet(4000, true);
  CHECK(falls.log.text(EventType::alert) == "raised@1000 cleared@4500");
}

TEST_CASE("advisor: an alert that nobody acknowledges escalates once") {
  AdvisorCall call(one_rule(with(R"("escalate_after_s":10)")));
  call.speak(60000, 0.9);
  CHECK(call.log.text(EventType::alert) == "raised@1000 escalated@11000");
  CHECK(!call.log.events[0].supervisor);
  for (const Event& e : call.log.events) {
    if (e.type == EventType::alert) CHECK(e.supervisor == (e.action == EventAction::escalated));
  }
  AdvisorCall seen(one_rule(with(R"("escalate_after_s":10)")));
  seen.speak(5000, 0.9);
  seen.advisor().acknowledge(7, seen.t_ms(), seen.log);
  seen.advisor().acknowledge(0, seen.t_ms(), seen.log);
  seen.advisor().acknowledge(-1, seen.t_ms(), seen.log);
  CHECK(seen.log.text(EventType::alert) == "raised@1000");
  seen.advisor().acknowledge(1, seen.t_ms(), seen.log);
  seen.advisor().acknowledge(1, seen.t_ms(), seen.log);
  seen.speak(60000, 0.9);
  CHECK(seen.log.text(EventType::alert) == "raised@1000 acknowledged@5000");
  AdvisorCall direct(one_rule(with(R"("supervisor":true)")));
  direct.speak(60000, 0.9);
  CHECK(direct.log.text(EventType::alert) == "raised@1000");
  CHECK(direct.log.events[0].supervisor);
}

TEST_CASE("advisor: average and trend speak of seconds of speech") {
  AdvisorCall average(one_rule(R"("alert":true,"signal":{"states":{"angry":1},"average_s":10},"raise_at":0.6)"));
  average.speak(30000, 0.1);
  average.speak(10000, 1.0);  // 0.1 * (10 - x) / 10 + x / 10 >= 0.6 at x = 5.56
  CHECK(average.log.text(EventType::alert) == "raised@36000");
  CHECK(average.log.events[0].value == Approx(0.64));
  AdvisorCall early(one_rule(R"("alert":true,"signal":{"states":{"angry":1},"average_s":10},"raise_at":0.6)"));
  early.speak(5500, 1.0);  // what was not heard yet counts as 0
  CHECK(early.log.events.empty());
  early.speak(500, 1.0);
  CHECK(early.log.text(EventType::alert) == "raised@6000");

  const std::string keys = R"("states":{"angry":1},"over_s":10},"alert":true,"raise_at":0.4)";
  AdvisorCall rising(one_rule(R"("signal":{"trend":"rising",)" + keys));
  AdvisorCall falling(one_rule(R"("signal":{"trend":"falling",)" + keys));
  AdvisorCall still(one_rule(R"("signal":{"trend":"rising",)" + keys));
  for (int i = 0; i < 20; ++i) {
    rising.speak(500, 0.05 * i);  // 1 per 10 s
    falling.speak(500, 1 - 0.05 * i);
    still.speak(500, 0.8);
  }
  CHECK(rising.log.text(EventType::alert) == "raised@5500");  // when half of over_s was heard
  CHECK(rising.log.events[0].value == Approx(1.0));
  CHECK(falling.log.text(EventType::alert) == "raised@5500");
  CHECK(still.log.events.empty());
}

TEST_CASE("advisor: recovery is told after the anger cleared, and not for ever") {
  const std::string rules = R"({"rules":[)" +
                            rule_text("calm", R"("alert":true,"signal":{"recovery_of":"one",)"
                                              R"("within_s":20},"windows":2,"clear_for_s":0)") +
                            "," + rule_text("one", anger) + "]}";
  AdvisorCall call(playbook_of(rules));
  call.speak(10000, 0.1);
  CHECK(call.log.events.empty());  // nothing to recover from
  call.speak(2000, 0.9);
  call.speak(4000, 0.1);
  CHECK(call.log.text(EventType::alert, 1) == "raised@11000 cleared@15500");
  CHECK(call.log.text(EventType::alert, 0) == "raised@16000");
  call.quiet(30000, true);
  CHECK(call.log.text(EventType::alert, 0) == "raised@16000 cleared@34000");  // the customer was quiet for 18 s
  call.speak(2000, 0.9);
  call.quiet(20000, true);
  call.speak(3000, 0.1);
  CHECK(call.log.text(EventType::alert, 0) == "raised@16000 cleared@34000");  // silence is no recovery
}

TEST_CASE("advisor: recovery ends with its time") {
  const std::string rules =
      R"({"rules":[)" + rule_text("one", anger) + "," +
      rule_text("calm", R"("alert":true,"signal":{"recovery_of":"one","within_s":5},"clear_for_s":0)") + "]}";
  AdvisorCall call(playbook_of(rules));
  call.speak(1000, 0.9);
  call.speak(20000, 0.1);
  CHECK(call.log.text(EventType::alert, 0) == "raised@1000 cleared@4500");
  CHECK(call.log.text(EventType::alert, 1) == "raised@4500 cleared@9520");
}

TEST_CASE("advisor: speech without consent counts for nothing later") {
  AdvisorCall call(one_rule(R"("alert":true,"signal":{"states":{"angry":1}},"min_speech_s":3)"));
  call.speak(500, 0.1);
  call.advisor().withdraw_emotion(call.t_ms(), call.log);
  const std::array<double, 2> p{0.9, 0.1};
  call.advisor().on_window({60500, 60500, p, 0}, call.log);  // a minute was not heard: this speaks for 1 s of it
  CHECK(call.log.events.empty());
  call.advisor().on_window({62500, 62500, p, 0}, call.log);
  CHECK(call.log.text(EventType::alert) == "raised@62500");
}

TEST_CASE("rule signal: a stretch counts for the part of it that lies in the average") {
  Rule rule;
  rule.signal = SignalKind::average;
  rule.over_s = 10;
  RuleSignal signal(rule, {1}, block_ms);
  const std::array<double, 1> high{1}, low{0};
  CHECK(signal.on_window(4000, 4000, high) == Approx(0.4));
  CHECK(signal.on_window(8000, 4000, low) == Approx(0.4));
  CHECK(signal.on_window(12000, 4000, low) == Approx(0.2));
  CHECK(signal.on_window(16000, 4000, low) == 0);
  signal.forget();
  CHECK(signal.on_window(20000, 1000, high) == Approx(0.1));
}

TEST_CASE("rule signal: any hop fits the ring") {
  Rule rule;
  rule.over_s = 600;
  for (const SignalKind kind : {SignalKind::average, SignalKind::trend}) {
    rule.signal = kind;
    RuleSignal signal(rule, {1}, block_ms);
    double value = 0;
    for (int i = 1; i <= 60000; ++i) {  // 20 minutes in steps of 20 ms, rising from 0 to 1 in the second half
      const std::array<double, 1> p{i <= 30000 ? 0.0 : (i - 30000) / 30000.0};
      value = signal.on_window(i * 20, 20, p);
    }
    CHECK(value == Approx(kind == SignalKind::average ? 0.5 : 1.0).epsilon(0.01));
  }
}

TEST_CASE("advisor: silence, overlap, loss and strain") {
  AdvisorCall silence(
      one_rule(R"("alert":true,"signal":{"silence_s":true},"raise_at":8,"clear_below":1,"clear_for_s":0)"));
  silence.quiet(7980);
  CHECK(silence.log.events.empty());
  silence.quiet(4000);
  silence.quiet(20, true);
  CHECK(silence.log.text(EventType::alert) == "raised@8000 cleared@12000");

  AdvisorCall overlap(one_rule(R"("alert":true,"signal":{"overlap_share":true,"over_s":10},"raise_at":0.2,)"
                               R"("clear_below":0.1,"clear_for_s":0)"));
  overlap.speak(10000, 0);
  overlap.speak(1980, 0, true);
  CHECK(overlap.log.events.empty());
  overlap.speak(20, 0, true);
  overlap.speak(20000, 0);
  CHECK(overlap.log.text(EventType::alert) == "raised@12000 cleared@21020");

  AdvisorCall loss(
      one_rule(R"("alert":true,"signal":{"loss_share":true,"over_s":10},"raise_at":0.05,"clear_below":0.02)"));
  loss.quiet(5000, true, 0.1);
  CHECK(loss.log.text(EventType::alert) == "raised@5000");
  CHECK(loss.log.events[0].value == Approx(0.05).epsilon(1e-6));

  const std::string strain =
      R"({"rules":[)" + rule_text("one", anger) + "," +
      rule_text("tired", R"("alert":true,"signal":{"strain_of":"one"},"raise_at":20.5,"clear_below":20.5)") + "]}";
  AdvisorCall calm(playbook_of(strain), 20), angry(playbook_of(strain), 20);
  calm.speak(60000, 0.1);
  angry.speak(60000, 0.9);
  CHECK(calm.log.text(EventType::alert, 1).empty());  // a calm call adds nothing
  CHECK(angry.log.text(EventType::alert, 1) == "raised@30000");
}

TEST_CASE("advisor: advice stays for min_show_s, leaves after show_for_s, and the higher one comes next") {
  const auto rules = [](int first, int second) {
    return playbook_of(
        R"({"min_show_s":4,"rules":[)" +
        rule_text("silence", R"("signal":{"silence_s":true},"raise_at":2,"clear_below":1,"clear_for_s":0,)"
                             R"("show_for_s":10,"priority":)" +
                                 std::to_string(first)) +
        "," +
        rule_text("anger", R"("signal":{"states":{"angry":1}},"show_for_s":10,"clear_for_s":100,"priority":)" +
                               std::to_string(second)) +
        "]}");
  };
  AdvisorCall call(rules(1, 2));
  call.quiet(2000);
  call.speak(500, 0.9);  // the silence is over and anger there, but advice was shown for half a second only
  CHECK(call.log.text(EventType::advice, 0) == "shown@2000");
  call.speak(20000, 0.9);
  CHECK(call.log.text(EventType::advice, 0) == "shown@2000 withdrawn@6000");
  CHECK(call.log.text(EventType::advice, 1) == "shown@6000 withdrawn@16000");
  CHECK(call.log.text(EventType::alert).empty());

  // The one of lower rank waits, and the outranked one comes back for the rest of its time.
  AdvisorCall waits(rules(2, 1));
  waits.speak(5500, 0.9);
  CHECK(waits.log.text(EventType::advice) == "shown@500");
  waits.quiet(2000);  // until 7500
  CHECK(waits.log.text(EventType::advice) == "shown@500 withdrawn@7500 shown@7500");
  waits.speak(20000, 0.9);
  CHECK(waits.log.text(EventType::advice, 0) == "shown@7500 withdrawn@11500");
  CHECK(waits.log.text(EventType::advice, 1) == "shown@500 withdrawn@7500");  // 3 s are left: less than min_show_s
}

TEST_CASE("advisor: consent withdrawn clears emotion alone, the end clears everything") {
  const Playbook rules = playbook_of(
      R"({"rules":[)" + rule_text("one", std::string(anger) + R"(,"priority":5)") + "," +
      rule_text("quiet", R"("alert":true,"signal":{"silence_s":true},"raise_at":1,"clear_below":1,"clear_for_s":60)") +
      "]}");
  AdvisorCall call(rules);
  call.quiet(1000);
  call.speak(4000, 0.9);
  CHECK(call.log.text(EventType::alert) == "raised@1000 raised@2000");
  CHECK(call.log.text(EventType::advice, 0) == "shown@5000");
  call.advisor().withdraw_emotion(call.t_ms(), call.log);
  CHECK(call.log.text(EventType::alert, 0) == "raised@2000 cleared@5000");
  CHECK(call.log.text(EventType::alert, 1) == "raised@1000");
  CHECK(call.log.text(EventType::advice, 0) == "shown@5000 withdrawn@5000");
  call.advisor().finish(call.t_ms(), call.log);
  CHECK(call.log.text(EventType::alert, 1) == "raised@1000 cleared@5000");
  const std::size_t events = call.log.events.size();
  call.advisor().finish(call.t_ms(), call.log);
  call.speak(9000, 0.9);
  call.advisor().acknowledge(1, call.t_ms(), call.log);
  call.advisor().withdraw_emotion(call.t_ms(), call.log);
  CHECK(call.log.events.size() == events);
}

TEST_CASE("advisor: numbers that are none, too few or too many do no harm") {
  AdvisorCall call(one_rule(anger));
  const double nan = std::numeric_limits<double>::quiet_NaN(), huge = 1e300;
  const std::array<double, 40> many = [&] {
    std::array<double, 40> p{};
    p.fill(nan);
    return p;
  }();
  for (int i = 1; i <= 20; ++i) call.advisor().on_window({i * 500, i * 500, many, 0}, call.log);
  call.advisor().on_window({10500, 10500, {}, 0}, call.log);
  call.advisor().on_block({10520, {true, true}, 10520, 0, nan}, call.log);
  CHECK(call.log.events.empty());
  const std::array<double, 2> large{huge, -huge};
  for (int i = 22; i <= 24; ++i) call.advisor().on_window({i * 500, i * 500, large, 0}, call.log);
  REQUIRE(call.log.text(EventType::alert) == "raised@11500");
  CHECK(call.log.events[0].value == 1);
}
