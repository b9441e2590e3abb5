#include "serene/train/sweep_plan.h"

#include <algorithm>
#include <map>
#include <set>

#include "serene/core/sha256.h"
#include "serene/nn/model_builder.h"
#include "serene/train/sweep_halving.h"

namespace serene {
namespace {

constexpr std::size_t most_feature_sets = 16;

std::string place_of(const std::string& space_path, std::size_t trial) {
  return space_path + ": trial " + std::to_string(trial);
}

RunConfig read_trial(const std::string& config_path, const std::vector<std::string>& overrides,
                     const std::vector<std::string>& more) {
  std::vector<std::string> all = overrides;
  all.insert(all.end(), more.begin(), more.end());
  RunConfig config = load_run_config(config_path, all);
  with_context(config_path, [&] { check(config.data.augment, feature_config_of(config)); });
  return config;
}

// The corpus of a protocol that is bound to one, unless the config has it among others that help to train.
void set_protocol(const std::string& config_path, const std::string& protocol, std::vector<std::string>& overrides) {
  overrides.push_back("split.protocol=" + Json(protocol).dump());
  const DataConfig data = load_run_config(config_path, overrides).data;
  if (!data.features.empty() && data.corpus.empty()) return;  // the clips are those of the file
  const std::string named = "+" + data.corpus + "+";
  for (const std::string corpus : {"ravdess", "cremad"}) {
    const bool bound = protocol.starts_with(corpus + "-");
    if (bound && named.find("+" + corpus + "+") == std::string::npos) overrides.push_back("data.corpus=" + corpus);
  }
}

// A key that no trial drew (its condition is rare) is tried once by itself.
void probe_keys_never_drawn(const SweepPlan& plan, const std::string& config_path,
                            const std::vector<std::string>& overrides, const std::string& space_path) {
  for (std::size_t i = 0; i < plan.space.dimensions.size(); ++i) {
    const bool drawn = std::any_of(plan.trials.begin(), plan.trials.end(),
                                   [&](const SweepTrial& t) { return t.values[i].has_value(); });
    if (drawn) continue;
    const std::string& key = plan.space.dimensions[i].key;
    with_context(space_path, [&] { read_trial(config_path, overrides, probe_overrides(plan.space, key)); });
  }
}

void check_options(const SweepOptions& o) {
  const auto refuse = [](const char* option, const std::string& expected, std::int64_t got) {
    throw Error(ErrorCode::usage, option, "out of range").expected(expected).got(std::to_string(got));
  };
  if (o.trials < 1 || o.trials > most_sweep_trials)
    refuse("--trials", "1.." + std::to_string(most_sweep_trials), static_cast<std::int64_t>(o.trials));
  if (o.eta < 2 || o.eta > 100) refuse("--eta", "2..100", o.eta);
  if (o.min_epochs < 0 || o.min_epochs > 1000000) refuse("--min-epochs", "1..1000000", o.min_epochs);
  if (o.seeds < 1 || o.seeds > 100) refuse("--seeds", "1..100", o.seeds);
}

void plan_rungs(SweepPlan& plan, const std::string& space_path) {
  plan.budgets = {plan.base.train.epochs};
  if (plan.options.method == SweepMethod::random) return;
  const std::int64_t epochs = plan.trials.front().config.train.epochs;
  for (const SweepTrial& t : plan.trials) {
    if (t.config.train.epochs != epochs) {
      throw Error(ErrorCode::usage, space_path + ": train.epochs", "cannot be searched by halving")
          .hint("halving itself decides how long a trial trains; use --method random");
    }
  }
  if (plan.options.min_epochs > epochs) {
    throw Error(ErrorCode::usage, "--min-epochs", "more than train.epochs")
        .expected("1.." + std::to_string(epochs))
        .got(std::to_string(plan.options.min_epochs));
  }
  plan.budgets = halving_budgets(epochs, plan.options.eta, plan.options.min_epochs);
}

std::string sum_of(const FeatureSet& features, const std::vector<Split>& splits) {
  Sha256 sum;
  const auto add = [&](const std::vector<std::size_t>& part, const std::string& name) {
    sum.update(name + " " + std::to_string(part.size()) + "\n");
    for (const std::size_t i : part) {
      const Clip& clip = features.manifest.clips[i];
      sum.update(clip.id + "\n" + clip.label + "\n" + clip.speaker + "\n" + clip.corpus + "\n");
      for (const auto& [label, votes] : clip.votes) sum.update(label + " " + Json(votes).dump() + "\n");
      sum.update(features.audio_hashes[i] + "\n");
    }
  };
  for (const std::string& label : features.manifest.labels) sum.update(label + "\n");
  for (const Split& split : splits) {
    add(split.train, "train " + std::to_string(split.fold));
    add(split.validation, "validation " + std::to_string(split.fold));
  }
  return sum.hex();
}

// The splits of the folds asked for, test parts and all.
std::vector<Split> wanted_splits(const SweepPlan& plan, const FeatureSet& features) {
  const std::vector<Split> all = splits_of(plan.base, features);
  std::vector<int> folds = plan.space.folds;
  if (folds.empty()) folds = {all.size() == 1 ? all.front().fold : static_cast<int>(plan.base.split.fold)};
  std::sort(folds.begin(), folds.end());
  folds.erase(std::unique(folds.begin(), folds.end()), folds.end());
  std::vector<Split> wanted;
  for (const int fold : folds) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Split& s) { return s.fold == fold; });
    if (found == all.end()) {
      throw Error(ErrorCode::usage, "folds", "no such fold in " + printable(plan.base.split.protocol, 40))
          .expected(std::to_string(all.front().fold) + ".." + std::to_string(all.back().fold))
          .got(std::to_string(fold));
    }
    if (found->validation.empty()) {
      throw Error(ErrorCode::usage, "split", "fold " + std::to_string(fold) + " has no validation part to search by")
          .hint("set split.validation_fraction or split.validation_speakers");
    }
    wanted.push_back(*found);
  }
  return wanted;
}

