// Hyper-parameter search by the validation part: random search, or synchronous successive halving (sweep_halving.h),
// several trials at once, everything resumable. See sweep_space.h for what is searched, sweep_trial.h for the files.
//
// Results are a pure function of (config, space, options, data): the same for any number of jobs and threads, in one
// sitting or in many, by one process or by one per trial.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "serene/train/sweep_importance.h"
#include "serene/train/sweep_trial.h"

namespace serene {

// Where a trial stands. Scores are mean validation UARs over its runs.
struct SweepStanding {
  std::size_t trial = 0;
  int rung = -1;              // the last one it finished; -1: not there yet
  std::int64_t epochs = 0;    // done within that rung's budget
  double score = 0;           // at the end of that rung; NaN when it failed
  double first_score = 0;     // at the end of the first rung, which all trials finish
  double seconds = 0;         // of training; the only figure that depends on the machine
  std::string failure;        // why it has no score
  std::vector<double> curve;  // validation UAR after each of these epochs, mean over the runs that got there
};

struct SweepResults {
  std::vector<SweepStanding> ranked;        // the best first: later rungs before earlier ones, then by score
  std::size_t missing = 0;                  // trials that have not finished the first rung
  bool complete = false;                    // nothing is left to train
  std::vector<SweepImportance> importance;  // of first scores; the largest share first

  // The best trial that has a score, or null.
  const SweepStanding* best() const;
};

// Refers to the plan, whose data must be loaded; it must outlive the sweep.
class Sweep {
 public:
  // plan must outlive it; folder: of the search, with one folder for each trial.
  Sweep(const SweepPlan& plan, const std::string& folder) : plan_(plan), store_(folder) {}

  // A trial has finished a rung. Called by one thread at a time.
  using OnTrial = std::function<void(const SweepTrial& trial, const SweepStanding& standing)>;

  // Trains everything that is missing: `jobs` trials at once with threads / jobs threads each (at least one). An error
  // of one trial stops the others after their epoch and is thrown. Not while run_one is at work in the same folder.
  void run(int jobs, int threads, const OnTrial& on_trial = {});

  // Trains one trial as far as the results of the others on disk let it: one rung when they are not all there yet.
  // For many processes side by side; call it again for each rung. Throws Error(usage) for a number out of range.
  void run_one(std::size_t trial, ThreadPool& pool, const OnTrial& on_trial = {});

  // What the folder holds.
  SweepResults results() const;

 private:
  void run_rung(const std::vector<std::size_t>& members, std::size_t rung, int jobs, int threads,
                const OnTrial& on_trial);

  const SweepPlan& plan_;
  SweepStore store_;
};

// Members of each rung, as far as the records decide it: all but the last rung are complete. Exposed for tests.
std::vector<std::vector<std::size_t>> sweep_rungs(const SweepPlan& plan, const std::vector<SweepRecord>& records);

}  // namespace serene
