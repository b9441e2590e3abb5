// Windows of features through the model, many at once: probabilities of the customer's states.
//
//   session A ─ window ─┐
//   session B ─ window ─┼─► run(): one pass of the model ─► each window's own place for its answer
//   session C ─ window ─┘
//
// A window's answer is the same, bit for bit, whatever other windows are asked with it (nn/layer.h), so sessions that
// share a batch tell what they would tell alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/call/call_model.h"
#include "serene/core/thread_pool.h"
#include "serene/nn/executor.h"

namespace serene {

// Where an answer goes.
struct WindowAnswer {
  std::span<double> probabilities;  // one per state; they sum to 1
  bool* ready = nullptr;            // becomes true with them
};

// Belongs, with all sessions that use it, to one thread at a time. Nothing allocates after construction.
class EmotionBatch {
 public:
  // model must outlive the batch. Runs a full batch and a single window once, so that nothing is left for first use.
  // Throws Error(usage) when max_windows < 1 or the memory of a pass exceeds 1 GiB.
  EmotionBatch(const CallModel& model, Index max_windows, int threads = 1);

  Index waiting() const noexcept { return static_cast<Index>(waiting_); }
  // frames (1, n, F), normalised, n at most the longest window: copied. What `answer` points to must stay until run()
  // or forget(). A full batch runs by itself.
  void add(SeqView<const float> frames, const WindowAnswer& answer) noexcept;
  // Answers every window that waits. A model whose answer is not finite is taken to say nothing: all labels alike.
  void run() noexcept;
  // Answers that point into [begin, end) of bytes are not given any more.
  void forget(const void* begin, const void* end) noexcept;

  std::int64_t passes() const noexcept { return passes_; }    // of the model
  std::int64_t windows() const noexcept { return windows_; }  // in all passes
  std::size_t bytes() const noexcept;                         // held, the shared weights not counted

 private:
  void tell(std::span<const float> logits, const WindowAnswer& answer) noexcept;

  const CallModel& model_;
  Index most_frames_, channels_;
  ThreadPool pool_;
  Executor<float> executor_;
  std::vector<float> input_;  // rows of most_frames_ * channels_
  std::vector<Index> lengths_;
  std::vector<WindowAnswer> answers_;
  std::vector<double> labels_;
  std::size_t waiting_ = 0;
  std::int64_t passes_ = 0, windows_ = 0;
};

}  // namespace serene
