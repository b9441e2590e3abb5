// A call from the sound card, through PortAudio: one channel is the customer alone, two are customer (left) and agent.
#pragma once

#include <memory>

#include "call_feed.h"

namespace serene::cli {

class Microphone : public CallFeed {
 public:
  // Opens the default input. Throws Error(input) when there is none or it cannot be opened, Error(usage) when the
  // program was built without PortAudio. keep: the sound is held in memory until the end, for recorded().
  explicit Microphone(bool keep);
  ~Microphone() override;

  std::array<int, leg_count> rate_hz() const override;
  bool agent_leg() const override;
  bool live() const override { return true; }
  bool push_next(CallInput& input) override;
  const CallAudio& recorded() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serene::cli
