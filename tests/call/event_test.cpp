#include "serene/call/event.h"

#include <doctest/doctest.h>

#include <limits>

#include "serene/call/call_config.h"
#include "serene/call/playbook.h"
#include "serene/core/json.h"
#include "serene/core/random.h"

using namespace serene;

namespace {

struct Names {
  std::vector<StateGroup> states = {
      {"neutral", {"neutral", "calm"}, 0}, {"angry", {"angry"}, 1}, {"sad", {"sad"}, 0.6}};
  Playbook playbook;

  Names() {
    Rule rule;
    rule.id = "anger";
    rule.severity = Severity::critical;
    rule.text = "Anger is \"rising\"";
    rule.advice = "Slow down.";
    rule.reason = "anger {value} for {duration} s";
    playbook.rules.push_back(rule);
  }
  std::string line(const Event& event) const { return event_line(event, EventNames{"strong", states, playbook}); }
};

Event event_of(EventType type, EventAction action = EventAction::none) {
  Event e;
  e.sequence = 3;
  e.t_ms = 1500;
  e.type = type;
  e.action = action;
  return e;
}

}  // namespace

TEST_CASE("event: one line for each kind") {
  const Names names;
  Event e = event_of(EventType::call, EventAction::start);
  e.agent_leg = false;
  CHECK(names.line(e) ==
        R"({"seq":3,"t_ms":1500,"type":"call","action":"start","model":"strong","states":["neutral","angry","sad"],)"
        R"("negative":{"neutral":0,"angry":1,"sad":0.6},"agent_leg":false,"consent":true})");
  e = event_of(EventType::call, EventAction::end);
  e.reason = "hang_up";
  e.leg_speech_ms = {1200, 300};
  CHECK(names.line(e) == R"({"seq":3,"t_ms":1500,"type":"call","action":"end","reason":"hang_up",)"
                         R"("customer_speech_ms":1200,"agent_speech_ms":300})");
  e = event_of(EventType::speech, EventAction::start);
  e.leg = Leg::agent;
  e.at_ms = 1420;
  CHECK(names.line(e) == R"({"seq":3,"t_ms":1500,"type":"speech","leg":"agent","action":"start","at_ms":1420})");
  e = event_of(EventType::overlap, EventAction::stop);
  e.at_ms = 1480;
  e.duration_ms = 640;
  CHECK(names.line(e) == R"({"seq":3,"t_ms":1500,"type":"overlap","action":"stop","at_ms":1480,"duration_ms":640})");
  e = event_of(EventType::silence, EventAction::start);
  e.at_ms = 20;
  CHECK(names.line(e) == R"({"seq":3,"t_ms":1500,"type":"silence","action":"start","at_ms":20})");
  CHECK(names.line(event_of(EventType::consent, EventAction::withdrawn)) ==
        R"({"seq":3,"t_ms":1500,"type":"consent","action":"withdrawn"})");
}

TEST_CASE("event: what was heard") {
  const Names names;
  Event e = event_of(EventType::emotion);
  e.state = state_uncertain;
  e.top = 1;
  e.confidence = 0.412345;
  e.probabilities = {0.25, 0.412345, 0.337655};
  e.window = {0, 1, 0.00004};
  e.window_ms = 3000;
  e.speech_ms = 12500;
  CHECK(names.line(e) ==
        R"({"seq":3,"t_ms":1500,"type":"emotion","state":"uncertain","top":"angry","confidence":0.4123,)"
        R"("probabilities":{"neutral":0.25,"angry":0.4123,"sad":0.3377},)"
        R"("window":{"neutral":0,"angry":1,"sad":0},"window_ms":3000,"speech_ms":12500})");
  e = event_of(EventType::state);
  e.state = 1;
  e.previous = state_no_speech;
  e.confidence = 0.62;
  CHECK(names.line(e) ==
        R"({"seq":3,"t_ms":1500,"type":"state","state":"angry","previous":"no_speech","confidence":0.62})");
  e = event_of(EventType::trend);
  e.direction = Direction::falling;
  e.negative = 0.55;
  e.slope_per_min = -0.4;
  CHECK(names.line(e) ==
        R"({"seq":3,"t_ms":1500,"type":"trend","direction":"falling","negative":0.55,"slope_per_min":-0.4})");
  e = event_of(EventType::quality);
  e.lamp = Lamp::fair;
  e.level_dbfs = -23.125;
  e.band_limited = true;
  e.loss = 0.0125;
  e.bad_samples = 7;
  CHECK(names.line(e) == R"({"seq":3,"t_ms":1500,"type":"quality","leg":"customer","lamp":"fair","level_dbfs":-23.125,)"
                         R"("snr_db":0,"clipping":0,"loss":0.0125,"band_limited":true,"bad_samples":7})");
}

TEST_CASE("event: what is advised, with its reason") {
  const Names names;
  Event e = event_of(EventType::alert, EventAction::raised);
  e.rule = 0;
  e.alert = 2;
  e.value = 0.736;
  e.duration_ms = 4500;
  CHECK(names.line(e) == R"({"seq":3,"t_ms":1500,"type":"alert","action":"raised","alert":2,"rule":"anger",)"
                         R"("severity":"critical","text":"Anger is \"rising\"","reason":"anger 0.74 for 4 s",)"
                         R"("value":0.736,"for_ms":4500,"supervisor":false})");
  e.action = EventAction::cleared;
  CHECK(names.line(e).find(R"("reason":"",)") != std::string::npos);
  e = event_of(EventType::advice, EventAction::shown);
  e.rule = 0;
  CHECK(names.line(e) ==
        R"({"seq":3,"t_ms":1500,"type":"advice","action":"shown","rule":"anger","severity":"critical",)"
        R"("text":"Slow down.","reason":"anger 0.00 for 0 s","value":0,"for_ms":0})");
}

TEST_CASE("event: hostile numbers, names and places still make one line of JSON") {
  Names names;
  names.states[1].name = "an\"gry\n\x01\xff\\";
  names.playbook.rules[0].text = "\xc3\xa9t\xc3\xa9 \xed\xa0\x80";
  const double values[] = {std::numeric_limits<double>::quiet_NaN(),
                           std::numeric_limits<double>::infinity(),
                           -1e300,
                           -0.00001,
                           123456.789,
                           -0.5};
  Random random(3, Purpose::test);
  for (int i = 0; i < 4000; ++i) {
    Event e = event_of(static_cast<EventType>(random.below(11)), static_cast<EventAction>(random.below(11)));
    const auto value = [&] { return values[random.below(6)]; };
    e.state = static_cast<int>(random.below(40)) - 20;
    e.top = static_cast<int>(random.below(40)) - 20;
    e.rule = static_cast<int>(random.below(4)) - 2;
    e.confidence = value(), e.value = value(), e.negative = value(), e.slope_per_min = value();
    e.probabilities.fill(value());
    e.level_dbfs = value(), e.snr_db = value();
    e.duration_ms = static_cast<std::int64_t>(random.below(3)) - 1;
    const std::string line = names.line(e);
    CHECK(line.find('\n') == std::string::npos);
    const Json json = parse_json(line, "line");
    CHECK(json.at("type") == type_name(e.type));
    CHECK(json.at("seq") == 3);
  }
}

TEST_CASE("event: names exist for every value") {
  for (int i = 0; i < 11; ++i) {
    CHECK(std::string(type_name(static_cast<EventType>(i))) != "unknown");
    CHECK(std::string(action_name(static_cast<EventAction>(i))) != "unknown");
  }
  CHECK(std::string(leg_name(Leg::customer)) == "customer");
  CHECK(std::string(leg_name(Leg::agent)) == "agent");
}
