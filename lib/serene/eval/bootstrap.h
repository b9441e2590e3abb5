// Percentile intervals by resampling whole speakers: clips of one voice are not independent, so drawing clips would
// promise too much (Efron, Tibshirani: An introduction to the bootstrap, 1993; cluster version).
//
// Resample r uses Random(seed, Purpose::bootstrap, r) alone, so results depend on nothing but the arguments.
// Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "serene/core/types.h"
#include "serene/eval/metrics.h"

namespace serene {

struct BootstrapOptions {
  Index resamples = 2000;
  double level = 0.95;
  std::uint64_t seed = 0;
};

struct Interval {
  double estimate = 0;  // of all the data, not the mean of the resamples
  double low = 0, high = 0;
  double level = 0.95;
  Index clusters = 0;  // with fewer than two there is no interval: low = high = estimate
  Index resamples = 0;

  bool valid() const { return clusters >= 2; }  // one speaker has no interval
};

// metric(drawn): the figure for a list of cluster numbers, each 0..clusters-1, with repetitions. The estimate is
// metric(0, 1, ..., clusters-1). Throws Error(usage) for clusters < 1, resamples < 1 or a level outside (0, 1).
Interval bootstrap_clusters(Index clusters, const std::function<double(std::span<const Index>)>& metric,
                            const BootstrapOptions& options = {});

// A score of a confusion matrix, such as unweighted_average_recall.
using MatrixMetric = std::function<double(const ConfusionMatrix&)>;

// Any figure of a confusion matrix, such as unweighted_average_recall; clusters are the speakers.
Interval bootstrap_speakers(std::span<const Prediction> predictions, Index classes, const MatrixMetric& metric,
                            const BootstrapOptions& options = {});

// metric(a) - metric(b) of two systems, both resampled with the same speakers. Throws Error(input) unless both have the
// same speakers.
Interval bootstrap_difference(std::span<const Prediction> a, std::span<const Prediction> b, Index classes,
                              const MatrixMetric& metric, const BootstrapOptions& options = {});

}  // namespace serene
