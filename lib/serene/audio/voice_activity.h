// Voice activity: is a block of 20 ms speech?
//
// A block is voiced when its level within 100..3800 Hz stands threshold_db over the noise floor, above min_level_dbfs,
// and its spectrum is not flat. The same band is judged at every rate, so that wide-band and telephone audio get the
// same decisions.
//   level     mean square of the last 32 ms within the band
//   floor     smallest level, smoothed over about 40 ms, of the last four seconds (minimum statistics: R. Martin, Noise
//             power spectral density estimation based on optimal smoothing and minimum statistics, 2001), plus 2 dB
//   flatness  geometric over arithmetic mean of the power spectrum, averaged over about three blocks and raised by 3 dB
//             an octave: white noise lies near 0.65, pink noise near 0.8, voices below 0.4
// Speech begins after onset_ms of voiced blocks and goes on for hangover_ms after the last one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "serene/core/json.h"
#include "serene/core/types.h"

namespace serene {

struct VoiceActivityConfig {
  double threshold_db = 9;      // level over the noise floor
  double min_level_dbfs = -55;  // quieter is never speech
  double max_flatness = 0.5;    // 0 (a tone) to 1 (perfectly flat)
  double onset_ms = 60;         // so much speech before it counts
  double hangover_ms = 300;     // speech goes on for so long after the last voiced block
};

VoiceActivityConfig voice_activity_from_json(JsonReader& reader);  // calls finish()
// Every key with its value: what voice_activity_from_json reads.
Json to_json(const VoiceActivityConfig& config);

// Belongs to one thread at a time. Nothing allocates after construction.
class VoiceActivity {
 public:
  // Throws Error(usage) unless rate_hz is a multiple of 50 within 8000..192000.
  explicit VoiceActivity(int rate_hz, const VoiceActivityConfig& config = {});
  ~VoiceActivity();
  VoiceActivity(VoiceActivity&&) noexcept;

  Index block() const noexcept;  // samples of a block, rate_hz / 50
  // One block of exactly block() finite samples; true while speech goes on (hangover included).
  bool push(std::span<const float> samples) noexcept;
  // A block that was lost on the way: counts as not voiced and teaches nothing about the noise.
  bool skip() noexcept;

  // Of the speech that push reported: blocks that passed before the onset was recognised (the speech began so many
  // blocks before the block that made push return true).
  Index onset_blocks() const noexcept;
  Index hangover_blocks() const noexcept;    // blocks of speech after the last voiced one
  bool voiced() const noexcept;              // the last block itself, without onset and hangover
  double level_dbfs() const noexcept;        // of the last block, within the band; at least -120
  double noise_floor_dbfs() const noexcept;  // at least -75
  double high_band_share() const noexcept;   // slow mean of the energy above 3800 Hz over all, for "band limited"

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace serene
