// Silence at the ends and between the loud parts, as librosa.effects.trim and librosa.effects.split.
//
// A frame is loud when 20 log10(max(1e-5, rms)) - 20 log10(max(1e-5, ref)) > -top_db. A wholly silent signal (against
// its own maximum) counts as loud throughout and stays as it is.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "serene/core/types.h"

namespace serene {

struct SampleRange {
  Index begin = 0, end = 0;  // samples [begin, end)
  bool operator==(const SampleRange&) const = default;
};

// The stretch from the first to the last loud frame; [0, 0) when there is none. ref: none means the loudest frame.
// Throws Error as rms() does (descriptors.h).
template <class S>
SampleRange trim(std::span<const S> y, double top_db = 60, Index frame_length = 2048, Index hop_length = 512,
                 std::optional<double> ref = {});

// The runs of loud frames. Throws Error as trim().
template <class S>
std::vector<SampleRange> split(std::span<const S> y, double top_db = 60, Index frame_length = 2048,
                               Index hop_length = 512, std::optional<double> ref = {});

}  // namespace serene
