// Which frames of a clip a model sees: all of them, its middle, or windows that overlap by half and vote.
//
//   middle   |      [-- most --]       |
//   vote     [-- most --]              |      the last window ends with the clip
//            |      [-- most --]       |
//            |           [-- most --]--|
//
// The answer of a vote is the softmax of the mean of the windows' logits, that is their geometric mean: windows of one
// clip are not independent, so agreement must not make the answer surer than each of them is, and the temperature that
// was fitted on such means stays exact.
#pragma once

#include <algorithm>
#include <string>

#include "serene/core/types.h"

namespace serene {

enum class LongClips { middle, vote };

// As in a config.
inline const char* to_string(LongClips how) noexcept { return how == LongClips::vote ? "vote" : "middle"; }

// All functions take the frames of the clip, at least 1. A value; thread-safe.
struct ClipCut {
  Index max_frames = 0;  // 0: clips are taken whole
  LongClips long_clips = LongClips::middle;

  ClipCut() = default;
  ClipCut(Index most, LongClips how = LongClips::middle) : max_frames(most), long_clips(how) {}  // 0: whole

  // Whether a clip is too long.
  bool cuts(Index frames) const noexcept { return max_frames > 0 && frames > max_frames; }
  // Frames of every window of the clip.
  Index length(Index frames) const noexcept { return cuts(frames) ? max_frames : frames; }
  Index count(Index frames) const noexcept {
    if (!cuts(frames) || long_clips == LongClips::middle) return 1;
    return 1 + (frames - max_frames + hop() - 1) / hop();
  }
  // Where window i begins, 0 <= i < count(frames).
  Index first(Index frames, Index i) const noexcept {
    const Index spare = frames - length(frames);
    return long_clips == LongClips::middle ? spare / 2 : std::min(spare, i * hop());
  }

 private:
  Index hop() const noexcept { return std::max<Index>(1, max_frames / 2); }
};

}  // namespace serene
