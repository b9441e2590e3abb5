#include "serene/call/leg_input.h"

#include <algorithm>
#include <cmath>

#include "serene/call/session.h"

namespace serene {
namespace {

constexpr float kLargest = 16;
// The largest values of G.711 are 0.980 (mu-law) and 0.984 (A-law) of full scale.
constexpr float kClipped = 0.98f;

}  // namespace

LegInput::LegInput(int rate_hz, const VoiceActivityConfig& config)
    : voice_(rate_hz, config), block_(static_cast<std::size_t>(voice_.block())) {}

Index LegInput::take(std::span<const float> samples) noexcept {
  if (full()) filled_ = 0;
  const Index n = std::min(static_cast<Index>(samples.size()), block() - filled_);
  float* out = block_.data() + filled_;
  for (Index i = 0; i < n; ++i) {
    const float v = samples[static_cast<std::size_t>(i)];
    const bool good = std::isfinite(v);
    out[i] = good ? std::clamp(v, -kLargest, kLargest) : 0.0f;
    bad_ += good ? 0 : 1;
    clipped_ += std::abs(out[i]) >= kClipped ? 1 : 0;
  }
  filled_ += n;
  return n;
}

Index LegInput::take_lost(Index samples) noexcept {
  if (full()) filled_ = 0;
  const Index n = std::clamp<Index>(samples, 0, block() - filled_);
  std::fill_n(block_.begin() + filled_, n, 0.0f);
  filled_ += n;
  lost_ += n;
  return n;
}

void LegInput::fill_silence() noexcept {
  if (full()) filled_ = 0;
  std::fill(block_.begin() + filled_, block_.end(), 0.0f);
  filled_ = block();
}

LegBlock LegInput::judge() noexcept {
  LegBlock b;
  b.lost = 2 * lost_ > block();
  b.speech = b.lost ? voice_.skip() : voice_.push(block_);
  b.voiced = voice_.voiced();
  if (b.speech && !speaking_) b.onset_blocks = static_cast<int>(voice_.onset_blocks());
  if (!b.speech && speaking_) b.hangover_blocks = static_cast<int>(voice_.hangover_blocks());
  if (b.speech) speech_blocks_ += (b.lost ? 0 : 1) + b.onset_blocks;
  speaking_ = b.speech;
  b.lost_samples = lost_;
  b.clipped_samples = clipped_;
  b.bad_samples = bad_;
  b.speech_ms = speech_blocks_ * block_ms;
  double energy = 0;
  for (const float v : block_) energy += static_cast<double>(v) * static_cast<double>(v);
  b.mean_square = energy / static_cast<double>(block());
  b.level_db = voice_.level_dbfs();
  b.floor_db = voice_.noise_floor_dbfs();
  b.high_band_share = voice_.high_band_share();
  lost_ = clipped_ = 0;
  return b;
}

}  // namespace serene
