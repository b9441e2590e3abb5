#include "serene/call/turn_taking.h"

#include <algorithm>
#include <cmath>

#include "serene/call/session.h"

namespace serene {

TurnTaking::TurnTaking(const CallConfig& config, bool agent_leg)
    : overlap_after_ms_(std::llround(config.overlap_after_s * 1000)),
      silence_after_ms_(std::llround(config.silence_after_s * 1000)),
      agent_leg_(agent_leg) {}

bool TurnTaking::anyone() const noexcept { return legs_[0].speaks || legs_[1].speaks; }

std::int64_t TurnTaking::silence_ms(std::int64_t t_ms) const noexcept {
  return anyone() ? 0 : t_ms - std::max(legs_[0].ended_ms, legs_[1].ended_ms);
}

void TurnTaking::send(EventType type, EventAction action, std::int64_t t_ms, std::int64_t at_ms,
                      std::int64_t duration_ms, AdvisorSink& sink) noexcept {
  Event e;
  e.type = type;
  e.action = action;
  e.t_ms = t_ms;
  e.at_ms = at_ms;
  e.duration_ms = duration_ms;
  sink.emit(e);
}

void TurnTaking::stop(Leg leg, std::int64_t at_ms, std::int64_t t_ms, AdvisorSink& sink) noexcept {
  Speaker& s = legs_[static_cast<std::size_t>(leg)];
  s.speaks = false;
  s.ended_ms = std::max(at_ms, s.began_ms);
  s.total_ms += s.ended_ms - s.began_ms;
  Event e;
  e.type = EventType::speech;
  e.action = EventAction::stop;
  e.leg = leg;
  e.t_ms = t_ms;
  e.at_ms = s.ended_ms;
  sink.emit(e);
}

void TurnTaking::follow(Leg leg, const LegBlock& block, std::int64_t t_ms, AdvisorSink& sink) noexcept {
  Speaker& s = legs_[static_cast<std::size_t>(leg)];
  if (block.voiced) s.voiced_ms = t_ms;
  if (block.speech == s.speaks) return;
  const std::int64_t start_ms = t_ms - block_ms;
  if (!block.speech) {
    stop(leg, start_ms - block.hangover_blocks * block_ms, t_ms, sink);
    return;
  }
  s.speaks = true;
  // Speech that comes back at once cannot begin before it ended.
  s.began_ms = std::max<std::int64_t>(start_ms - block.onset_blocks * block_ms, s.ended_ms);
  Event e;
  e.type = EventType::speech;
  e.action = EventAction::start;
  e.leg = leg;
  e.t_ms = t_ms;
  e.at_ms = s.began_ms;
  sink.emit(e);
}

void TurnTaking::follow_overlap(std::int64_t t_ms, AdvisorSink& sink) noexcept {
  if (legs_[0].speaks && legs_[1].speaks) {
    if (overlap_.began_ms < 0) overlap_.began_ms = std::max(legs_[0].began_ms, legs_[1].began_ms);
    // Both voices must have been heard so late: a hangover is no voice.
    const std::int64_t heard_ms = std::min(legs_[0].voiced_ms, legs_[1].voiced_ms);
    if (overlap_.open || heard_ms - overlap_.began_ms < overlap_after_ms_) return;
    overlap_.open = true;
    send(EventType::overlap, EventAction::start, t_ms, overlap_.began_ms, 0, sink);
    return;
  }
  if (overlap_.open) {
    std::int64_t end_ms = t_ms;
    for (const Speaker& s : legs_) {
      if (!s.speaks) end_ms = std::min(end_ms, s.ended_ms);
    }
    end_ms = std::max(end_ms, overlap_.began_ms);
    send(EventType::overlap, EventAction::stop, t_ms, end_ms, end_ms - overlap_.began_ms, sink);
  }
  overlap_ = {};
}

void TurnTaking::follow_silence(std::int64_t t_ms, AdvisorSink& sink) noexcept {
  if (!anyone()) {
    silence_.began_ms = std::max(legs_[0].ended_ms, legs_[1].ended_ms);
    if (silence_.open || t_ms - silence_.began_ms < silence_after_ms_) return;
    silence_.open = true;
    send(EventType::silence, EventAction::start, t_ms, silence_.began_ms, 0, sink);
    return;
  }
  if (silence_.open) {
    std::int64_t end_ms = t_ms;
    for (const Speaker& s : legs_) {
      if (s.speaks) end_ms = std::min(end_ms, s.began_ms);
    }
    end_ms = std::max(end_ms, silence_.began_ms);
    send(EventType::silence, EventAction::stop, t_ms, end_ms, end_ms - silence_.began_ms, sink);
  }
  silence_ = {};
}

void TurnTaking::add(const Blocks& blocks, std::int64_t t_ms, AdvisorSink& sink) noexcept {
  follow(Leg::customer, *blocks[0], t_ms, sink);
  if (agent_leg_) follow(Leg::agent, *blocks[1], t_ms, sink);
  follow_overlap(t_ms, sink);
  follow_silence(t_ms, sink);
}

void TurnTaking::finish(std::int64_t t_ms, AdvisorSink& sink) noexcept {
  for (const Leg leg : {Leg::customer, Leg::agent}) {
    if (speaks(leg)) stop(leg, t_ms, t_ms, sink);
  }
  follow_overlap(t_ms, sink);
  if (silence_.open) {
    send(EventType::silence, EventAction::stop, t_ms, t_ms, t_ms - silence_.began_ms, sink);
    silence_ = {};
  }
}

}  // namespace serene
