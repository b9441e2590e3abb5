#include "call_feed.h"

#include <algorithm>

namespace serene::cli {

RecordedFeed::RecordedFeed(const CallAudio& audio, bool agent_leg) : audio_(audio), agent_leg_(agent_leg) {
  for (std::size_t leg = 0; leg < leg_count; ++leg) {
    const Index block = audio.rate_hz[leg] * block_ms / 1000;
    silence_[leg].assign(static_cast<std::size_t>(block), 0.0f);
    const Index samples = static_cast<Index>(audio.samples[leg].size());
    if (block > 0) blocks_ = std::max(blocks_, (samples + block - 1) / block);
    for (const LostPiece& lost : audio.lost) {
      if (static_cast<std::size_t>(lost.leg) == leg) gaps_[leg].push_back({lost.first, lost.count});
    }
    std::sort(gaps_[leg].begin(), gaps_[leg].end(), [](const Gap& a, const Gap& b) { return a.first < b.first; });
  }
}

bool RecordedFeed::push_next(CallInput& input) {
  if (next_ >= blocks_) return false;
  if (agent_leg_) push_leg(static_cast<std::size_t>(Leg::agent), input);
  push_leg(static_cast<std::size_t>(Leg::customer), input);
  ++next_;
  return true;
}

void RecordedFeed::push_leg(std::size_t leg, CallInput& input) {
  const auto& samples = audio_.samples[leg];
  const Index block = static_cast<Index>(silence_[leg].size());
  const Index size = static_cast<Index>(samples.size());
  const Index end = (next_ + 1) * block;
  Index at = next_ * block;
  const auto heard = [&](Index until) {
    const Index there = std::clamp(size, at, until);
    if (there > at) {
      input.push(static_cast<Leg>(leg),
                 std::span(samples).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(there - at)));
    }
    if (until > there) {
      input.push(static_cast<Leg>(leg),
                 std::span<const float>(silence_[leg]).first(static_cast<std::size_t>(until - there)));
    }
    at = until;
  };
  auto& next_gap = gap_at_[leg];
  while (at < end && next_gap < gaps_[leg].size() && gaps_[leg][next_gap].first < end) {
    const Gap& gap = gaps_[leg][next_gap];
    const Index gap_end = gap.first + gap.count;
    if (gap.first > at) heard(gap.first);
    const Index lost = std::min(gap_end, end) - at;
    if (lost > 0) {
      input.lose(static_cast<Leg>(leg), lost);
      at += lost;
    }
    if (gap_end > end) break;
    ++next_gap;
  }
  if (at < end) heard(end);
}

}  // namespace serene::cli
