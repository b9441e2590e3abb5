// One trial of a search: its runs over folds and seeds, what they reached, and its files.
//
//   trials/trial-0003.json                      key, values and the history of every run, written after each rung
//   trials/trial-0003-fold0-seed1.safetensors   state of a run that is not at its end, to go on exactly
//
// The learning-rate schedule is always that of the full number of epochs: a rung ends early, it does not shorten the
// run. All files are written atomically; a search that is killed at any moment goes on with what is there.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "serene/train/sweep_plan.h"

namespace serene {

struct SweepRun {
  int fold = 0;
  std::uint64_t seed = 0;
  std::vector<EpochRecord> history;
  bool ended = false;   // all epochs done, or stopped early: there is nothing more to train
  std::string failure;  // why it cannot go on (divergence), after the epochs of `history`
  double seconds = 0;   // of training, all sittings together

  bool complete(std::int64_t budget) const;  // nothing is left to train within so many epochs
};

// Runs in the order of folds and, within a fold, of seeds.
struct SweepRecord {
  std::vector<SweepRun> runs;

  bool complete(std::int64_t budget) const;        // every run; false without runs
  std::int64_t epochs(std::int64_t budget) const;  // of the longest run within the budget
  double seconds() const;                          // of training, all runs together
  std::string failure(std::int64_t budget) const;  // of the first run that failed within the budget
};

// Validation UAR of the weights that the run would end with if it ended after `budget` epochs (or where it stopped
// early): of the best epoch by train.select_best_by, or of the last one when train.early_stopping.restore_best is
// false. NaN when the run failed before or is not there yet.
double run_score(const SweepRun& run, std::int64_t budget, bool restore_best);
double trial_score(const SweepRecord& record, std::int64_t budget, bool restore_best);  // mean over the runs

class SweepStore {
 public:
  explicit SweepStore(const std::string& folder) : folder_(folder + "/trials") {}  // of the search

  void make_folder() const;  // where there is none
  void clean() const;        // removes what killed writers left; only while nobody else writes there
  // The trial's results, or runs without any epoch when there are none or they are of another key. Throws Error for a
  // damaged file.
  SweepRecord load(const SweepPlan& plan, const SweepTrial& trial) const;
  void save(const SweepPlan& plan, const SweepTrial& trial, const SweepRecord& record) const;

  // A run as it stands, to go on from there. Throws Error(input) when it cannot be written.
  void save_state(const SweepTrial& trial, const SweepRun& run, const Experiment& experiment) const;
  // Puts the stored state of this run into the experiment; true when there was one that fits. A damaged one is passed
  // over: the run starts again.
  bool load_state(const SweepTrial& trial, SweepRun& run, Experiment& experiment) const;
  void remove_states(const SweepTrial& trial, const SweepRecord& record) const;
  void remove_state(const SweepTrial& trial, const SweepRun& run) const;

 private:
  std::string record_file(const SweepTrial& trial) const;
  std::string state_file(const SweepTrial& trial, const SweepRun& run) const;

  std::string folder_;
};

// Trains what is missing of the trial up to `budget` epochs in every run, and stores it. When *stop turns true it
// leaves after the present epoch, with everything stored. Throws Error(internal) for a split that has a test part.
SweepRecord advance_trial(const SweepPlan& plan, const SweepTrial& trial, std::int64_t budget, const SweepStore& store,
                          ThreadPool& pool, const std::atomic<bool>& stop);

}  // namespace serene
