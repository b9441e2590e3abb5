// Averages of the weights over the steps of a run: what is validated, kept and shipped instead of the last step's.
//
// With w_t the weights after step t (from 0), batch norm's moving statistics among them:
//   ema   a_t = a_{t-1} + (1 - d_t) (w_t - a_{t-1}),  d_t = min(decay, (1 + t) / (10 + t))
//         (Polyak & Juditsky 1992; the slow start as in TensorFlow's ExponentialMovingAverage)
//   tail  plain mean of all w_t from the step on that ends the share `start` of the run; before it the weights
//         themselves (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima")
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serene/core/json.h"
#include "serene/core/thread_pool.h"

namespace serene {

enum class AveragingType { none, ema, tail };

// The section train.averaging of a config. Keys of the other types are read and ignored.
struct AveragingConfig {
  AveragingType type = AveragingType::none;
  double decay = 0.999;  // ema, a step
  double start = 0.5;    // tail: share of the run's steps
};

// Reads the whole object and refuses unknown keys; throws Error(input) that names the key's path.
AveragingConfig averaging_from_json(JsonReader reader);
Json to_json(const AveragingConfig& config);

// Not thread-safe. The same bits for any number of threads.
class WeightAverage {
 public:
  // size: scalars of the weights. total_steps: of the whole run.
  WeightAverage(const AveragingConfig& config, std::size_t size, std::int64_t total_steps);

  bool active() const noexcept { return config_.type != AveragingType::none; }  // weights are averaged at all
  // Takes the weights after step number `step` (from 0), each step once and in order. Does not allocate.
  void update(std::int64_t step, std::span<const float> weights, ThreadPool& pool) noexcept;
  // The average; empty when not active().
  std::span<const float> values() const noexcept { return values_; }
  // For resuming: all of the state there is.
  std::vector<float>& values() noexcept { return values_; }

 private:
  // Share of the newest weights in the average.
  double share(std::int64_t step) const noexcept;

  AveragingConfig config_;
  std::int64_t first_step_;  // tail: the first that counts
  std::vector<float> values_;
};

}  // namespace serene
