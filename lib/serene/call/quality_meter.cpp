#include "serene/call/quality_meter.h"

#include <algorithm>
#include <cmath>

#include "serene/call/session.h"

namespace serene {
namespace {

constexpr double kFairLoss = 0.01, kPoorLoss = 0.05;
constexpr double kFairClipping = 0.001, kPoorClipping = 0.01;
constexpr double kFairSnrDb = 15, kPoorSnrDb = 8, kMostSnrDb = 99;
constexpr double kFairLevelDb = -48, kPoorLevelDb = -55, kLeastDb = -120;
constexpr double kNarrowShare = 0.001;
constexpr double kSmoothing = 0.02;
constexpr int kEnoughVoiced = 25;
constexpr std::int64_t kRepeatMs = 10000;

double decibels(double square) { return square > 1e-12 ? 10 * std::log10(square) : kLeastDb; }

Lamp graded(bool poor, bool fair) { return poor ? Lamp::poor : fair ? Lamp::fair : Lamp::good; }

}  // namespace

QualityMeter::QualityMeter(const CallConfig& config, Leg leg, int rate_hz)
    : leg_(leg), block_samples_(rate_hz * block_ms / 1000), every_ms_(std::llround(config.quality_every_s * 1000)) {}

void QualityMeter::measure(const LegBlock& block) noexcept {
  samples_ += block_samples_;
  lost_ += block.lost_samples;
  clipped_ += block.clipped_samples;
  all_square_ += block.mean_square * static_cast<double>(block_samples_);
  if (!block.voiced) return;
  voiced_ = std::min(voiced_ + 1, kEnoughVoiced);
  const double share = std::max(kSmoothing, 1.0 / voiced_);
  voice_square_ += share * (block.mean_square - voice_square_);
  voice_band_ += share * (std::pow(10, block.level_db / 10) - voice_band_);
}

Lamp QualityMeter::lamp(double loss, double clipping) const noexcept {
  return std::max(graded(loss > kPoorLoss, loss > kFairLoss),
                  graded(clipping > kPoorClipping, clipping > kFairClipping));
}

Event QualityMeter::event(const LegBlock& block, std::int64_t t_ms) const noexcept {
  const double n = static_cast<double>(std::max<Index>(samples_, 1));
  Event e;
  e.type = EventType::quality;
  e.leg = leg_;
  e.t_ms = e.at_ms = t_ms;
  e.loss = static_cast<double>(lost_) / n;
  e.clipping = static_cast<double>(clipped_) / n;
  e.bad_samples = block.bad_samples;
  e.lamp = lamp(e.loss, e.clipping);
  const bool heard = voiced_ >= kEnoughVoiced;
  e.level_dbfs = decibels(heard ? voice_square_ : all_square_ / n);
  if (!heard) return e;
  e.snr_db = std::clamp(decibels(voice_band_) - block.floor_db, 0.0, kMostSnrDb);
  e.band_limited = block.high_band_share < kNarrowShare;
  e.lamp = std::max({e.lamp, graded(e.snr_db < kPoorSnrDb, e.snr_db < kFairSnrDb),
                     graded(e.level_dbfs < kPoorLevelDb, e.level_dbfs < kFairLevelDb)});
  return e;
}

// The middle one of what is shown and the last two judgements; the first judgement is shown at once.
Lamp QualityMeter::steady(Lamp judged) noexcept {
  const Lamp before = sent_ ? judged_ : judged;
  judged_ = judged;
  const auto [low, high] = std::minmax(before, judged);
  return std::clamp(sent_ ? lamp_ : judged, low, high);
}

void QualityMeter::add(const LegBlock& block, std::int64_t t_ms, AdvisorSink& sink) noexcept {
  measure(block);
  if (t_ms - last_check_ms_ < every_ms_) return;
  Event e = event(block, t_ms);
  e.lamp = steady(e.lamp);
  last_check_ms_ = t_ms;
  samples_ = lost_ = clipped_ = 0;
  all_square_ = 0;
  if (sent_ && e.lamp == lamp_ && t_ms - last_sent_ms_ < kRepeatMs) return;
  sent_ = true;
  lamp_ = e.lamp;
  last_sent_ms_ = t_ms;
  sink.emit(e);
}

}  // namespace serene
