#include "serene/call/scenario.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

namespace {

Scenario read(const std::string& text) {
  const Json json = parse_json(text, "s.json");
  JsonReader reader(json, "");
  return scenario_from_json(reader);
}

// A scenario with one good turn after the given keys.
std::string with_turn(const std::string& keys) {
  return "{" + keys + R"("turns": [{"leg": "customer", "emotion": "sad"}]})";
}

// A scenario whose second turn is the given one.
std::string second(const std::string& turn) {
  return R"({"turns": [{"leg": "agent", "text": "Hello"}, )" + turn + "]}";
}

}  // namespace

TEST_CASE("a scenario is read with its defaults") {
  const Scenario s = read(R"({"turns": [{"leg": "agent", "text": "Hello"},
      {"leg": "customer", "emotion": "angry", "clips": 3, "pause_s": 1.5, "gap_s": 0.1, "gain_db": -6, "text": "No!"},
      {"leg": "agent", "file": "answer.wav", "overlap_s": 0.5}]})");
  CHECK(s.title == "call");
  CHECK(s.rate_hz == 16000);
  CHECK(s.seed == 1);
  CHECK_FALSE(s.hang_up);
  CHECK_FALSE(s.telephone.has_value());
  CHECK(s.noise.type == NoiseConfig::Type::none);
  CHECK(s.voices[0].speaker == "any");
  REQUIRE(s.turns.size() == 3);
  CHECK(s.turns[0].leg == Leg::agent);
  CHECK(s.turns[0].pause_s == 0.4);
  CHECK(s.turns[1].clips == 3);
  CHECK(s.turns[1].gain_db == -6);
  CHECK(s.turns[2].overlap_s == 0.5);
  CHECK(s.turns[2].pause_s == 0);
}

TEST_CASE("every key of a scenario arrives") {
  const Scenario s = read(with_turn(R"("title": "T", "seed": 9, "rate_hz": 8000, "level": "clip", "level_dbfs": -20,
      "customer": {"speaker": "ravdess-03", "voice": "en+m3"}, "agent": {"speaker": "espeak"},
      "noise": {"type": "babble", "snr_db": 12}, "telephone": {"codec": "alaw", "loss": 0.1}, "ends": "hang_up", )"));
  CHECK(s.title == "T");
  CHECK(s.seed == 9);
  CHECK(s.level == LevelMode::clip);
  CHECK(s.voices[0].voice == "en+m3");
  CHECK(s.voices[1].speaker == "espeak");
  CHECK(s.noise.snr_db == 12);
  REQUIRE(s.telephone.has_value());
  CHECK(s.telephone->codec == Codec::alaw);
  CHECK(s.hang_up);
}

TEST_CASE("a broken scenario is refused with the path of the key") {
  const std::string big = "1e9";
  const std::pair<std::string, std::string> cases[] = {
      {R"([])", "wrong type"},
      {R"({})", "turns: missing key"},
      {R"({"turns": {}})", "turns: wrong type"},
      {R"({"turns": []})", "turns: empty"},
      {R"({"turns": [7]})", "turns[0]: wrong type"},
      {R"({"turns": [{}]})", "turns[0].leg: missing key"},
      {R"({"turns": [{"leg": "boss", "text": "x"}]})", "turns[0].leg: unknown value"},
      {R"({"turns": [{"leg": 1, "text": "x"}]})", "turns[0].leg: wrong type"},
      {R"({"turns": [{"leg": "agent"}]})", "turns[0]: says nothing"},
      {R"({"turns": [{"leg": "agent", "text": "x", "overlap_s": 1}]})", "turns[0].overlap_s: nothing is said"},
      {second(R"({"leg": "customer", "emotion": 3})"), "turns[1].emotion: wrong type"},
      {second(R"({"leg": "customer", "emotion": "", "text": "x"})"), "turns[1].emotion: empty"},
      {second(R"({"leg": "customer", "emotion": "sad", "clips": 0})"), "turns[1].clips: out of range"},
      {second(R"({"leg": "customer", "emotion": "sad", "clips": 100000})"), "turns[1].clips: out of range"},
      {second(R"({"leg": "customer", "emotion": "sad", "clips": 1.5})"), "turns[1].clips: wrong type"},
      {second(R"({"leg": "customer", "text": "x", "clips": 2})"), "turns[1].clips: clips of which emotion"},
      {second(R"({"leg": "customer", "file": "x.wav", "clips": 2})"), "turns[1].clips: a turn with a file"},
      {second(R"({"leg": "customer", "text": "x", "pause_s": -1})"), "turns[1].pause_s: out of range"},
      {second(R"({"leg": "customer", "text": "x", "pause_s": )" + big + "}"), "turns[1].pause_s: out of range"},
      {second(R"({"leg": "customer", "text": "x", "pause_s": 1, "overlap_s": 1})"), "turns[1].overlap_s: a turn has"},
      {second(R"({"leg": "customer", "text": "x", "overlap_s": )" + big + "}"), "turns[1].overlap_s: out of range"},
      {second(R"({"leg": "customer", "text": "x", "gain_db": 300})"), "turns[1].gain_db: out of range"},
      {second(R"({"leg": "customer", "text": "x", "gap_s": "long"})"), "turns[1].gap_s: wrong type"},
      {second(R"({"leg": "customer", "text": "a\u0000b"})"), "turns[1].text: contains a zero byte"},
      {second(R"({"leg": "customer", "text": ")" + std::string(3000, 'x') + "\"}"), "turns[1].text: too long"},
      {second(R"({"leg": "customer", "text": "x", "file": ""})"), "turns[1].file: empty"},
      {second(R"({"leg": "customer", "text": "x", "emotoin": "sad"})"), "turns[1].emotoin: unknown key"},
      {with_turn(R"("seed": -1, )"), "seed: out of range"},
      {with_turn(R"("rate_hz": 1000000000, )"), "rate_hz: out of range"},
      {with_turn(R"("rate_hz": 8001, )"), "rate_hz: not a multiple"},
      {with_turn(R"("level": "loud", )"), "level: unknown value"},
      {with_turn(R"("level_dbfs": 3, )"), "level_dbfs: out of range"},
      {with_turn(R"("customer": [], )"), "customer: wrong type"},
      {with_turn(R"("customer": {"speaker": ""}, )"), "customer.speaker: empty"},
      {with_turn(R"("agent": {"voice": "en; rm"}, )"), "agent.voice: not the name"},
      {with_turn(R"("agent": {"voice": "-x"}, )"), "agent.voice: not the name"},
      {with_turn(R"("agent": {"mood": "angry"}, )"), "agent.mood: unknown key"},
      {with_turn(R"("noise": {"type": "brown"}, )"), "noise.type: unknown value"},
      {with_turn(R"("noise": {"type": "file"}, )"), "noise.file: missing key"},
      {with_turn(R"("noise": {"type": "pink", "file": "x.wav"}, )"), "noise.file: belongs"},
      {with_turn(R"("noise": {"type": "pink", "snr_db": 1e999}, )"), ""},
      {with_turn(R"("telephone": {"loss": 1.5}, )"), "telephone.loss: out of range"},
      {with_turn(R"("telephone": {"rate_hz": 16000, "codec": "mulaw"}, )"), "telephone.codec"},
      {with_turn(R"("ends": "badly", )"), "ends: unknown value"},
      {with_turn(R"("extra": 1, )"), "extra: unknown key"},
  };
  for (const auto& [text, wanted] : cases) {
    CAPTURE(text.substr(0, 200));
    const std::string error = error_of([&, &t = text] { read(t); });
    REQUIRE(!error.empty());
    CHECK(error.find('\n') == std::string::npos);
    CHECK_MESSAGE(error.starts_with(wanted), error);
  }
}

