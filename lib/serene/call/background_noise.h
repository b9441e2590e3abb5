// Background noise of simulated calls.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/core/types.h"

namespace serene {

// Noise of RMS 1 (in the mean over the whole length); pure functions of their arguments, thread-safe. stream: legs have
// numbers of their own.

// The same power at every frequency; normal distribution.
std::vector<float> white_noise(Index samples, std::uint64_t seed, std::uint64_t stream);

// Power that falls by 3 dB per octave between 16 Hz and 4 kHz, within 1 dB: white noise through five one-pole
// low-passes side by side, whose corners f_k lie two octaves apart, weighted with 1 / sqrt(f_k).
std::vector<float> pink_noise(Index samples, int rate_hz, std::uint64_t seed, std::uint64_t stream);

// People talking in the background: the sum of the tracks, each repeated without end from a random place. No track may
// be empty.
std::vector<float> babble_noise(Index samples, const std::vector<std::vector<float>>& tracks, std::uint64_t seed,
                                std::uint64_t stream);

// A recording repeated from a random place; it must not be empty.
std::vector<float> repeated_noise(Index samples, std::span<const float> recording, std::uint64_t seed,
                                  std::uint64_t stream);

}  // namespace serene
