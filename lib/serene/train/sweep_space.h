// The space of a hyper-parameter search: which keys of a config vary, and over which values.
//
//   {"protocol": "ravdess-luna5", "folds": [0],                                    both optional
//    "train.optimizer.learning_rate": {"log_uniform": [1e-4, 1e-2]},               number, uniform in its logarithm
//    "train.loss.label_smoothing": {"uniform": [0, 0.2]},                          number
//    "model.layers.lstm.units": {"log_int": [16, 256]},                            integer, both ends included
//    "train.optimizer.type": {"choice": ["adam", "sgd"]},                          any JSON values, whole objects too
//    "train.optimizer.momentum": {"uniform": [0.5, 0.99], "when": {"train.optimizer.type": "sgd"}}}
//
// Keys are paths as in --set. A key with "when" exists only in trials where the other keys (choices of the same space)
// have these values. Random search over such a space: Bergstra & Bengio, Random search for hyper-parameter
// optimization, JMLR 2012.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "serene/core/json.h"

namespace serene {

struct SweepDimension {
  enum class Kind { uniform, log_uniform, integer, log_integer, choice };

  std::string key;
  Kind kind = Kind::choice;
  double low = 0, high = 0;                                // of numbers
  std::vector<Json> choices;                               // of a choice
  std::vector<std::pair<std::string, Json>> when;          // all must hold; none: always there
  bool is_choice() const { return kind == Kind::choice; }  // values are a list
  bool is_log() const { return kind == Kind::log_uniform || kind == Kind::log_integer; }  // drawn by order of magnitude
};

struct SweepSpace {
  std::string protocol;    // "" = the config's
  std::vector<int> folds;  // empty = the config's
  std::vector<SweepDimension> dimensions;

  const SweepDimension& at(const std::string& key) const;  // throws Error(internal) for an unknown key
};

// Values of one trial, beside SweepSpace::dimensions; nothing where the key does not exist in this trial.
using TrialValues = std::vector<std::optional<Json>>;

// Strict: an unknown kind, an empty or reversed range, a logarithm of nothing positive, the same choice twice, a "when"
// that can never hold or that turns in a circle, a key that would make trials incomparable (seed, name, labels, split,
// the corpus) throw Error naming the key. At most 64 keys.
SweepSpace sweep_space_from_json(const Json& json);
SweepSpace read_sweep_space(const std::string& path);  // errors name the file

// A pure function of (space, seed, trial): more trials keep the first ones, and another key of the space leaves the
// values of this one as they are. Numbers that are not integers have six significant digits.
TrialValues draw_trial(const SweepSpace& space, std::uint64_t seed, std::uint64_t trial);

// "train.optimizer.learning_rate=0.003" for apply_override; whole objects before the keys inside them.
std::vector<std::string> trial_overrides(const SweepSpace& space, const TrialValues& values);
// One assignment that gives `key` a value of its range, with those that make the key exist: to see whether the config
// knows it although no trial drew it.
std::vector<std::string> probe_overrides(const SweepSpace& space, const std::string& key);

// {"train.optimizer.learning_rate": 0.003, ...}, existing keys alone.
Json values_to_json(const SweepSpace& space, const TrialValues& values);
// The last part of each key, or as many parts as tell it from the others.
std::vector<std::string> short_keys(const SweepSpace& space);
// For tables: four significant digits, text without quotes, at most 40 characters; "-" for nothing.
std::string value_text(const std::optional<Json>& value);

}  // namespace serene
