#include "serene/call/playbook.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <sstream>

#include "advisor_log.h"

using namespace serene;
using namespace serene::test;
using doctest::Approx;

namespace {

const std::string kShipped = std::string(SERENE_SOURCE_DIR) + "/configs/call/playbook.json";

// A sound playbook of three rules; tests break it in one place.
Json sound() {
  return parse_json(R"({"min_show_s":4,"rules":[
    {"id":"anger","alert":true,"severity":"critical","priority":90,"signal":{"states":{"angry":1}},"raise_at":0.7,
     "windows":2,"min_speech_s":3,"hold_s":0,"clear_below":0.5,"clear_for_s":6,"clear_after_silence_s":18,
     "cooldown_s":30,"escalate_after_s":20,"show_for_s":15,"text":"Anger","advice":"Slow down.",
     "reason":"anger {value}, {percent}, for {duration} s"},
    {"id":"silence","signal":{"silence_s":true},"raise_at":8,"clear_below":1,"advice":"Say something.","reason":"{value} s"},
    {"id":"calm","signal":{"recovery_of":"anger","within_s":60},"advice":"Sum up.","reason":"calm"}]})",
                    "sound");
}

std::string problem_with(const Json& json) {
  try {
    JsonReader reader(json, "");
    playbook_from_json(reader);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

struct Break {
  std::function<void(Json&)> change;
  std::string path, word;  // the error starts with path and holds word
};

// Puts text in place of the value at a JSON pointer.
Break at(const std::string& pointer, const std::string& value, const std::string& path, const std::string& word = "") {
  return {[=](Json& j) { j[Json::json_pointer(pointer)] = parse_json(value, "value"); }, path, word};
}

Break without(std::size_t rule, const std::string& key, const std::string& path, const std::string& word = "") {
  return {[=](Json& j) { j["rules"][rule].erase(key); }, path, word};
}

void check_breaks(const std::vector<Break>& breaks) {
  for (std::size_t i = 0; i < breaks.size(); ++i) {
    CAPTURE(i);
    Json json = sound();
    breaks[i].change(json);
    const std::string problem = problem_with(json);
    CAPTURE(problem);
    CHECK(problem.starts_with(breaks[i].path + ": "));
    CHECK(problem.find(breaks[i].word) != std::string::npos);
    CHECK(problem.find('\n') == std::string::npos);
  }
}

}  // namespace

TEST_CASE("playbook: a sound one is read in full") {
  const Json json = sound();
  JsonReader reader(json, "");
  const Playbook playbook = playbook_from_json(reader);
  REQUIRE(playbook.rules.size() == 3);
  const Rule& anger = playbook.rules[0];
  CHECK(playbook.min_show_s == 4);
  CHECK((anger.id == "anger" && anger.alert && anger.severity == Severity::critical && anger.priority == 90));
  CHECK((anger.signal == SignalKind::states && anger.states.size() == 1 && anger.states[0].second == 1));
  CHECK((anger.raise_at == 0.7 && anger.windows == 2 && anger.min_speech_s == 3 && anger.clear_below == 0.5));
  CHECK((anger.clear_for_s == 6 && anger.clear_after_silence_s == 18 && anger.cooldown_s == 30));
  CHECK((anger.escalate_after_s == 20 && !anger.supervisor && anger.show_for_s == 15));
  CHECK((playbook.rules[1].signal == SignalKind::silence && playbook.rules[1].raise_at == 8));
  CHECK((playbook.rules[2].signal == SignalKind::recovery && playbook.rules[2].other_rule == "anger"));
  CHECK(playbook.rules[2].over_s == 60);
}

TEST_CASE("playbook: clear_below never stands above raise_at by default") {
  const Playbook p = one_rule(R"("signal":{"states":{"sad":1}},"raise_at":0.3)");
  CHECK(p.rules[0].clear_below == 0.3);
}

TEST_CASE("playbook: the shipped one loads and serves the usual states") {
  const Playbook playbook = read_playbook(kShipped);
  const std::vector<std::string> states = {"neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised"};
  std::vector<std::string> ids;
  for (const Rule& rule : playbook.rules) {
    ids.push_back(rule.id);
    CHECK(state_weights(rule, states).size() == states.size());
    CHECK(!rule.advice.empty());  // every rule helps, none only blames
  }
  for (const char* id : {"rising_anger", "sustained_frustration", "sadness_empathy", "fear_reassure",
                         "recovery_after_anger", "long_silence", "crosstalk", "poor_line", "strain_break"}) {
    CHECK_MESSAGE(std::find(ids.begin(), ids.end(), id) != ids.end(), id);
  }
  CHECK(sleeping_rules(playbook, states).empty());
  const auto asleep = sleeping_rules(playbook, {"happy", "neutral", "sad"});
  CHECK(asleep == std::vector<std::string>{"rising_anger", "sustained_frustration", "anger_building", "fear_reassure",
                                           "recovery_after_anger"});
  // No word about the agent's own feelings or performance.
  std::stringstream text;
  text << std::ifstream(kShipped).rdbuf();
  for (const char* word : {"agent", "score", "you sound", "your tone", "performance"}) {
    CHECK_MESSAGE(text.str().find(word) == std::string::npos, word);
  }
}

TEST_CASE("playbook: broken structure names its path") {
  check_breaks({
      {[](Json& j) { j = Json::object(); }, "rules", "missing key"},
      at("/rules", "{}", "rules", "array"),
      at("/rules", "\"x\"", "rules", "array"),
      at("/rules/1", "7", "rules[1]", "object"),
      at("/rule", "[]", "rule", "unknown key"),
      at("/min_show_s", "-1", "min_show_s", "out of range"),
      at("/min_show_s", "\"4\"", "min_show_s", "wrong type"),
      at("/rules/0/colour", "1", "rules[0].colour", "unknown key"),
      at("/rules/0/raise_att", "1", "rules[0].raise_att", "raise_at"),
      without(0, "id", "rules[0].id", "missing key"),
      at("/rules/0/id", "\"\"", "rules[0].id"),
      at("/rules/0/id", "\"Rising Anger\"", "rules[0].id", "Rising Anger"),
      at("/rules/0/id", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "rules[0].id"),
      at("/rules/1/id", "\"anger\"", "rules[1].id", "another rule"),
      {[](Json& j) {
         const Json rule = j["rules"][1];
         for (int i = 0; i < 70; ++i) j["rules"].push_back(rule);
       },
       "rules", "at most 64"},
  });
}

TEST_CASE("playbook: broken signals name their path") {
  check_breaks({
      without(0, "signal", "rules[0].signal", "missing key"),
      at("/rules/0/signal", "\"angry\"", "rules[0].signal", "object"),
      at("/rules/0/signal", "{}", "rules[0].signal", "no signal"),
      at("/rules/0/signal", R"({"state":{"angry":1}})", "rules[0].signal", "states"),
      at("/rules/0/signal/states", "{}", "rules[0].signal.states", "no states"),
      at("/rules/0/signal/states", "[\"angry\"]", "rules[0].signal.states", "object"),
      at("/rules/0/signal/states/angry", "0", "rules[0].signal.states.angry", "out of range"),
      at("/rules/0/signal/states/angry", "1.5", "rules[0].signal.states.angry", "out of range"),
      at("/rules/0/signal/states/angry", "true", "rules[0].signal.states.angry", "wrong type"),
      at("/rules/0/signal/silence_s", "true", "rules[0].signal.states", "unknown key"),
      at("/rules/0/signal/over_s", "5", "rules[0].signal.over_s", "unknown key"),
      at("/rules/0/signal/average_s", "0", "rules[0].signal.average_s", "out of range"),
      at("/rules/0/signal/average_s", "1e9", "rules[0].signal.average_s", "out of range"),
      at("/rules/0/signal/trend", "\"up\"", "rules[0].signal.trend", "rising"),
      at("/rules/0/signal/trend", "\"rising\"", "rules[0].signal.over_s", "missing key"),
      at("/rules/1/signal/silence_s", "false", "rules[1].signal.silence_s", "false means nothing"),
      at("/rules/1/signal/silence_s", "3", "rules[1].signal.silence_s", "boolean"),
      at("/rules/1/signal", R"({"overlap_share":true})", "rules[1].signal.over_s", "missing key"),
      at("/rules/1/signal", R"({"loss_share":true,"overlap_share":true,"over_s":3})", "rules[1].signal.loss_share",
         "unknown key"),
      at("/rules/1/signal", R"({"strain_of":"nobody"})", "rules[1].signal.strain_of", "anger"),
      at("/rules/2/signal/recovery_of", "\"silence\"", "rules[2].signal.recovery_of", "one of anger"),
      at("/rules/2/signal/recovery_of", "\"calm\"", "rules[2].signal.recovery_of", "one of anger"),
      at("/rules/2/signal", R"({"recovery_of":"anger"})", "rules[2].signal.within_s", "missing key"),
  });
}

TEST_CASE("playbook: broken levels, times and texts name their path") {
  check_breaks({
      at("/rules/0/severity", "\"fatal\"", "rules[0].severity", "warning"),
      at("/rules/0/priority", "101", "rules[0].priority", "out of range"),
      at("/rules/0/priority", "1.5", "rules[0].priority", "integer"),
      at("/rules/0/alert", "1", "rules[0].alert", "boolean"),
      at("/rules/0/raise_at", "1.2", "rules[0].raise_at", "out of range"),
      at("/rules/0/raise_at", "0", "rules[0].raise_at", "out of range"),
      at("/rules/0/clear_below", "0.8", "rules[0].clear_below", "above raise_at"),
      without(1, "raise_at", "rules[1].raise_at", "seconds"),
      without(1, "clear_below", "rules[1].clear_below", "seconds"),
      at("/rules/0/windows", "0", "rules[0].windows", "out of range"),
      at("/rules/1/windows", "2", "rules[1].windows", "means nothing"),
      at("/rules/1/min_speech_s", "2", "rules[1].min_speech_s", "means nothing"),
      at("/rules/0/clear_for_s", "-1", "rules[0].clear_for_s", "out of range"),
      at("/rules/0/cooldown_s", "null", "rules[0].cooldown_s", "number"),
      at("/rules/0/show_for_s", "2", "rules[0].show_for_s", "min_show_s"),
      at("/rules/1/escalate_after_s", "5", "rules[1].escalate_after_s", "only alerts"),
      at("/rules/1/supervisor", "true", "rules[1].supervisor", "only alerts"),
      at("/rules/0/supervisor", "true", "rules[0].escalate_after_s", "at once"),
      at("/rules/0/supervisor", "\"yes\"", "rules[0].supervisor", "boolean"),
      without(0, "text", "rules[0].text", "missing text"),
      without(1, "advice", "rules[1].advice", "missing text"),
      without(1, "reason", "rules[1].reason", "missing text"),
      at("/rules/0/reason", "\"{valeu}\"", "rules[0].reason", "{valeu}"),
      at("/rules/0/reason", "\"open {\"", "rules[0].reason", "braces"),
      at("/rules/0/text", "\"two\\nlines\"", "rules[0].text", "one line"),
      {[](Json& j) { j["rules"][0]["advice"] = std::string(161, 'x'); }, "rules[0].advice", "at most 160"},
  });
}

TEST_CASE("playbook: files that are none") {
  CHECK_THROWS_WITH_AS(read_playbook("no/such/playbook.json"), doctest::Contains("no/such/playbook.json"), Error);
  CHECK_THROWS_WITH_AS(read_playbook(std::string(SERENE_SOURCE_DIR) + "/README.md"), doctest::Contains("README.md"),
                       Error);
  CHECK_THROWS_WITH_AS(read_playbook(std::string(SERENE_SOURCE_DIR) + "/configs/smoke.json"),
                       doctest::Contains("smoke.json: rules: missing key"), Error);
}

TEST_CASE("playbook: weights by state; a slip of the pen is found, a state that the model lacks is not one") {
  const Playbook p = one_rule(R"("signal":{"states":{"angry":1,"disgust":0.5}})");
  CHECK(state_weights(p.rules[0], {"sad", "angry"}) == std::vector<double>{0, 1});
  CHECK(state_weights(p.rules[0], {"disgust", "angry"}) == std::vector<double>{0.5, 1});
  const Playbook slip = one_rule(R"("signal":{"states":{"angrry":1}})");
  CHECK_THROWS_WITH_AS(state_weights(slip.rules[0], {"sad", "angry"}),
                       "rule one: signal.states.angrry: unknown state (expected one of sad, angry)", Error);
  CHECK(state_weights(slip.rules[0], {"angrry"}) == std::vector<double>{1});
}

TEST_CASE("playbook: reasons carry their numbers") {
  Rule rule;
  rule.reason = "anger {value} ({percent}) for {duration} s, {value}";
  CHECK(reason_text(rule, 0.736, 4600) == "anger 0.74 (74 %) for 5 s, 0.74");
  CHECK(reason_text(rule, std::nan(""), 0) == "anger 0.00 (0 %) for 0 s, 0.00");
  rule.signal = SignalKind::silence;
  rule.reason = "quiet for {value} s";
  CHECK(reason_text(rule, 8.02, 20) == "quiet for 8 s");
}
