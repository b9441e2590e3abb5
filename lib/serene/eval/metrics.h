// Scores of a classifier from counts and from probabilities.
//
// All functions are pure and thread-safe; sums run in the order of their input, in double.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/core/types.h"
#include "serene/eval/prediction.h"

namespace serene {

// counts[truth * classes + predicted]: rows truth, columns prediction.
struct ConfusionMatrix {
  Index classes = 0;
  std::vector<std::int64_t> counts;

  ConfusionMatrix() = default;
  explicit ConfusionMatrix(Index n) : classes(n), counts(static_cast<std::size_t>(n * n), 0) {}  // zeros

  // Clips of class `truth` that were called `predicted`.
  std::int64_t& at(Index truth, Index predicted) {
    return counts[static_cast<std::size_t>(truth * classes + predicted)];
  }
  // The same, for reading.
  std::int64_t at(Index truth, Index predicted) const {
    return counts[static_cast<std::size_t>(truth * classes + predicted)];
  }
  std::int64_t row_sum(Index truth) const;                    // clips of a class
  std::int64_t column_sum(Index predicted) const;             // clips that were called so
  std::int64_t total() const;                                 // all clips
  ConfusionMatrix& operator+=(const ConfusionMatrix& other);  // the same number of classes
  bool operator==(const ConfusionMatrix&) const = default;
};

// Counts predictions; classes: how many there are.
ConfusionMatrix confusion_matrix(std::span<const Prediction> predictions, Index classes);

struct ClassScore {
  std::int64_t support = 0;    // clips of the class
  std::int64_t predicted = 0;  // clips taken for the class
  double recall = 0;           // 0 without support
  double precision = 0;        // 0 when the class was never predicted
  double f1 = 0;               // 2 TP / (support + predicted), 0 when that is 0/0
};

// Fractions in [0, 1]. Means run over the classes that have clips; `absent` counts the others, which are left out.
struct Scores {
  double uar = 0;  // unweighted average recall = balanced accuracy
  double war = 0;  // weighted average recall = accuracy
  double macro_f1 = 0;
  std::vector<ClassScore> classes;
  Index absent = 0;
};

// All zero for a matrix without counts.
Scores score(const ConfusionMatrix& matrix);

// The mean recall alone, for loops over many matrices.
double unweighted_average_recall(const ConfusionMatrix& matrix);
double accuracy(const ConfusionMatrix& matrix);

struct ProbabilityScores {
  double nll = 0;    // mean of -log p(truth), in nats
  double brier = 0;  // mean over clips of sum over classes (p - [truth])^2, in [0, 2]
  double ece = 0;    // expected calibration error, see reliability_bins
};

// One bin of confidence (low, high], the first one closed: how sure the model was and how often it was right.
struct ReliabilityBin {
  double low = 0, high = 0;
  std::int64_t count = 0;
  double confidence = 0;  // mean of the largest probability, 0 when empty
  double accuracy = 0;    // share of right answers, 0 when empty
};

// Whose temperature is used: each prediction's own, or 1.
enum class Calibrated { no, yes };

// Bins of equal width over the largest probability (Guo, Pleiss, Sun, Weinberger: On calibration of modern neural
// networks, 2017). ECE = sum over bins of count/n |accuracy - confidence|.
std::vector<ReliabilityBin> reliability_bins(std::span<const Prediction> predictions, Calibrated calibrated,
                                             Index bins = 15);
double expected_calibration_error(std::span<const ReliabilityBin> bins);
ProbabilityScores probability_scores(std::span<const Prediction> predictions, Calibrated calibrated, Index bins = 15);

struct MinMedianMax {
  double min = 0, median = 0, max = 0;
};
// Median of an even number of values: the mean of the two in the middle. Zero for no values.
MinMedianMax min_median_max(std::vector<double> values);

struct MeanDeviation {
  double mean = 0;
  double deviation = 0;  // sample standard deviation (n - 1), 0 for fewer than two values
  Index count = 0;
};
// Of any number of values.
MeanDeviation mean_deviation(std::span<const double> values);

}  // namespace serene
