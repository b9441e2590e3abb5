// How a call is heard, as JSON; states made of labels.
#include "serene/call/call_config.h"

#include <doctest/doctest.h>

#include <string>

#include "serene/call/event.h"

using namespace serene;

namespace {

CallConfig config_of(const std::string& text) {
  const Json json = parse_json(text, "call.json");
  JsonReader reader(json, "");
  return call_config_from_json(reader);
}

std::string fault_of(const std::string& text) {
  try {
    config_of(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

const std::vector<std::string> kRavdess = {"neutral", "calm",    "happy",   "sad",
                                           "angry",   "fearful", "disgust", "surprised"};

}  // namespace

TEST_CASE("the call's config that ships holds the defaults") {
  const Json shipped = read_json_file(std::string(SERENE_SOURCE_DIR) + "/configs/call/call.json");
  CHECK(shipped == to_json(CallConfig{}));
  JsonReader reader(shipped, "");
  CHECK(to_json(call_config_from_json(reader)) == shipped);
  CHECK(to_json(config_of("{}")) == shipped);
}

TEST_CASE("every fault of the call's config names its key") {
  const std::pair<const char*, const char*> faults[] = {
      {R"({"windw_s": 3})", "windw_s"},
      {R"({"window_s": "3"})", "window_s"},
      {R"({"window_s": 1e9})", "window_s"},
      {R"({"window_s": 2, "min_window_s": 2.5})", "min_window_s"},
      {R"({"hop_s": 0})", "hop_s"},
      {R"({"uncertain_below": 0.6, "certain_above": 0.5})", "certain_above"},
      {R"({"switch_windows": 1.5})", "switch_windows"},
      {R"({"voice_activity": {"threshold": 3}})", "voice_activity.threshold"},
      {R"({"voice_activity": 3})", "voice_activity"},
      {R"({"model": {"normalisation": "voice"}})", "model.normalisation"},
      {R"({"model": {"prior_s": 0}})", "model.prior_s"},
      {R"({"model": {"prior": 1}})", "model.prior"},
      {R"({"states": {}})", "states"},
      {R"({"states": [{"name": "x", "labels": ["angry"]}, 3]})", "states[1]"},
      {R"({"states": [{"name": "x", "labels": []}]})", "states[0].labels"},
      {R"({"states": [{"name": "", "labels": ["angry"]}]})", "states[0].name"},
      {R"({"states": [{"name": "x", "labels": ["angry"], "negative": 2}]})", "states[0].negative"},
  };
  for (const auto& [config, key] : faults) {
    const std::string text = config, place = key;
    const std::string fault = fault_of(text);
    CHECK_MESSAGE(fault.find(place) != std::string::npos, text << " gives: " << fault);
    CHECK(fault.find('\n') == std::string::npos);
  }
}

TEST_CASE("states: neutral and calm are one, the others stand alone with usual weights") {
  const auto states = resolve_states({}, kRavdess);
  REQUIRE(states.size() == 7);
  CHECK(states[0].name == "neutral");
  CHECK(states[0].labels == std::vector<std::string>{"neutral", "calm"});
  CHECK(states[3].name == "angry");
  CHECK(states[3].negative == 1);
  CHECK(resolve_states({}, {"calm", "angry"})[0].name == "neutral");
}

TEST_CASE("states of a config: labels that the model lacks go, those that nobody named stay") {
  CallConfig c;
  c.states = {{"tense", {"angry", "disgust", "rage"}, 0.9}, {"bored", {"boredom"}, 0.3}};
  const auto states = resolve_states(c, kRavdess);
  REQUIRE(states.size() == 7);
  CHECK(states[0].name == "tense");
  CHECK(states[0].labels == std::vector<std::string>{"angry", "disgust"});
  CHECK(states[1].name == "neutral");
  CHECK(states[2].name == "calm");
  const auto refused = [&](std::vector<StateGroup> groups) {
    c.states = std::move(groups);
    CHECK_THROWS_AS(resolve_states(c, kRavdess), Error);
  };
  refused({{"a", {"angry"}, 0}, {"b", {"angry"}, 0}});
  refused({{"a", {"angry"}, 0}, {"a", {"sad"}, 0}});
  refused({{"uncertain", {"angry"}, 0}});
  refused({{"no_speech", {"angry"}, 0}});
  refused({{"calm", {"angry"}, 0}});  // takes the name of a label that stands alone
  std::vector<std::string> many;
  for (int i = 0; i <= max_states; ++i) many.push_back("l" + std::to_string(i));
  CHECK_THROWS_AS(resolve_states({}, many), Error);
}
