// The scores of serene evaluate: the plain ones, those with standardised test speech, and those in other conditions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "serene/data/test_condition.h"
#include "serene/eval/cross_validation.h"

namespace serene::cli {

// Scores of one set of answers. The headline figures of a cross-validation are means over folds and seeds.
struct EvaluationColumn {
  std::string title;
  std::vector<Prediction> pooled;
  Evaluation evaluation;                    // of the pooled answers
  std::optional<CrossValidation> crossval;  // when there is more than one model

  double uar() const { return crossval ? crossval->uar.mean : evaluation.scores.uar; }
  double war() const { return crossval ? crossval->war.mean : evaluation.scores.war; }
  double ece() const { return crossval ? crossval->ece.mean : evaluation.calibrated.ece; }
  Json json() const { return crossval ? to_json(*crossval) : to_json(evaluation); }
  std::string table() const { return crossval ? to_table(*crossval) : to_table(evaluation); }
};

EvaluationColumn column_of(const std::vector<FoldResult>& results, bool cross_validated,
                           const std::vector<std::string>& labels, const EvaluationOptions& options);

// What a condition takes away: of the pooled answers, resampling speakers, the same ones on both sides.
struct ConditionChange {
  Interval uar, war;
  double ece = 0;  // of the headline figures
};
ConditionChange change_between(const EvaluationColumn& plain, const EvaluationColumn& changed);

// {"name", "words", "uar", "war", "ece", "uar_difference": {"estimate", "low", "high", ...}, "war_difference",
// "ece_difference", "result"} for each condition.
Json conditions_json(const EvaluationColumn& plain, const std::vector<TestCondition>& conditions,
                     const std::vector<EvaluationColumn>& changed);
std::string conditions_table(const EvaluationColumn& plain, const std::vector<TestCondition>& conditions,
                             const std::vector<EvaluationColumn>& changed);

}  // namespace serene::cli
