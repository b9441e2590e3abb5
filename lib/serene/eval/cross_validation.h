// Summary of a cross-validation: folds x seeds, their spread, and everything evaluation.h says of the pooled
// predictions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serene/core/json.h"
#include "serene/eval/evaluation.h"

namespace serene {

// Test predictions of one trained model; each prediction carries the model's temperature.
struct FoldResult {
  std::uint64_t seed = 0;
  Index fold = 0;
  std::vector<Prediction> predictions;
};

struct FoldScore {
  std::uint64_t seed = 0;
  Index fold = 0;
  Index clips = 0;
  double uar = 0, war = 0, macro_f1 = 0, ece = 0;  // ECE calibrated
};

struct SeedScore {
  std::uint64_t seed = 0;
  Index folds = 0;
  double uar = 0, war = 0, macro_f1 = 0, ece = 0;  // means over the folds, each fold counting once
};

// The seeds of each fold as one model: the mean of their calibrated probabilities for each clip (mixture.h).
struct EnsembleScore {
  Index members = 0;                               // seeds
  std::vector<FoldScore> folds;                    // sorted; seed is 0
  double uar = 0, war = 0, macro_f1 = 0, ece = 0;  // means over the folds
};

struct CrossValidation {
  std::string title, protocol;
  bool leaky = false;
  std::vector<std::string> labels;
  std::vector<FoldScore> folds;           // sorted by seed, then fold
  std::vector<SeedScore> seeds;           // sorted
  MeanDeviation uar, war, macro_f1, ece;  // over seeds, of the means over folds: the figures to quote
  MeanDeviation fold_uar;                 // over all folds of all seeds
  // With two seeds or more that all did the same folds on the same clips.
  std::optional<EnsembleScore> ensemble;
  Evaluation pooled;  // all predictions of all seeds; its interval resamples speakers
  std::vector<std::string> notes;
};

// Throws Error(input) when there is no result, a fold of a seed comes twice, or predictions are unusable.
CrossValidation summarize(std::span<const FoldResult> results, const std::vector<std::string>& labels,
                          const EvaluationOptions& options = {});

// For reports: as JSON, and as a table for the terminal.
Json to_json(const CrossValidation& summary);
std::string to_table(const CrossValidation& summary);

}  // namespace serene
