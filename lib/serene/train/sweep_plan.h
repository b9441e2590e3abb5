// A hyper-parameter search before it trains: every trial's config, read and checked; its clips; its key.
//
// Trials are compared by the validation part alone. The test part of every split is emptied here, so that nothing that
// follows could look at a test clip even by mistake; the clips' labels and sounds have no part in any key either.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serene/train/experiment.h"
#include "serene/train/sweep_space.h"

namespace serene {

enum class SweepMethod { random, halving };

struct SweepOptions {
  std::size_t trials = 20;  // 1 .. most_trials
  SweepMethod method = SweepMethod::random;
  std::int64_t eta = 3;         // halving: one of eta trials goes on, for eta times the epochs
  std::int64_t min_epochs = 0;  // halving: epochs of the first rung; 0 = those of the config / eta^2
  std::uint64_t seed = 0;       // of the draws
  std::int64_t seeds = 1;       // runs of each trial and fold: the config's seed and those after it
};
inline constexpr std::size_t most_sweep_trials = 10000;  // of one search

// Takes the place of what the space's file says.
struct SweepChoice {
  std::string protocol;    // "" = the space's, else the config's
  std::vector<int> folds;  // empty = the space's, else the config's fold
};

// Features of the corpus and the folds to train on; trials with equal feature configs share one.
struct SweepData {
  FeatureSet features;
  std::vector<Split> splits;  // test parts emptied
  std::string sum;            // SHA-256 over training and validation clips: ids, labels, sounds
};

struct SweepTrial {
  std::size_t number = 0;
  TrialValues values;
  RunConfig config;
  const SweepData* data = nullptr;
  std::string key;  // SHA-256 of config, values, clips and number of seeds: results of another key are stale
};

// Whom the search does not hear, by name and sorted.
struct SweepSpeakers {
  std::vector<std::string> tested;  // in the test part of a fold of the search
  std::vector<std::string> unused;  // ... and in no training or validation part of its other folds
};

struct SweepPlan {
  SweepSpace space;
  SweepOptions options;
  RunConfig base;                     // the config without any trial's values
  std::vector<std::int64_t> budgets;  // epochs at the end of each rung; random search: one, each trial's own
  std::vector<std::unique_ptr<SweepData>> data;
  std::vector<SweepTrial> trials;
  SweepSpeakers speakers;

  std::int64_t budget(const SweepTrial& trial, std::size_t rung) const;  // epochs at the end of a rung
};

// Draws all trials and reads their configs: the file with `overrides` (as in --set) and then the trial's values, so
// that an unknown key or a value that the config refuses is found before anything is trained; errors name the space's
// file, the trial and the key. The choice's protocol and folds stand before the space's, and these before the config's.
SweepPlan plan_sweep(const std::string& config_path, std::vector<std::string> overrides, const std::string& space_path,
                     const SweepOptions& options, const SweepChoice& choice = {});

// Loads features for every different feature config among the trials (at most 16), makes the splits, builds every
// trial's model once to see that it fits, and makes the keys. Throws Error: a protocol that mixes speakers, a fold that
// is not there, no validation part, a model that cannot be built.
using FeatureLoader = std::function<FeatureSet(const RunConfig& config)>;
void load_sweep_data(SweepPlan& plan, const FeatureLoader& load, const std::string& space_path);

// The split of a search: its test part left empty.
Split without_test(Split split);

}  // namespace serene