TEST_CASE("absurd sizes are refused before anything is rendered") {
  std::string many = R"({"turns": [)", longest = many;
  for (int i = 0; i < 100'000; ++i) many += R"({"leg":"agent","text":"x"},)";
  many.back() = ']';
  CHECK(error_of([&] { read(many + "}"); }).starts_with("turns: too many (expected at most 500, got 100000)"));
  for (int i = 0; i < 10; ++i) longest += R"({"leg":"agent","text":"x","pause_s":600},)";
  longest.back() = ']';
  CHECK(error_of([&] { read(longest + "}"); }).starts_with("turns[6]: the pauses so far are longer"));
}

TEST_CASE("a scenario file: its folder, its name, its errors") {
  const TempFolder folder;
  const std::string path = folder / "evening_call.json";
  std::ofstream(path) << with_turn("");
  const Scenario s = read_scenario(path);
  CHECK(s.title == "evening_call");
  CHECK(s.folder == folder.path());
  std::ofstream(path) << with_turn(R"("seed": "x", )");
  CHECK(error_of([&] { read_scenario(path); }).find("evening_call.json: seed: wrong type") != std::string::npos);
  CHECK(error_of([&] { read_scenario(folder / "none.json"); }).find("cannot be opened") != std::string::npos);
  std::ofstream(path) << "{" << std::string(2 << 20, ' ') << "}";
  CHECK(error_of([&] { read_scenario(path); }).find("too large") != std::string::npos);
}

TEST_CASE("the scenarios that ship can be read") {
  const std::filesystem::path folder = std::filesystem::path(SERENE_SOURCE_DIR) / "configs/call/scenarios";
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    CAPTURE(entry.path().string());
    const Scenario s = read_scenario(entry.path().string());
    CHECK(s.turns.size() >= 6);
    CHECK(s.title != entry.path().stem().string());
    ++count;
  }
  CHECK(count >= 5);
}
