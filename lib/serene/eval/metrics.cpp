#include "serene/eval/metrics.h"

#include <algorithm>
#include <cmath>

#include "serene/core/error.h"

namespace serene {

std::int64_t ConfusionMatrix::row_sum(Index truth) const {
  std::int64_t sum = 0;
  for (Index c = 0; c < classes; ++c) sum += at(truth, c);
  return sum;
}

std::int64_t ConfusionMatrix::column_sum(Index predicted) const {
  std::int64_t sum = 0;
  for (Index c = 0; c < classes; ++c) sum += at(c, predicted);
  return sum;
}

std::int64_t ConfusionMatrix::total() const {
  std::int64_t sum = 0;
  for (const std::int64_t n : counts) sum += n;
  return sum;
}

ConfusionMatrix& ConfusionMatrix::operator+=(const ConfusionMatrix& other) {
  if (other.classes != classes) throw Error(ErrorCode::internal, "confusion matrix", "numbers of classes differ");
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
  return *this;
}

ConfusionMatrix confusion_matrix(std::span<const Prediction> predictions, Index classes) {
  ConfusionMatrix matrix(classes);
  for (const Prediction& p : predictions) ++matrix.at(p.truth, predicted_class(p));
  return matrix;
}

Scores score(const ConfusionMatrix& matrix) {
  Scores scores;
  double recalls = 0, f1s = 0;
  for (Index c = 0; c < matrix.classes; ++c) {
    ClassScore s;
    s.support = matrix.row_sum(c);
    s.predicted = matrix.column_sum(c);
    const double hits = static_cast<double>(matrix.at(c, c));
    if (s.support > 0) s.recall = hits / static_cast<double>(s.support);
    if (s.predicted > 0) s.precision = hits / static_cast<double>(s.predicted);
    if (s.support + s.predicted > 0) s.f1 = 2 * hits / static_cast<double>(s.support + s.predicted);
    if (s.support > 0) {
      recalls += s.recall;
      f1s += s.f1;
    } else {
      ++scores.absent;
    }
    scores.classes.push_back(s);
  }
  const Index present = matrix.classes - scores.absent;
  if (present > 0) {
    scores.uar = recalls / static_cast<double>(present);
    scores.macro_f1 = f1s / static_cast<double>(present);
  }
  scores.war = accuracy(matrix);
  return scores;
}

double unweighted_average_recall(const ConfusionMatrix& matrix) {
  double sum = 0;
  Index present = 0;
  for (Index c = 0; c < matrix.classes; ++c) {
    const std::int64_t support = matrix.row_sum(c);
    if (support == 0) continue;
    sum += static_cast<double>(matrix.at(c, c)) / static_cast<double>(support);
    ++present;
  }
  return present > 0 ? sum / static_cast<double>(present) : 0;
}

double accuracy(const ConfusionMatrix& matrix) {
  std::int64_t hits = 0;
  for (Index c = 0; c < matrix.classes; ++c) hits += matrix.at(c, c);
  const std::int64_t total = matrix.total();
  return total > 0 ? static_cast<double>(hits) / static_cast<double>(total) : 0;
}

std::vector<ReliabilityBin> reliability_bins(std::span<const Prediction> predictions, Calibrated calibrated,
                                             Index bins) {
  if (bins < 1) throw Error(ErrorCode::usage, "reliability bins", "at least one bin is needed");
  std::vector<ReliabilityBin> out(static_cast<std::size_t>(bins));
  const double n = static_cast<double>(bins);
  for (Index i = 0; i < bins; ++i) {
    out[static_cast<std::size_t>(i)].low = static_cast<double>(i) / n;
    out[static_cast<std::size_t>(i)].high = static_cast<double>(i + 1) / n;
  }
  for (const Prediction& p : predictions) {
    const int best = predicted_class(p);
    const double temperature = calibrated == Calibrated::yes ? p.temperature : 1;
    const double confidence = std::exp(log_probabilities(p.logits, temperature)[static_cast<std::size_t>(best)]);
    const Index i = std::clamp(static_cast<Index>(std::ceil(confidence * n)) - 1, Index{0}, bins - 1);
    ReliabilityBin& bin = out[static_cast<std::size_t>(i)];
    ++bin.count;
    bin.confidence += confidence;
    bin.accuracy += best == p.truth ? 1 : 0;
  }
  for (ReliabilityBin& bin : out) {
    if (bin.count == 0) continue;
    bin.confidence /= static_cast<double>(bin.count);
    bin.accuracy /= static_cast<double>(bin.count);
  }
  return out;
}

double expected_calibration_error(std::span<const ReliabilityBin> bins) {
  double sum = 0;
  std::int64_t total = 0;
  for (const ReliabilityBin& bin : bins) {
    sum += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
    total += bin.count;
  }
  return total > 0 ? sum / static_cast<double>(total) : 0;
}

ProbabilityScores probability_scores(std::span<const Prediction> predictions, Calibrated calibrated, Index bins) {
  ProbabilityScores scores;
  for (const Prediction& p : predictions) {
    const std::vector<double> logs = log_probabilities(p.logits, calibrated == Calibrated::yes ? p.temperature : 1);
    scores.nll -= logs[static_cast<std::size_t>(p.truth)];
    for (std::size_t c = 0; c < logs.size(); ++c) {
      const double error = std::exp(logs[c]) - (static_cast<int>(c) == p.truth ? 1 : 0);
      scores.brier += error * error;
    }
  }
  const double n = static_cast<double>(std::max<std::size_t>(predictions.size(), 1));
  scores.nll /= n;
  scores.brier /= n;
  scores.ece = expected_calibration_error(reliability_bins(predictions, calibrated, bins));
  return scores;
}

MinMedianMax min_median_max(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return {values.front(), n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2, values.back()};
}

MeanDeviation mean_deviation(std::span<const double> values) {
  MeanDeviation out{0, 0, static_cast<Index>(values.size())};
  if (values.empty()) return out;
  for (const double v : values) out.mean += v;
  out.mean /= static_cast<double>(values.size());
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return out;
}

}  // namespace serene
