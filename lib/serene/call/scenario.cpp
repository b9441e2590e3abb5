#include "serene/call/scenario.h"

#include <algorithm>
#include <filesystem>

namespace serene {
namespace {

constexpr std::int64_t kMostClips = 40;
constexpr std::size_t kMostText = 2000, kMostName = 200;
const std::vector<std::string> kNoises = {"none", "white", "pink", "babble", "file"};
const std::vector<std::string> kLevels = {"leg", "clip", "original"};

template <class E>
E choice_of(JsonReader& r, const std::string& key, const std::vector<std::string>& words, E fallback) {
  const std::string word = r.choice(key, words, words[static_cast<std::size_t>(fallback)]);
  return static_cast<E>(std::find(words.begin(), words.end(), word) - words.begin());
}

std::string short_text(JsonReader& r, const std::string& key, std::size_t most, const std::string& fallback = "") {
  std::string text = r.text(key, fallback);
  if (text.size() > most) {
    throw r.error(key, "too long")
        .expected("at most " + std::to_string(most) + " bytes")
        .got(std::to_string(text.size()));
  }
  if (text.find('\0') != std::string::npos) throw r.error(key, "contains a zero byte");
  return text;
}

LegVoice voice_from_json(JsonReader r) {
  LegVoice v;
  v.speaker = short_text(r, "speaker", kMostName, v.speaker);
  if (v.speaker.empty()) throw r.error("speaker", "empty").expected("\"any\" or a speaker's name");
  v.voice = short_text(r, "voice", 60);
  const bool plain = std::all_of(v.voice.begin(), v.voice.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
           c == '_';
  });
  if (!plain || v.voice.starts_with("-")) {
    throw r.error("voice", "not the name of a voice").expected("such as \"en-us+f3\"").got(printable(v.voice, 40));
  }
  r.finish();
  return v;
}

NoiseConfig noise_from_json(JsonReader r) {
  NoiseConfig n;
  n.type = choice_of(r, "type", kNoises, n.type);
  n.file = short_text(r, "file", 4096);
  n.snr_db = r.number_in("snr_db", -20, 100, n.snr_db);
  if (n.type == NoiseConfig::Type::file && n.file.empty())
    throw r.error("file", "missing key").hint("type is \"file\"");
  if (n.type != NoiseConfig::Type::file && !n.file.empty()) {
    throw r.error("file", "belongs to noise of type \"file\" alone");
  }
  r.finish();
  return n;
}

// What a turn may not be, beyond the range of each value.
void check_turn(const JsonReader& r, const Turn& t, bool first) {
  if (t.emotion.empty() && t.file.empty() && t.text.empty()) {
    throw r.error("", "says nothing").expected("an emotion, a file or a text");
  }
  if (!t.file.empty() && r.has("clips")) throw r.error("clips", "a turn with a file has no clips");
  if (t.emotion.empty() && r.has("clips")) throw r.error("clips", "clips of which emotion is not said");
  if (r.has("emotion") && t.emotion.empty()) throw r.error("emotion", "empty");
  if (r.has("file") && t.file.empty()) throw r.error("file", "empty");
  if (r.has("overlap_s") && r.has("pause_s")) throw r.error("overlap_s", "a turn has a pause or an overlap, not both");
  if (first && t.overlap_s > 0) throw r.error("overlap_s", "nothing is said before the first turn");
}

Turn turn_from_json(JsonReader r, bool first) {
  Turn t;
  const std::string leg = r.text("leg");
  if (leg != "customer" && leg != "agent") {
    throw r.error("leg", "unknown value").expected("\"customer\" or \"agent\"").got("\"" + printable(leg, 40) + "\"");
  }
  t.leg = leg == "customer" ? Leg::customer : Leg::agent;
  t.emotion = short_text(r, "emotion", kMostName);
  t.clips = static_cast<int>(r.integer_in("clips", 1, kMostClips, t.clips));
  t.text = short_text(r, "text", kMostText);
  t.file = short_text(r, "file", 4096);
  t.overlap_s = r.number_in("overlap_s", 0, 60, 0);
  t.pause_s = r.number_in("pause_s", 0, 600, t.overlap_s > 0 ? 0 : t.pause_s);
  t.gap_s = r.number_in("gap_s", 0, 10, t.gap_s);
  t.gain_db = r.number_in("gain_db", -60, 30, 0);
  check_turn(r, t, first);
  r.finish();
  return t;
}

std::vector<Turn> turns_from_json(JsonReader& r) {
  const Json& list = r.raw("turns");
  if (!list.is_array()) throw r.error("turns", "wrong type").expected("array").got(json_type(list));
  if (list.empty()) throw r.error("turns", "empty").expected("at least one turn");
  if (list.size() > max_scenario_turns) {
    throw r.error("turns", "too many")
        .expected("at most " + std::to_string(max_scenario_turns))
        .got(std::to_string(list.size()));
  }
  std::vector<Turn> turns;
  double silence = 0;
  for (const Json& item : list) {
    const std::string place = r.path_of("turns[" + std::to_string(turns.size()) + "]");
    turns.push_back(turn_from_json(JsonReader(item, place), turns.empty()));
    const Turn& t = turns.back();
    silence += t.pause_s + (t.clips - 1) * t.gap_s;
    if (silence > max_scenario_s) {
      throw Error(ErrorCode::input, place, "the pauses so far are longer than a call may be")
          .expected("at most " + Json(max_scenario_s).dump() + " s")
          .got(Json(silence).dump() + " s");
    }
  }
  return turns;
}

}  // namespace

Scenario scenario_from_json(JsonReader& r) {
  Scenario s;
  s.title = printable(short_text(r, "title", kMostName, "call"));
  s.seed = static_cast<std::uint64_t>(r.integer_in("seed", 0, std::int64_t{1} << 53, 1));
  s.rate_hz = static_cast<int>(r.integer_in("rate_hz", 8000, 48000, s.rate_hz));
  if (s.rate_hz % 50 != 0) throw r.error("rate_hz", "not a multiple of 50").got(std::to_string(s.rate_hz));
  s.level = choice_of(r, "level", kLevels, s.level);
  s.level_dbfs = r.number_in("level_dbfs", -60, -6, s.level_dbfs);
  if (r.has("customer")) s.voices[0] = voice_from_json(r.object("customer"));
  if (r.has("agent")) s.voices[1] = voice_from_json(r.object("agent"));
  if (r.has("noise")) s.noise = noise_from_json(r.object("noise"));
  if (r.has("telephone")) {
    JsonReader line = r.object("telephone");
    s.telephone = telephone_from_json(line);
  }
  s.turns = turns_from_json(r);
  s.hang_up = r.choice("ends", {"goodbye", "hang_up"}, "goodbye") == "hang_up";
  r.finish();
  return s;
}

Scenario read_scenario(const std::string& path) {
  const Json json = read_json_file(path, std::size_t{1} << 20);
  return with_context(path, [&] {
    JsonReader reader(json, "");
    Scenario s = scenario_from_json(reader);
    s.folder = std::filesystem::path(path).parent_path().string();
    if (!reader.has("title")) s.title = printable(std::filesystem::path(path).stem().string(), 80);
    return s;
  });
}

}  // namespace serene
