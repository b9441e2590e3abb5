// The sound of a call as the dashboard may hear it: what has been played so far, both legs on one clock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

// Both functions are called from the server's thread and must be thread-safe. Empty functions: no sound is kept.
struct CallSound {
  int rate_hz = 0;
  std::function<Index()> played;  // frames played so far; never falls
  // Frames from, from + 1, ... of both legs; the spans are of equal length and end at most at played().
  std::function<void(Index from, std::span<float> customer, std::span<float> agent)> read;

  explicit operator bool() const noexcept { return rate_hz > 0 && played && read; }  // whether there is sound to play
};

// The sound of recorded legs (customer, agent), of which played_ms milliseconds may be heard. Legs of different rates
// are resampled to the higher one, here and once; the shorter leg is silent to the end of the longer. Throws Error for
// a rate that is not positive.
CallSound recorded_sound(std::array<int, 2> rate_hz, std::array<std::vector<float>, 2> samples,
                         std::shared_ptr<const std::atomic<std::int64_t>> played_ms);

// A WAV file in memory (RIFF, PCM, 16 bit, two channels): left and right of equal length, clipped at full scale; a
// sample that is not finite becomes 0.
std::string stereo_wave16(std::span<const float> left, std::span<const float> right, int rate_hz);

}  // namespace serene
