// Optimizers over one flat parameter vector.
//
// With g the gradient after clipping, t the number of the step (from 1), lr the learning rate, all element by element:
//   decay    p -= lr wd p                         first, on entries with spec.decay only (decoupled, Loshchilov &
//   Hutter 2019) sgd      keras: v = mu v - lr g;  p += v      (nesterov: p += mu v - lr g)
//            torch: v = mu v + g;     p -= lr v   (nesterov: p -= lr (g + mu v)); differs when lr changes
//   adam     m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2                                             (Kingma & Ba 2015)
//            keras: p -= lr sqrt(1-b2^t)/(1-b1^t) m / (sqrt(v) + eps)
//            torch: p -= lr/(1-b1^t) m / (sqrt(v/(1-b2^t)) + eps)
//   adamw    adam with weight decay
//   rmsprop  v = rho v + (1-rho) g^2;  u = g / sqrt(v + eps) (keras) or g / (sqrt(v) + eps) (torch)
//            momentum: keras k = mu k + lr u, p -= k;  torch k = mu k + u, p -= lr k
//   clipping g = gradient * clip_norm / max(norm, clip_norm), norm over all trained entries
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serene/core/json.h"
#include "serene/core/thread_pool.h"
#include "serene/core/types.h"
#include "serene/nn/parameter.h"

namespace serene {

enum class OptimizerType { sgd, adam, adamw, rmsprop };
enum class OptimizerVariant { keras, torch };

// The section train.optimizer of a config. Keys that the type does not use are read and ignored.
struct OptimizerConfig {
  OptimizerType type = OptimizerType::adam;
  OptimizerVariant variant = OptimizerVariant::keras;
  double learning_rate = 1e-3;
  double beta_1 = 0.9, beta_2 = 0.999;  // adam, adamw
  double epsilon = 1e-7;                // adam, adamw, rmsprop; torch variant: 1e-8
  double momentum = 0;                  // sgd, rmsprop
  bool nesterov = false;                // sgd
  double rho = 0.9;                     // rmsprop
  double weight_decay = 0;              // adamw: 0.004 (torch variant 0.01); 0 turns it off
  double clip_norm = 0;                 // largest global norm of the gradient; 0 turns clipping off
};

// Reads the whole object and refuses unknown keys; throws Error(input) that names the key's path.
OptimizerConfig optimizer_from_json(JsonReader reader);
// All keys that the type uses, with their values.
Json to_json(const OptimizerConfig& config);

// One vector of an optimizer's state, laid out as the parameters.
template <class S>
struct OptimizerSlot {
  std::string name;  // "velocity", "m" or "v"
  std::span<S> values;
};

template <class S>
class Optimizer {
 public:
  // Takes memory for the state (up to two vectors of layout.size). Entries with spec.trainable == false are never
  // touched. Throws Error(usage) for hyper-parameters that would divide by zero or never decay.
  Optimizer(const OptimizerConfig& config, const ParameterLayout& layout);

  // One step over values and gradients (layout.size scalars each) with this learning rate. Returns the global norm of
  // the gradient before clipping; when that is not finite nothing changes and the step does not count.
  // The result has the same bits for any number of threads. Does not allocate. Not to be called from inside a task.
  double step(S* values, const S* gradients, double learning_rate, ThreadPool& pool) noexcept;

  // For checkpoint and resume: steps made so far and views of the state, valid as long as the optimizer.
  std::int64_t steps() const noexcept { return steps_; }
  void set_steps(std::int64_t steps) noexcept { steps_ = steps; }
  std::vector<OptimizerSlot<S>> slots();
  std::vector<OptimizerSlot<const S>> slots() const;

  const OptimizerConfig& config() const noexcept { return config_; }

 private:
  // A piece of one entry, the unit of work of a thread. Fixed by the layout alone.
  struct Range {
    Index offset, size;
    bool decay;
  };

  void update(const Range& range, S* values, const S* gradients, double learning_rate, double scale) noexcept;

  OptimizerConfig config_;
  std::vector<Range> ranges_;
  std::vector<double> square_sums_;  // one for each range
  std::vector<S> first_, second_;    // velocity or m; v
  std::int64_t steps_ = 0;
};

extern template class Optimizer<float>;
extern template class Optimizer<double>;

}  // namespace serene
