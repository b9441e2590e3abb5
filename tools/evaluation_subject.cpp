#include "evaluation_subject.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "crossval_store.h"
#include "training.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

void refuse_other_data(const Arguments& args) {
  for (const char* option : {"corpus", "manifest", "features", "protocol", "fold", "seed"}) {
    if (!args.has(option)) continue;
    throw Error(ErrorCode::usage, std::string("--") + option,
                "the models of a cross-validation are tested on their own folds")
        .hint("name one of its models, DIR/seed1-fold0.safetensors");
  }
}

std::vector<std::pair<std::uint64_t, Index>> folds_in(const std::string& folder) {
  std::error_code unseen;
  const bool tested = fs::exists(folder + "/results.json", unseen);
  const std::string path = folder + (tested ? "/results.json" : "/validation_results.json");
  const Json json = read_json_file(path);
  return with_context(path, [&] {
    JsonReader r(json, "");
    return folds_of(r);
  });
}

std::size_t missing_models(const std::string& folder, const std::vector<std::pair<std::uint64_t, Index>>& folds) {
  return static_cast<std::size_t>(std::count_if(folds.begin(), folds.end(), [&](const auto& f) {
    std::error_code unseen;
    return !fs::exists(fold_model_file(folder, f.first, f.second), unseen);
  }));
}

}  // namespace

EvaluationSubject::EvaluationSubject(const std::string& path, const Arguments& args, ThreadPool& pool) : pool_(pool) {
  if (!is_crossval(path)) {
    job_ = open_job(path, args, pool);
    return;
  }
  refuse_other_data(args);
  open_folds(path, args);
}

void EvaluationSubject::open_folds(const std::string& folder, const Arguments& args) {
  const std::string part = args.get<std::string>("part");
  if (part != "test" && part != "validation")
    throw Error(ErrorCode::usage, "--part", "unknown").expected("test or validation").got(printable(part));
  const auto folds = folds_in(folder);
  if (const std::size_t missing = missing_models(folder, folds); missing > 0) {
    throw Error(ErrorCode::not_found, folder,
                missing == folds.size() ? "holds no models of its folds"
                                        : "lacks models of " + std::to_string(missing) + " of its folds")
        .hint("serene crossval --models trains those again");
  }
  RunConfig config = RunFolder(folder).read_config();
  if (has_copies(config))
    throw Error(ErrorCode::usage, folder,
                "was tested on rows made in memory (kaggle-leaky, data.copies), not recordings");
  job_.streams.push_back(load_features_with_progress(config, args.data(), args.cache(), pool_, args.quiet()));
  job_.member_stream = {0};
  job_.label_sets = config.train.targets.label_sets;
  job_.title = title_of(config);
  job_.protocol = config.split.protocol + (part == "validation" ? validation_title : "");
  for (const auto& [seed, number] : folds) {
    config.seed = config.split.seed = seed;
    const auto splits = splits_of(config, job_.features());
    const auto split = std::find_if(splits.begin(), splits.end(), [n = number](const Split& s) { return s.fold == n; });
    if (split == splits.end())
      throw Error(ErrorCode::input, folder, "names fold " + std::to_string(number) + ", which its protocol has not");
    folds_.push_back({config, split->fold, fold_model_file(folder, seed, number),
                      part == "validation" ? split->validation : split->test});
  }
  take(folds_.front());
}

void EvaluationSubject::take(const Fold& fold) {
  job_.model = ensemble_of(read_fold_model(fold.path, fold.config));
  job_.clips = fold.clips;
}

std::size_t EvaluationSubject::clips() const {
  if (!cross_validated()) return job_.clips.size();
  return std::accumulate(folds_.begin(), folds_.end(), std::size_t{0},
                         [](std::size_t sum, const Fold& f) { return sum + f.clips.size(); });
}

std::vector<FoldResult> EvaluationSubject::answers(Standardise how, Precision precision) {
  if (!cross_validated()) return {{0, 0, job_predictions(job_, how, precision, pool_)}};
  std::vector<FoldResult> all;
  for (const Fold& fold : folds_) {
    take(fold);
    all.push_back({fold.config.seed, fold.fold, job_predictions(job_, how, precision, pool_)});
  }
  return all;
}

std::vector<std::vector<FoldResult>> EvaluationSubject::answers_in(std::span<const TestCondition> conditions,
                                                                   Precision precision, bool quiet) {
  std::vector<std::vector<FoldResult>> results(conditions.size());
  if (conditions.empty()) return results;  // or all recordings would be read for nothing
  for (const TestCondition& condition : conditions) {
    for (const FeatureSet& stream : job_.streams) check(condition, stream.config);
  }
  if (!cross_validated()) {
    answer_changed({}, conditions, precision, quiet, results);
    return results;
  }
  // Folds that test the same clips, one of each seed as a rule, share the changed recordings.
  std::vector<bool> done(folds_.size(), false);
  for (std::size_t i = 0; i < folds_.size(); ++i) {
    if (done[i]) continue;
    std::vector<std::size_t> alike;
    for (std::size_t k = i; k < folds_.size(); ++k) {
      if (!done[k] && folds_[k].clips == folds_[i].clips) alike.push_back(k), done[k] = true;
    }
    job_.clips = folds_[i].clips;
    answer_changed(alike, conditions, precision, quiet, results);
  }
  return results;
}

void EvaluationSubject::answer_changed(std::span<const std::size_t> folds, std::span<const TestCondition> conditions,
                                       Precision precision, bool quiet, std::vector<std::vector<FoldResult>>& results) {
  std::vector<ChangedClips> recordings;
  for (const FeatureSet& stream : job_.streams) recordings.emplace_back(stream, job_.clips, pool_);
  std::vector<std::size_t> places(job_.clips.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  Progress bar("conditions", quiet);
  for (std::size_t c = 0; c < conditions.size(); ++c) {
    std::vector<FeatureSet> changed;
    for (const ChangedClips& clips : recordings) changed.push_back(clips.features(conditions[c], pool_));
    const auto answer = [&] { return job_predictions(job_, {changed, places}, Standardise::global, precision, pool_); };
    if (folds.empty()) results[c].push_back({0, 0, answer()});
    for (const std::size_t k : folds) {
      take(folds_[k]);
      results[c].push_back({folds_[k].config.seed, folds_[k].fold, answer()});
    }
    bar.update(c + 1, conditions.size());
  }
  bar.finish();
}

}  // namespace serene::cli
