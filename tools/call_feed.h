// Where the audio of a playing call comes from: 20 ms of both legs at a time, from memory or from a microphone.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "serene/call/call_audio.h"
#include "serene/call/session.h"

namespace serene::cli {

// The way into a session. The player makes one that notes when each push began.
class CallInput {
 public:
  virtual ~CallInput() = default;
  virtual void push(Leg leg, std::span<const float> samples) = 0;
  virtual void lose(Leg leg, Index samples) = 0;
};

class CallFeed {
 public:
  virtual ~CallFeed() = default;
  virtual std::array<int, leg_count> rate_hz() const = 0;
  virtual bool agent_leg() const = 0;
  // True: audio comes when it comes, the player does not keep the time.
  virtual bool live() const { return false; }
  // Pushes the next 20 ms, the agent's leg first, so that events come with the customer's push. False: the call is
  // over and nothing was pushed. A live feed waits at most 100 ms and may push nothing.
  virtual bool push_next(CallInput& input) = 0;
  virtual const char* ending() const { return "finished"; }  // "reason" of the event call/end
};

// Plays a CallAudio, which must outlive it; the shorter leg goes on as silence, lost pieces are reported as such.
class RecordedFeed : public CallFeed {
 public:
  RecordedFeed(const CallAudio& audio, bool agent_leg);

  std::array<int, leg_count> rate_hz() const override { return audio_.rate_hz; }
  bool agent_leg() const override { return agent_leg_; }
  bool push_next(CallInput& input) override;
  const char* ending() const override { return audio_.hang_up ? "hang_up" : "finished"; }

 private:
  struct Gap {
    Index first = 0, count = 0;
  };
  void push_leg(std::size_t leg, CallInput& input);

  const CallAudio& audio_;
  bool agent_leg_;
  Index blocks_ = 0, next_ = 0;
  std::array<std::vector<Gap>, leg_count> gaps_;
  std::array<std::size_t, leg_count> gap_at_{};
  std::array<std::vector<float>, leg_count> silence_;
};

}  // namespace serene::cli
