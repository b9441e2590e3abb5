// Who is tested by serene evaluate: one model on its clips, or all models of a cross-validation, each on its own fold.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "evaluation_job.h"
#include "serene/data/test_condition.h"
#include "serene/eval/cross_validation.h"
#include "serene/train/run_config.h"

namespace serene::cli {

class EvaluationSubject {
 public:
  // path: a run folder, a model, or the folder of a cross-validation that has kept its models. Throws Error.
  EvaluationSubject(const std::string& path, const Arguments& args, ThreadPool& pool);

  bool cross_validated() const noexcept { return !folds_.empty(); }
  const EvaluationJob& job() const noexcept { return job_; }
  std::size_t clips() const;

  // Answers of every model; of a single one as seed 0, fold 0.
  std::vector<FoldResult> answers(Standardise how, Precision precision);
  // The same with the recordings changed, for each condition. The features of changed recordings are kept nowhere.
  std::vector<std::vector<FoldResult>> answers_in(std::span<const TestCondition> conditions, Precision precision,
                                                  bool quiet);

 private:
  struct Fold {
    RunConfig config;  // of its seed
    int fold = 0;
    std::string path;
    std::vector<std::size_t> clips;
  };

  void open_folds(const std::string& folder, const Arguments& args);
  void take(const Fold& fold);
  void answer_changed(std::span<const std::size_t> folds, std::span<const TestCondition> conditions,
                      Precision precision, bool quiet, std::vector<std::vector<FoldResult>>& results);

  ThreadPool& pool_;
  EvaluationJob job_;  // of a cross-validation: of the fold that was taken last
  std::vector<Fold> folds_;
};

}  // namespace serene::cli
