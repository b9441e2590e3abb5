// Windows of features through the model, many at once: probabilities of the customer's states.
//
// An ensemble's members run one after the other on the same windows; their answers are mixed (recognizer.h).
//
//   session A ─ window ─┐
//   session B ─ window ─┼─► run(): one pass of the model ─► each window's own place for its answer
//   session C ─ window ─┘
//
// A window's answer is the same, bit for bit, whatever other windows are asked with it (nn/layer.h), so sessions that
// share a batch tell what they would tell alone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "serene/call/call_model.h"
#include "serene/call/speech_window.h"
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

  Index waiting() const noexcept { return static_cast<Index>(waiting_); }  // windows that the next run will take
  // The window in every stream of the model, each at most as long as the longest: copied and standardised. What
  // `answer` points to must stay until run() or forget(). A full batch runs by itself.
  void add(std::span<const SpeechFrames> streams, const WindowAnswer& answer) noexcept;
  // Answers every window that waits. A model whose answer is not finite is taken to say nothing: all labels alike.
  void run() noexcept;
  // Answers that point into [begin, end) of bytes are not given any more.
  void forget(const void* begin, const void* end) noexcept;

  std::int64_t passes() const noexcept { return passes_; }    // of the model; all its members count as one
  std::int64_t windows() const noexcept { return windows_; }  // in all passes
  std::size_t bytes() const noexcept;                         // held, the shared weights not counted

 private:
  // A member of the model at work.
  struct Lane {
    const RecognizerMember& member;
    Index most_frames, channels;
    double prior_frames;
    Executor<float> executor;
    std::vector<float> input;  // rows of most_frames * channels
    std::vector<Index> lengths;
    Normalizer running;          // scratch
    std::vector<double> answer;  // scratch, in the member's own label order
    SeqView<const float> logits;

    Lane(const CallModel& model, const RecognizerMember& member, Index max_windows, ThreadPool& pool);
    void take(const SpeechFrames& window, std::size_t row) noexcept;
    void run(Index count) noexcept;
  };

  void tell(std::size_t row, const WindowAnswer& answer) noexcept;

  const CallModel& model_;
  ThreadPool pool_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<WindowAnswer> answers_;
  std::vector<double> labels_;
  std::size_t waiting_ = 0;
  std::int64_t passes_ = 0, windows_ = 0;
};

}  // namespace serene
