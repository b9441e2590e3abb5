// Who speaks when, on the time line that both legs share: speech, overlap, silence.
#pragma once

#include <array>
#include <cstdint>

#include "serene/call/advisor.h"
#include "serene/call/call_config.h"
#include "serene/call/leg_input.h"

namespace serene {

// Belongs to one session; nothing allocates.
class TurnTaking {
 public:
  using Blocks = std::array<const LegBlock*, leg_count>;

  // agent_leg: whether the agent is heard at all.
  TurnTaking(const CallConfig& config, bool agent_leg);

  // One block of both legs (the agent's may be null when there is no such leg); t_ms is its end. Sends speech, overlap
  // and silence, in this order, customer before agent.
  void add(const Blocks& blocks, std::int64_t t_ms, AdvisorSink& sink) noexcept;
  // Ends every stretch that is open.
  void finish(std::int64_t t_ms, AdvisorSink& sink) noexcept;

  bool speaks(Leg leg) const noexcept { return legs_[static_cast<std::size_t>(leg)].speaks; }  // now, as the events say
  // Both legs quiet for so long; 0 while someone speaks.
  std::int64_t silence_ms(std::int64_t t_ms) const noexcept;
  // Of the stretches of speech that have ended, from the voice's beginning to its end.
  std::int64_t speech_ms(Leg leg) const noexcept { return legs_[static_cast<std::size_t>(leg)].total_ms; }

 private:
  struct Speaker {
    bool speaks = false;
    std::int64_t began_ms = 0, voiced_ms = 0, ended_ms = 0, total_ms = 0;  // voiced_ms: end of the last voiced block
  };
  struct Stretch {
    bool open = false;  // its start was sent
    std::int64_t began_ms = -1;
  };
  void follow(Leg leg, const LegBlock& block, std::int64_t t_ms, AdvisorSink& sink) noexcept;
  void stop(Leg leg, std::int64_t at_ms, std::int64_t t_ms, AdvisorSink& sink) noexcept;
  static void send(EventType type, EventAction action, std::int64_t t_ms, std::int64_t at_ms, std::int64_t duration_ms,
                   AdvisorSink& sink) noexcept;
  void follow_overlap(std::int64_t t_ms, AdvisorSink& sink) noexcept;
  void follow_silence(std::int64_t t_ms, AdvisorSink& sink) noexcept;
  bool anyone() const noexcept;

  std::int64_t overlap_after_ms_, silence_after_ms_;
  bool agent_leg_;
  std::array<Speaker, leg_count> legs_;
  Stretch overlap_, silence_;
};

}  // namespace serene
