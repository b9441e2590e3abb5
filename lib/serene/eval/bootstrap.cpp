#include "serene/eval/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "serene/core/error.h"
#include "serene/core/random.h"

namespace serene {
namespace {

using SpeakerMatrices = std::map<std::string, ConfusionMatrix>;

SpeakerMatrices matrices_by_speaker(std::span<const Prediction> predictions, Index classes) {
  check_predictions(predictions, classes);
  SpeakerMatrices matrices;
  for (const Prediction& p : predictions) {
    ++matrices.try_emplace(p.speaker, classes).first->second.at(p.truth, predicted_class(p));
  }
  return matrices;
}

std::vector<ConfusionMatrix> values_of(const SpeakerMatrices& matrices) {
  std::vector<ConfusionMatrix> list;
  for (const auto& entry : matrices) list.push_back(entry.second);
  return list;
}

ConfusionMatrix sum_of(const std::vector<ConfusionMatrix>& matrices, std::span<const Index> drawn, Index classes) {
  ConfusionMatrix sum(classes);
  for (const Index i : drawn) sum += matrices[static_cast<std::size_t>(i)];
  return sum;
}

// Linear interpolation between order statistics (Hyndman and Fan's type 7).
double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const std::size_t i = static_cast<std::size_t>(std::floor(place));
  const std::size_t next = std::min(i + 1, sorted.size() - 1);
  return sorted[i] + (place - static_cast<double>(i)) * (sorted[next] - sorted[i]);
}

}  // namespace

Interval bootstrap_clusters(Index clusters, const std::function<double(std::span<const Index>)>& metric,
                            const BootstrapOptions& options) {
  if (clusters < 1 || options.resamples < 1 || !(options.level > 0 && options.level < 1)) {
    throw Error(ErrorCode::usage, "bootstrap", "needs clusters, resamples and a level between 0 and 1");
  }
  std::vector<Index> drawn(static_cast<std::size_t>(clusters));
  std::iota(drawn.begin(), drawn.end(), Index{0});
  const double estimate = metric(drawn);
  Interval interval{estimate, estimate, estimate, options.level, clusters, options.resamples};
  if (clusters < 2) return interval;
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(options.resamples));
  for (Index r = 0; r < options.resamples; ++r) {
    Random random(options.seed, Purpose::bootstrap, static_cast<std::uint64_t>(r));
    for (Index& i : drawn) i = static_cast<Index>(random.below(static_cast<std::uint64_t>(clusters)));
    values.push_back(metric(drawn));
  }
  std::sort(values.begin(), values.end());
  interval.low = quantile(values, (1 - options.level) / 2);
  interval.high = quantile(values, (1 + options.level) / 2);
  return interval;
}

Interval bootstrap_speakers(std::span<const Prediction> predictions, Index classes, const MatrixMetric& metric,
                            const BootstrapOptions& options) {
  const std::vector<ConfusionMatrix> matrices = values_of(matrices_by_speaker(predictions, classes));
  const auto figure = [&](std::span<const Index> drawn) { return metric(sum_of(matrices, drawn, classes)); };
  return bootstrap_clusters(static_cast<Index>(matrices.size()), figure, options);
}

Interval bootstrap_difference(std::span<const Prediction> a, std::span<const Prediction> b, Index classes,
                              const MatrixMetric& metric, const BootstrapOptions& options) {
  const SpeakerMatrices of_a = matrices_by_speaker(a, classes), of_b = matrices_by_speaker(b, classes);
  const auto same_key = [](const auto& x, const auto& y) { return x.first == y.first; };
  if (!std::equal(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(), same_key)) {
    throw Error(ErrorCode::input, "paired bootstrap", "the two systems were not tested on the same speakers");
  }
  const std::vector<ConfusionMatrix> list_a = values_of(of_a), list_b = values_of(of_b);
  const auto figure = [&](std::span<const Index> drawn) {
    return metric(sum_of(list_a, drawn, classes)) - metric(sum_of(list_b, drawn, classes));
  };
  return bootstrap_clusters(static_cast<Index>(list_a.size()), figure, options);
}

}  // namespace serene
