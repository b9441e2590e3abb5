#include "serene/call/background_noise.h"

#include <array>
#include <cmath>
#include <numbers>

#include "serene/core/random.h"

namespace serene {
namespace {

// Purpose::noise also serves the telephone line, whose second counters are small.
constexpr std::uint64_t kWhite = 100, kPlace = 101;

std::vector<float> to_unit_rms(std::vector<float> noise) {
  double power = 0;
  for (const float x : noise) power += static_cast<double>(x) * static_cast<double>(x);
  if (power <= 0) return noise;
  const double gain = std::sqrt(static_cast<double>(noise.size()) / power);
  for (float& x : noise) x = static_cast<float>(gain * static_cast<double>(x));
  return noise;
}

// Adds the recording, repeated from place `at`.
void add_repeated(std::vector<float>& out, std::span<const float> recording, std::size_t at) {
  for (float& x : out) {
    x += recording[at];
    at = at + 1 == recording.size() ? 0 : at + 1;
  }
}

}  // namespace

std::vector<float> white_noise(Index samples, std::uint64_t seed, std::uint64_t stream) {
  Random random(seed, Purpose::noise, stream, kWhite);
  std::vector<float> noise(static_cast<std::size_t>(samples));
  for (float& x : noise) x = static_cast<float>(random.normal());
  return to_unit_rms(std::move(noise));
}

std::vector<float> pink_noise(Index samples, int rate_hz, std::uint64_t seed, std::uint64_t stream) {
  std::vector<float> noise = white_noise(samples, seed, stream);
  constexpr int kPoles = 5;
  std::array<double, kPoles> keep{}, weight{}, state{};
  double corner = 16;
  for (std::size_t k = 0; k < kPoles; ++k, corner *= 4) {
    keep[k] = std::exp(-2 * std::numbers::pi * corner / rate_hz);
    weight[k] = (1 - keep[k]) / std::sqrt(corner);
  }
  for (float& x : noise) {
    double sum = 0;
    for (std::size_t k = 0; k < kPoles; ++k) {
      state[k] = keep[k] * state[k] + static_cast<double>(x);
      sum += weight[k] * state[k];
    }
    x = static_cast<float>(sum);
  }
  return to_unit_rms(std::move(noise));
}

std::vector<float> babble_noise(Index samples, const std::vector<std::vector<float>>& tracks, std::uint64_t seed,
                                std::uint64_t stream) {
  Random random(seed, Purpose::noise, stream, kPlace);
  std::vector<float> noise(static_cast<std::size_t>(samples), 0.0f);
  for (const std::vector<float>& track : tracks) add_repeated(noise, track, random.below(track.size()));
  return to_unit_rms(std::move(noise));
}

std::vector<float> repeated_noise(Index samples, std::span<const float> recording, std::uint64_t seed,
                                  std::uint64_t stream) {
  Random random(seed, Purpose::noise, stream, kPlace);
  std::vector<float> noise(static_cast<std::size_t>(samples), 0.0f);
  add_repeated(noise, recording, random.below(recording.size()));
  return to_unit_rms(std::move(noise));
}

}  // namespace serene
