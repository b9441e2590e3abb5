// One leg's samples cut into blocks of 20 ms, whatever the pushes were, each judged once: speech, loss, clipping,
// level.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/audio/voice_activity.h"
#include "serene/core/types.h"

namespace serene {

// What one block of a leg tells.
struct LegBlock {
  bool speech = false;      // voice activity, hangover included
  bool voiced = false;      // the block itself
  bool lost = false;        // more than half of it was lost
  bool forgotten = false;   // customer: so long without speech that earlier feelings no longer count
  int window = -1;          // customer: place of a result of the model that belongs to this block; -1: none
  int onset_blocks = 0;     // when speech begins here: so many blocks before this one
  int hangover_blocks = 0;  // when speech ended before this block: so many blocks before
  Index lost_samples = 0, clipped_samples = 0;
  std::int64_t bad_samples = 0;  // not finite, since the start
  std::int64_t speech_ms = 0;    // heard so far, onsets included, lost blocks not
  double mean_square = 0;
  double level_db = -120, floor_db = -120;  // within the band of voice activity
  double high_band_share = 0;
};

// Belongs to one session; nothing allocates after construction.
class LegInput {
 public:
  // Throws Error(usage) for a rate that is not possible.
  LegInput(int rate_hz, const VoiceActivityConfig& config);

  Index block() const noexcept { return static_cast<Index>(block_.size()); }  // samples of a block
  Index filled() const noexcept { return filled_; }
  bool full() const noexcept { return filled_ == block(); }  // a whole block waits

  // Takes samples up to the end of the block; returns how many. Not finite counts as 0, beyond +-16 is cut there.
  Index take(std::span<const float> samples) noexcept;
  // The same for samples that were lost: zeros.
  Index take_lost(Index samples) noexcept;
  // The last block of a call is filled up with silence.
  void fill_silence() noexcept;

  // Judges the full block; its samples stay readable until the next take.
  LegBlock judge() noexcept;
  std::span<const float> samples() const noexcept { return block_; }

 private:
  VoiceActivity voice_;
  std::vector<float> block_;
  Index filled_ = 0, lost_ = 0, clipped_ = 0;
  std::int64_t bad_ = 0, speech_blocks_ = 0;
  bool speaking_ = false;
};

}  // namespace serene
