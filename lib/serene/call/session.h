// One live call: push the audio of two legs, receive events (event.h).
//
// The legs are cut into blocks of 20 ms. Voice activity runs on both; the emotion model runs on the customer's speech
// alone and never on the agent's. What concerns both legs (overlap, silence, order of events) is decided when both have
// reached a block, so events depend on the samples and never on how they were cut into pushes.
//
// Many calls on one thread may ask the model together: sessions that share an EmotionBatch hold their events back from
// the first window that has no answer, until deliver(). Events are the same, bit for bit, and in the same order.
//
// Nothing in push, lose, deliver, finish and the rest allocates, locks or calls the system once the session is
// constructed. A session belongs to one thread at a time; the CallModel is shared.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "serene/call/call_model.h"
#include "serene/call/event.h"

namespace serene {

class EmotionBatch;

// Length of a block of audio, the unit of all times of a call.
inline constexpr int block_ms = 20;

struct SessionOptions {
  std::array<int, leg_count> rate_hz{16000, 16000};  // 8000 to 192000, a multiple of 50
  bool agent_leg = true;         // false: the agent's side is not there; no overlap, silence from the customer alone
  bool consent = true;           // false: the model does not run until set_consent(true)
  double strain_before_min = 0;  // minutes of angry calls in a row before this one
  // Windows wait here for those of other sessions (emotion_batch.h). nullptr: the session asks the model by itself.
  EmotionBatch* batch = nullptr;
};

class Session {
 public:
  // Throws Error(usage) for a rate that is not possible. model, sink and batch must outlive the session. The event
  // call/start is sent at once.
  Session(const CallModel& model, const SessionOptions& options, EventSink& sink);
  ~Session();
  Session(Session&&) noexcept;

  // Mono samples of one leg, full scale 1. Returns how many were taken: fewer than given only when this leg runs more
  // than max_skew_s ahead of the other. A sample that is not finite counts as 0 and is reported as quality.
  Index push(Leg leg, std::span<const float> samples) noexcept;
  // So many samples were lost on the way: silence in their place, counted as loss. Returns how many were taken.
  Index lose(Leg leg, Index samples) noexcept;
  // With a batch: sends the events that waited for it. After EmotionBatch::run, or what was not asked waits on.
  void deliver() noexcept;
  // The call is over: the shorter leg is taken as silent to the end of the longer, open stretches stop, call/end comes
  // last. reason: a string literal. Afterwards nothing is taken.
  void finish(const char* reason = "finished") noexcept;

  // Someone has seen the alert: the event follows with the next block; it no longer escalates.
  void acknowledge(std::int64_t alert) noexcept;
  // The customer agrees or objects to the recognition of emotion. Takes effect at the next block.
  void set_consent(bool given) noexcept;

  std::int64_t time_ms() const noexcept;         // of the blocks that both legs have reached
  std::int64_t emotion_passes() const noexcept;  // windows given to the model so far, all of the customer's leg

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serene
