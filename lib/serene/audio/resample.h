// Change of sample rate by libsamplerate's band-limited interpolation.
#pragma once

#include <span>
#include <vector>

#include "serene/core/types.h"

namespace serene {

// ceil(n * to_hz / from_hz): the length that librosa and soxr give.
Index resampled_length(Index n, double from_hz, double to_hz);

// best keeps 97 % of the narrower band and is what every recording goes through; medium keeps 90 %, 70 dB over its
// images, several times as fast for ratios of small numbers: enough for copies that are changed on purpose.
enum class ResampleQuality { best, medium };

// The signal at to_hz; sample 0 stays in place (no delay), the length is resampled_length. Rates may be fractions.
// Throws Error unless both are positive and their ratio lies within 1/256..256. Thread-safe.
std::vector<float> resample(std::span<const float> y, double from_hz, double to_hz,
                            ResampleQuality quality = ResampleQuality::best);

}  // namespace serene
