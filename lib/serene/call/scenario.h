// A simulated call as a file: who speaks when, how, over which noise and line (configs/call/scenarios/*.json).
//
//   {"title": "...", "seed": 1, "rate_hz": 16000, "level": "leg", "level_dbfs": -26,
//    "customer": {"speaker": "any", "voice": "en-us+f3"}, "agent": {...},
//    "noise": {"type": "white"|"pink"|"babble"|"file", "file": "street.wav", "snr_db": 20},
//    "telephone": {"codec": "mulaw", "band_pass": true, "loss": 0.02, ...},
//    "turns": [{"leg": "customer", "emotion": "angry", "clips": 3, "text": "...", "pause_s": 0.4, "gap_s": 0.25,
//               "gain_db": 0},
//              {"leg": "agent", "file": "answer.wav", "overlap_s": 0.5}],
//    "ends": "goodbye"|"hang_up"}
//
// Only turns is required. A turn has an emotion (so many clips of that emotion, or the text spoken so), a file
// (relative to the scenario's folder), or a text alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "serene/audio/telephone.h"
#include "serene/call/event.h"
#include "serene/core/json.h"

namespace serene {

struct Turn {
  Leg leg = Leg::customer;
  std::string emotion;   // as written; whether the word exists is for the ClipSource to say
  int clips = 1;         // different clips of that emotion in a row
  std::string text;      // what a synthetic voice says
  std::string file;      // as written
  double pause_s = 0.4;  // silence after the end of all that was said before
  double overlap_s = 0;  // instead of a pause: starts so long before that end, but after the leg's own last word
  double gap_s = 0.25;   // between two clips of the turn
  double gain_db = 0;
};

// Whose voice a leg has, for the whole call.
struct LegVoice {
  std::string speaker =
      "any";          // of a corpus: "any", "female", "male", a name such as "ravdess-03"; "espeak": synthetic
  std::string voice;  // of the synthetic speaker; "": the source's choice
};

struct NoiseConfig {
  enum class Type { none, white, pink, babble, file };
  Type type = Type::none;
  std::string file;
  double snr_db = 20;  // mean level of the leg's speech, before the turns' gains, over that of the noise
};

// How loud a clip becomes: each clip at level_dbfs; or one gain per leg, so that its clips have it on average and loud
// feelings stay louder than quiet ones; or as recorded.
enum class LevelMode { leg, clip, original };

struct Scenario {
  std::string title;
  std::uint64_t seed = 1;
  int rate_hz = 16000;
  LevelMode level = LevelMode::leg;
  double level_dbfs = -26;  // RMS of speech: the nominal level of ITU-T P.56
  std::array<LegVoice, leg_count> voices;
  NoiseConfig noise;
  std::optional<TelephoneConfig> telephone;
  std::vector<Turn> turns;
  bool hang_up = false;
  std::string folder;  // in which relative files lie; "": the working directory
};

inline constexpr int max_scenario_turns = 500;  // more are refused
inline constexpr double max_scenario_s = 3600;  // of a whole call

// Reads every key by name and calls finish(). Unknown keys, wrong types, values out of range, turns that cannot be, and
// calls longer than max_scenario_s by their pauses alone throw Error with the key's path ("turns[3].overlap_s: ...").
Scenario scenario_from_json(JsonReader& reader);
// A file of at most 1 MiB; errors name it too.
Scenario read_scenario(const std::string& path);

}  // namespace serene
