// Resampling by a ratio of small whole numbers: one short filter for each of the few places that an output sample can
// have between two input samples (polyphase interpolation; Crochiere and Rabiner, Multirate Digital Signal Processing,
// 1983). The filters are sincs in Kaiser's window: 90 % of the narrower band passes, images lie 70 dB below.
#pragma once

#include <span>
#include <vector>

#include "serene/core/types.h"

namespace serene {

struct SmallRatio {
  Index up = 0, down = 1;  // output rate over input rate; up 0: there is none
};

// The ratio as whole numbers of at most 512, both; {0, 1} where it is none.
SmallRatio small_ratio(double ratio) noexcept;

// `length` samples of y at up / down times its rate; sample 0 stays in place and what lies beyond the ends is silence.
// The ratio must be one that small_ratio gives. Thread-safe; the same bits everywhere.
std::vector<float> polyphase(std::span<const float> y, SmallRatio ratio, Index length);

}  // namespace serene
