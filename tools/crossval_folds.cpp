#include "crossval_folds.h"

#include <algorithm>
#include <filesystem>
#include <mutex>

#include "command.h"
#include "serene/core/jobs.h"
#include "serene/core/sha256.h"
#include "serene/io/checkpoint.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

std::string key_of(const RunConfig& config, const FeatureSet& features) {
  Sha256 sum;
  sum.update(to_json(config).dump());
  for (const std::string& hash : features.audio_hashes) sum.update(hash);
  sum.update(source_sha256(config.train.transfer));
  for (const Clip& clip : features.manifest.clips) {
    if (config.train.targets.kind == TargetKind::votes) sum.update(Json(clip.votes).dump());
  }
  return sum.hex();
}

// Whether a model of this very config lies there; a broken one does not count.
bool has_model(const std::string& path, const RunConfig& config) {
  try {
    read_fold_model(path, config);
    return true;
  } catch (const Error&) {
    return false;
  }
}

struct FoldTask {
  RunConfig config;  // of its seed
  Split split;
  FoldStore store;    // of its seed
  std::string model;  // where it goes; with KeepModels::none one that lies there goes, for it may be another config's
};

std::string outcome_line(const FoldTask& task, const Outcome& o, Part part, bool leaky) {
  char line[120];
  std::snprintf(line, sizeof line, "seed %llu fold %d  %sUAR %.1f %%  WAR %.1f %%  (%zu clips)%s",
                static_cast<unsigned long long>(task.config.seed), task.split.fold,
                part == Part::validation ? "validation " : "", 100 * o.evaluation.scores.uar,
                100 * o.evaluation.scores.war, o.predictions.size(), leaky ? "  LEAKY" : "");
  return line;
}

// A model whose training was the same and that was only asked in another way is asked again: that takes seconds.
bool take_trained(Experiment& experiment, const FoldTask& task) {
  // Votes are no part of what a model says about its data.
  if (!fs::exists(task.model) || task.config.train.targets.kind == TargetKind::votes) return false;
  try {
    const Checkpoint model = read_checkpoint(task.model);
    if (training_sha256(model) != training_sha256(task.config)) return false;
    experiment.take_trained(model);
    return true;
  } catch (const Error&) {
    return false;  // broken: made again
  }
}

FoldResult train_fold(const FoldTask& task, const FeatureSet& features, const FoldPlan& plan, ThreadPool& pool,
                      bool quiet) {
  Experiment experiment(task.config, features, task.split, pool);
  const std::string prefix =
      "seed " + std::to_string(task.config.seed) + " fold " + std::to_string(task.split.fold) + "  ";
  if (plan.models == KeepModels::none || !take_trained(experiment, task)) {
    run_epochs(experiment, nullptr, prefix, quiet, false);
  }
  const Outcome o = finish(experiment, plan.part);
  remark(outcome_line(task, o, plan.part, experiment.leaky()));
  std::error_code ignored;
  if (plan.models == KeepModels::none) fs::remove(task.model, ignored);
  else write_checkpoint(task.model, experiment.checkpoint(o.temperature, o.uncertain_below));
  return {task.config.seed, task.split.fold, o.predictions};
}

std::vector<FoldTask> tasks_of(const RunConfig& config, const FeatureSet& features, const FoldPlan& plan) {
  std::vector<FoldTask> tasks;
  for (const std::uint64_t seed : plan.seeds) {
    RunConfig own = config;
    own.seed = own.split.seed = seed;
    const FoldStore store(plan.folder, key_of(own, features), plan.part);
    for (Split& split : splits_of(own, features)) {
      const bool wanted =
          plan.folds.empty() || std::find(plan.folds.begin(), plan.folds.end(), split.fold) != plan.folds.end();
      const std::string model = fold_model_file(plan.folder, seed, split.fold);
      if (wanted) tasks.push_back({own, std::move(split), store, model});
    }
  }
  return tasks;
}

}  // namespace

std::vector<FoldResult> run_folds(const RunConfig& config, const FeatureSet& features, const FoldPlan& plan) {
  const std::vector<FoldTask> tasks = tasks_of(config, features, plan);
  std::vector<FoldResult> results(tasks.size());
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const FoldTask& t = tasks[i];
    results[i] = {t.config.seed, t.split.fold, {}};
    const bool known = t.store.load(t.config.seed, t.split, results[i]);
    if (!known || (plan.models == KeepModels::all && !has_model(t.model, t.config))) missing.push_back(i);
  }
  const int at_once = std::clamp(plan.jobs, 1, static_cast<int>(std::max<std::size_t>(missing.size(), 1)));
  Jobs jobs;
  jobs.run(at_once, missing.size(), [&](std::size_t m) {
    const FoldTask& t = tasks[missing[m]];
    ThreadPool pool(std::max(1, plan.threads / at_once));
    // Bars of several folds would overwrite each other.
    results[missing[m]] = train_fold(t, features, plan, pool, plan.quiet || at_once > 1);
    t.store.save(t.config.seed, t.split, results[missing[m]]);
  });
  return results;
}

}  // namespace serene::cli
