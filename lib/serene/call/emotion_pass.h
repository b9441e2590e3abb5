// One window of features through the model: probabilities of the customer's states.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/call/call_model.h"
#include "serene/core/thread_pool.h"
#include "serene/nn/executor.h"

namespace serene {

// The memory of one call's passes; nothing allocates after construction.
class EmotionPass {
 public:
  // model must outlive the pass. Runs the longest and the shortest window once, so that nothing is left for first use.
  explicit EmotionPass(const CallModel& model);

  // frames (1, n, F), normalised, n at most the longest window -> probabilities (one per state), which sum to 1. A
  // model whose answer is not finite is taken to say nothing: all labels alike.
  void run(SeqView<const float> frames, std::span<double> probabilities) noexcept;

  std::int64_t passes() const noexcept { return passes_; }

 private:
  const CallModel& model_;
  ThreadPool pool_{1};
  Executor<float> executor_;
  std::vector<double> labels_;
  std::int64_t passes_ = 0;
};

}  // namespace serene
