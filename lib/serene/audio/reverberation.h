// Synthetic rooms: an impulse response of direct sound, early reflections and a decaying tail, and convolution with it.
//
//   h[0] = 1                                              direct sound, not delayed
//   r[t] = 10^(-3 t / rt60) (e[t] + w[t] min(1, t / 20 ms))   reverberation from 2 ms on, until rt60
// e: ten reflections of either sign within 3 to 50 ms, denser with time (the density in a room grows with t^2); w:
// noise of normal distribution, duller above 4 kHz as walls and air make it. r is scaled to the drawn ratio of direct
// to reverberant energy. The statistical model is Polack's (1988; see Habets, Room impulse response generator, 2006,
// and Lehmann and Johansson, 2010, who join it to image sources); as augmentation: Ko et al., A study on data
// augmentation of reverberant speech for robust speech recognition, 2017. All functions are pure and thread-safe.
#pragma once

#include <span>
#include <vector>

#include "serene/core/random.h"
#include "serene/core/types.h"

namespace serene {

struct Room {
  double rt60_s = 0.4;                  // time in which the reverberation falls by 60 dB, 0.02 to 10
  double direct_to_reverberant_db = 3;  // energy of the direct sound over that of everything after it, -30 to 60
};

// round(rt60 * rate) samples, at least 1. Throws Error(usage) when the room is out of range or rate_hz is not within
// 1000 to 192000.
std::vector<float> room_impulse_response(const Room& room, int rate_hz, Random random);

// Full convolution, x.size() + h.size() - 1 samples (none when either is empty), by overlap-add of blocks with a
// partitioned kernel: memory grows with the lengths, never with their product.
std::vector<float> convolve(std::span<const float> x, std::span<const float> h);

// The samples in a room: same length (the tail beyond the end is cut), same mean power. Silence stays silent. Throws as
// room_impulse_response.
std::vector<float> reverberate(std::span<const float> samples, int rate_hz, const Room& room, const Random& random);

}  // namespace serene
