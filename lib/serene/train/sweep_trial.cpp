#include "serene/train/sweep_trial.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "serene/io/atomic_file.h"

namespace serene {
namespace {

namespace fs = std::filesystem;

constexpr double seconds_between_saves = 15;
constexpr const char* key_note = "sweep_key";
constexpr const char* seconds_note = "sweep_seconds";

double not_a_number() { return std::numeric_limits<double>::quiet_NaN(); }

std::vector<SweepRun> empty_runs(const SweepPlan& plan, const SweepTrial& trial) {
  std::vector<SweepRun> runs;
  for (const Split& split : trial.data->splits) {
    for (std::int64_t s = 0; s < plan.options.seeds; ++s) {
      SweepRun run;
      run.fold = split.fold;
      run.seed = trial.config.seed + static_cast<std::uint64_t>(s);
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

Json to_json(const SweepRun& run) {
  Json history = Json::array();
  for (const EpochRecord& record : run.history) history.push_back(to_json(record));
  return {{"fold", run.fold},       {"seed", run.seed},       {"ended", run.ended},
          {"failure", run.failure}, {"seconds", run.seconds}, {"history", history}};
}

void read_run(JsonReader r, SweepRun& run) {
  if (r.integer("fold") != run.fold) throw r.error("fold", "not that of the trial");
  if (r.integer("seed") != static_cast<std::int64_t>(run.seed)) throw r.error("seed", "not that of the trial");
  run.ended = r.boolean("ended");
  run.failure = r.text("failure");
  run.seconds = r.number_in("seconds", 0, 1e12, 0);
  const Json& history = r.raw("history");
  if (!history.is_array()) throw r.error("history", "not a list");
  for (const Json& epoch : history) {
    run.history.push_back(
        epoch_record_from_json(epoch, r.path_of("history[" + std::to_string(run.history.size()) + "]")));
  }
  r.finish();
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Seconds as written into a state's notes; anything else counts as none.
double seconds_of(const Checkpoint& state) {
  const auto found = state.notes.find(seconds_note);
  if (found == state.notes.end()) return 0;
  const double value = std::strtod(found->second.c_str(), nullptr);
  return std::isfinite(value) && value >= 0 ? value : 0;
}

const Split& split_of(const SweepTrial& trial, int fold) {
  for (const Split& split : trial.data->splits) {
    if (split.fold != fold) continue;
    if (!split.test.empty()) throw Error(ErrorCode::internal, split.name, "a search must not see the test part");
    return split;
  }
  throw Error(ErrorCode::internal, "fold " + std::to_string(fold), "is not part of the search");
}

void advance_run(const SweepTrial& trial, SweepRun& run, std::int64_t budget, const SweepStore& store, ThreadPool& pool,
                 const std::atomic<bool>& stop) {
  RunConfig config = trial.config;
  config.seed = run.seed;
  Experiment experiment(config, trial.data->features, split_of(trial, run.fold), pool);
  const Trainer& trainer = experiment.trainer();
  run.seconds = 0;
  store.load_state(trial, run, experiment);
  const double before = run.seconds;
  const auto start = std::chrono::steady_clock::now();
  auto saved = start;
  while (!trainer.finished() && static_cast<std::int64_t>(trainer.history().size()) < budget && !stop) {
    try {
      experiment.trainer().run_epoch();
    } catch (const Error& e) {
      if (e.code() != ErrorCode::divergence) throw;
      run.failure = e.what();
      break;
    }
    run.seconds = before + seconds_since(start);
    if (seconds_since(saved) > seconds_between_saves) {
      store.save_state(trial, run, experiment);
      saved = std::chrono::steady_clock::now();
    }
  }
  run.history = trainer.history();
  run.ended = trainer.finished();
  run.seconds = before + seconds_since(start);
  if (run.ended || !run.failure.empty()) {
    store.remove_state(trial, run);
  } else {
    store.save_state(trial, run, experiment);
  }
}

}  // namespace

bool SweepRun::complete(std::int64_t budget) const {
  return ended || !failure.empty() || static_cast<std::int64_t>(history.size()) >= budget;
}

bool SweepRecord::complete(std::int64_t budget) const {
  return !runs.empty() && std::all_of(runs.begin(), runs.end(), [&](const SweepRun& r) { return r.complete(budget); });
}

std::int64_t SweepRecord::epochs(std::int64_t budget) const {
  std::int64_t most = 0;
  for (const SweepRun& run : runs) most = std::max(most, static_cast<std::int64_t>(run.history.size()));
  return std::min(most, budget);
}

double SweepRecord::seconds() const {
  double sum = 0;
  for (const SweepRun& run : runs) sum += run.seconds;
  return sum;
}

std::string SweepRecord::failure(std::int64_t budget) const {
  for (const SweepRun& run : runs) {
    if (!run.failure.empty() && static_cast<std::int64_t>(run.history.size()) < budget) return run.failure;
  }
  return "";
}

double run_score(const SweepRun& run, std::int64_t budget, bool restore_best) {
  const auto done = static_cast<std::int64_t>(run.history.size());
  if (done == 0 || budget < 1 || (done < budget && !run.ended)) return not_a_number();
  const auto last = static_cast<std::size_t>(std::min(done, budget)) - 1;
  for (std::size_t i = last + 1; restore_best && i-- > 0;) {
    if (run.history[i].best) return run.history[i].val_uar;
  }
  return run.history[last].val_uar;
}

double trial_score(const SweepRecord& record, std::int64_t budget, bool restore_best) {
  double sum = 0;
  for (const SweepRun& run : record.runs) sum += run_score(run, budget, restore_best);
  return record.runs.empty() ? not_a_number() : sum / static_cast<double>(record.runs.size());
}

void SweepStore::make_folder() const {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed) throw Error(ErrorCode::input, printable(folder_, 500), "cannot make the folder: " + failed.message());
}

void SweepStore::clean() const { remove_stale_temp_files(folder_); }

std::string SweepStore::record_file(const SweepTrial& trial) const {
  char name[40];
  std::snprintf(name, sizeof name, "/trial-%04zu", trial.number);
  return folder_ + name + ".json";
}

std::string SweepStore::state_file(const SweepTrial& trial, const SweepRun& run) const {
  const std::string record = record_file(trial);
  return record.substr(0, record.size() - 5) + "-fold" + std::to_string(run.fold) + "-seed" + std::to_string(run.seed) +
         ".safetensors";
}

SweepRecord SweepStore::load(const SweepPlan& plan, const SweepTrial& trial) const {
  SweepRecord record{empty_runs(plan, trial)};
  const std::string path = record_file(trial);
  std::error_code unseen;
  if (!fs::exists(path, unseen)) return record;
  const Json json = read_json_file(path);
  try {
    JsonReader r(json, path);
    if (r.text("key") != trial.key) return record;
    const Json& runs = r.raw("runs");
    if (!runs.is_array() || runs.size() != record.runs.size()) throw r.error("runs", "not those of the trial");
    for (std::size_t i = 0; i < runs.size(); ++i) {
      read_run(JsonReader(runs[i], path + ": runs[" + std::to_string(i) + "]"), record.runs[i]);
    }
  } catch (const Error& e) {
    throw Error(e.code(), e.where(), e.problem()).hint("remove the file to run the trial again");
  }
  return record;
}

void SweepStore::save(const SweepPlan& plan, const SweepTrial& trial, const SweepRecord& record) const {
  Json runs = Json::array();
  for (const SweepRun& run : record.runs) runs.push_back(to_json(run));
  const Json json{{"key", trial.key},
                  {"trial", trial.number},
                  {"values", values_to_json(plan.space, trial.values)},
                  {"runs", runs}};
  write_file_atomic(record_file(trial), json.dump() + "\n");
}

void SweepStore::save_state(const SweepTrial& trial, const SweepRun& run, const Experiment& experiment) const {
  Checkpoint state = experiment.resumable();
  state.notes[key_note] = trial.key;
  state.notes[seconds_note] = Json(run.seconds).dump();
  write_checkpoint(state_file(trial, run), state);
}

bool SweepStore::load_state(const SweepTrial& trial, SweepRun& run, Experiment& experiment) const {
  const std::string path = state_file(trial, run);
  std::error_code unseen;
  if (!fs::exists(path, unseen)) return false;
  Checkpoint state;
  try {
    state = read_checkpoint(path);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::input) throw;
    return false;
  }
  const auto key = state.notes.find(key_note);
  if (key == state.notes.end() || key->second != trial.key) return false;
  experiment.trainer().restore(state);
  run.seconds = seconds_of(state);
  return true;
}

void SweepStore::remove_state(const SweepTrial& trial, const SweepRun& run) const {
  std::error_code ignored;  // most runs have none
  fs::remove(state_file(trial, run), ignored);
}

void SweepStore::remove_states(const SweepTrial& trial, const SweepRecord& record) const {
  for (const SweepRun& run : record.runs) remove_state(trial, run);
}

SweepRecord advance_trial(const SweepPlan& plan, const SweepTrial& trial, std::int64_t budget, const SweepStore& store,
                          ThreadPool& pool, const std::atomic<bool>& stop) {
  SweepRecord record = store.load(plan, trial);
  for (SweepRun& run : record.runs) {
    if (run.complete(budget)) continue;
    advance_run(trial, run, budget, store, pool, stop);
    if (stop) break;
    store.save(plan, trial, record);
  }
  return record;
}

}  // namespace serene