SweepSpeakers speakers_around(const Manifest& manifest, const std::vector<Split>& splits) {
  std::set<std::string> tested, heard;
  for (const Split& split : splits) {
    for (const std::size_t i : split.test) tested.insert(manifest.clips[i].speaker);
    for (const std::size_t i : split.train) heard.insert(manifest.clips[i].speaker);
    for (const std::size_t i : split.validation) heard.insert(manifest.clips[i].speaker);
  }
  SweepSpeakers result;
  result.tested.assign(tested.begin(), tested.end());
  std::set_difference(tested.begin(), tested.end(), heard.begin(), heard.end(), std::back_inserter(result.unused));
  return result;
}

// What decides the clips and features of a config whose corpus is given.
std::string features_of(const RunConfig& config) {
  return to_json(feature_config_of(config)).dump() + "\n" + config.data.votes + "\n" + config.data.features;
}

// A model to start from must not know a fold's test speakers: the runs themselves see no test part to check it by.
void check_source(const RunConfig& config, const Manifest& manifest, const std::vector<Split>& splits) {
  const auto source = open_source(config.train.transfer);
  if (source == nullptr) return;
  for (const Split& split : splits) refuse_known_voices(*source, manifest, split);
}

std::string key_of(const SweepPlan& plan, const SweepTrial& trial) {
  Sha256 sum;
  sum.update("serene sweep 1\n" + to_json(trial.config).dump() + "\n");
  sum.update(values_to_json(plan.space, trial.values).dump() + "\n" + trial.data->sum + "\n");
  sum.update(std::to_string(plan.options.seeds) + "\n" + source_sha256(trial.config.train.transfer));
  return sum.hex();
}

}  // namespace

std::int64_t SweepPlan::budget(const SweepTrial& trial, std::size_t rung) const {
  return rung + 1 >= budgets.size() ? trial.config.train.epochs : budgets[rung];
}

Split without_test(Split split) {
  split.test.clear();
  return split;
}

SweepPlan plan_sweep(const std::string& config_path, std::vector<std::string> overrides, const std::string& space_path,
                     const SweepOptions& options, const SweepChoice& choice) {
  check_options(options);
  SweepPlan plan;
  plan.options = options;
  plan.space = read_sweep_space(space_path);
  if (!choice.protocol.empty()) plan.space.protocol = choice.protocol;
  if (!choice.folds.empty()) plan.space.folds = choice.folds;
  if (!plan.space.protocol.empty()) set_protocol(config_path, plan.space.protocol, overrides);
  plan.base = read_trial(config_path, overrides, {});
  if (!keeps_speakers_apart(plan.base.split.protocol)) {
    throw Error(ErrorCode::usage, "split.protocol", "has test speakers in its validation part: no search by it")
        .got(printable(plan.base.split.protocol, 40));
  }
  for (std::size_t k = 0; k < options.trials; ++k) {
    SweepTrial trial;
    trial.number = k;
    trial.values = draw_trial(plan.space, options.seed, k);
    trial.config = with_context(place_of(space_path, k), [&] {
      return read_trial(config_path, overrides, trial_overrides(plan.space, trial.values));
    });
    plan.trials.push_back(std::move(trial));
  }
  probe_keys_never_drawn(plan, config_path, overrides, space_path);
  plan_rungs(plan, space_path);
  return plan;
}

void load_sweep_data(SweepPlan& plan, const FeatureLoader& load, const std::string& space_path) {
  std::map<std::string, const SweepData*> loaded;
  std::map<const SweepData*, std::vector<Split>> whole;  // with their test parts, for checks alone
  std::set<std::pair<const SweepData*, std::string>> known_sources;
  for (SweepTrial& trial : plan.trials) {
    const SweepData*& data = loaded[features_of(trial.config)];
    if (data == nullptr) {
      if (loaded.size() > most_feature_sets) {
        throw Error(ErrorCode::usage, space_path, "too many different features")
            .expected("at most " + std::to_string(most_feature_sets));
      }
      auto made = std::make_unique<SweepData>();
      made->features = load(trial.config);
      const std::vector<Split> splits = wanted_splits(plan, made->features);
      if (plan.data.empty()) plan.speakers = speakers_around(made->features.manifest, splits);
      for (const Split& split : splits) made->splits.push_back(without_test(split));
      made->sum = sum_of(made->features, made->splits);
      data = made.get();
      whole[data] = splits;
      plan.data.push_back(std::move(made));
    }
    trial.data = data;
    with_context(place_of(space_path, trial.number), [&] {
      build_model<float>(trial.config.model, data->features.dim,
                         static_cast<Index>(data->features.manifest.labels.size()));
      if (known_sources.insert({data, trial.config.train.transfer.init_from}).second) {
        check_source(trial.config, data->features.manifest, whole[data]);
      }
    });
    trial.key = key_of(plan, trial);
  }
}

}  // namespace serene
