// Noise of many kinds and how it is laid under a voice at a chosen signal-to-noise ratio.
//
// Every noise has RMS 1 (in the mean over the whole length) and is a pure function of its arguments; all functions are
// thread-safe. stream: noises of one seed that must differ, such as those of two legs of a call, have numbers of their
// own.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/core/types.h"

namespace serene {

// The same power at every frequency; normal distribution.
std::vector<float> white_noise(Index samples, std::uint64_t seed, std::uint64_t stream);

// Power that falls by 3 dB per octave between 16 Hz and 4 kHz, within 1 dB: white noise through five one-pole
// low-passes side by side, whose corners f_k lie two octaves apart, weighted with 1 / sqrt(f_k).
std::vector<float> pink_noise(Index samples, int rate_hz, std::uint64_t seed, std::uint64_t stream);

// People talking in the background: the sum of the tracks, each repeated without end from a random place. No track may
// be empty.
std::vector<float> babble_noise(Index samples, const std::vector<std::vector<float>>& tracks, std::uint64_t seed,
                                std::uint64_t stream);

// Babble without recordings: four voices of pink noise, each swelling and fading at its own 2.5 to 6 syllables a second
// (the modulation of speech is strongest about 4 Hz: Houtgast and Steeneken, 1985).
std::vector<float> syllabic_noise(Index samples, int rate_hz, std::uint64_t seed, std::uint64_t stream);

// A recording repeated from a random place; it must not be empty.
std::vector<float> repeated_noise(Index samples, std::span<const float> recording, std::uint64_t seed,
                                  std::uint64_t stream);

// Mean of x^2; 0 without samples.
double mean_power(std::span<const float> samples) noexcept;

// Mean power of a voice while it speaks: over the blocks of 20 ms that are at most 30 dB quieter than the loudest one.
// Pauses and silent ends do not count, so that a ratio to it says how the noise masks speech. 0 for silence.
double active_power(std::span<const float> samples, int rate_hz) noexcept;

// Adds the noise (as long as the samples), scaled to its mean power lying snr_db below active_power(samples). Silence
// stays silent, and noise without power adds nothing.
void add_noise(std::span<float> samples, std::span<const float> noise, int rate_hz, double snr_db) noexcept;

}  // namespace serene
