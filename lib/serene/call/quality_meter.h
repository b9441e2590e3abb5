// How well one leg can be heard: loss, clipping, level, distance from the noise; a lamp for the screen.
//
//   lamp    lost samples   clipped samples   speech over noise   level of speech
//   fair    above 1 %      above 0.1 %       below 15 dB         below -48 dBFS
//   poor    above 5 %      above 1 %         below 8 dB          below -55 dBFS
//
// The worst of the four counts; the last two once half a second of voice was heard. A lamp that is lit changes when two
// judgements in a row (quality_every_s apart) are both worse, or both better: to the nearer of the two.
//
// Shares are of the last quality_every_s, level and distance slow means over about a second of voice. Band limited:
// less than 0.1 % of the voice's energy lies above 3800 Hz.
#pragma once

#include <cstdint>

#include "serene/call/advisor.h"
#include "serene/call/call_config.h"
#include "serene/call/leg_input.h"

namespace serene {

// Belongs to one session; nothing allocates.
class QualityMeter {
 public:
  // rate_hz: of the samples that are measured.
  QualityMeter(const CallConfig& config, Leg leg, int rate_hz);

  // One block that ends at t_ms. Sends a quality event when quality_every_s have passed and the lamp changed or nothing
  // was sent for ten seconds.
  void add(const LegBlock& block, std::int64_t t_ms, AdvisorSink& sink) noexcept;

 private:
  void measure(const LegBlock& block) noexcept;
  Lamp lamp(double loss, double clipping) const noexcept;
  Lamp steady(Lamp judged) noexcept;
  Event event(const LegBlock& block, std::int64_t t_ms) const noexcept;

  Leg leg_;
  Index block_samples_;
  std::int64_t every_ms_;
  std::int64_t last_check_ms_ = 0, last_sent_ms_ = 0;
  bool sent_ = false;
  Lamp lamp_ = Lamp::good, judged_ = Lamp::good;  // shown; of the last judgement
  Index samples_ = 0, lost_ = 0, clipped_ = 0;
  double all_square_ = 0, voice_square_ = 0, voice_band_ = 0;
  int voiced_ = 0;
};

}  // namespace serene
