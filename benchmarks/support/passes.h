// One training step and one inference of model_strong, ready to be repeated: everything that a user's loop would do.
#pragma once

#include <span>
#include <vector>

#include "serene/nn/executor.h"
#include "serene/nn/loss.h"
#include "serene/train/optimizer.h"
#include "support/strong_model.h"

namespace serene::bench {

// "full", "bf16" or "int8"; Error(usage) otherwise.
Precision precision_of(const std::string& name);

// Forward, loss, backward, update by Adam, moving statistics, on a batch of strong_input. model outlives the pass.
class TrainingPass {
 public:
  TrainingPass(const Model<float>& model, std::vector<float> params, Index batch, Index frames, int threads,
               Precision precision);

  // A whole step; returns the loss. Throws Error(internal) when it is not finite.
  double step();
  // Forward and backward alone; returns the loss.
  double gradients();
  std::span<const float> gradient() const { return gradient_; }
  std::size_t bytes() const { return executor_.bytes(); }

 private:
  std::vector<float> params_, x_, dlogits_;
  std::vector<Index> labels_;
  Index batch_, frames_;
  ThreadPool pool_;
  ClassificationLoss loss_;
  Executor<float> executor_;
  Optimizer<float> optimizer_;
  std::span<const float> gradient_;
  std::uint64_t steps_ = 0;
};

// Forward and softmax of a batch with weights that were packed before.
class InferencePass {
 public:
  InferencePass(const Model<float>& model, std::vector<float> params, std::vector<float> x, Index batch, Index frames,
                int threads, Precision precision);

  void run();
  std::span<const double> probabilities() const { return probabilities_; }  // (batch, kClasses)
  std::size_t bytes() const { return executor_.bytes() + weights_.bytes(); }

 private:
  std::vector<float> params_, x_;
  Index batch_, frames_;
  ThreadPool pool_;
  PackedWeights<float> weights_;
  Executor<float> executor_;
  std::vector<double> probabilities_;
};

}  // namespace serene::bench
