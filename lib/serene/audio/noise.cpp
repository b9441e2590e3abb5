#include "serene/audio/noise.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "serene/core/random.h"

namespace serene {
namespace {

// Purpose::noise also serves the telephone line, whose second counters are small.
constexpr std::uint64_t kWhite = 100, kPlace = 101, kSyllables = 102;

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

std::vector<float> syllabic_noise(Index samples, int rate_hz, std::uint64_t seed, std::uint64_t stream) {
  constexpr int kVoices = 4;
  std::vector<float> noise(static_cast<std::size_t>(samples), 0.0f);
  for (std::uint64_t voice = 0; voice < kVoices; ++voice) {
    Random random(seed, Purpose::noise, stream * kVoices + voice, kSyllables);
    const std::vector<float> carrier = pink_noise(samples, rate_hz, random.bits(), stream * kVoices + voice);
    double phase = random.uniform(), per_sample = 0, loudness = 0;
    for (std::size_t i = 0; i < noise.size(); ++i) {
      if (i == 0 || phase >= 1) {  // a new syllable, of its own length and loudness
        phase -= std::floor(phase);
        per_sample = random.uniform(2.5, 6) / rate_hz;
        loudness = random.uniform(0.2, 1);
      }
      const double swell = std::sin(std::numbers::pi * phase);
      noise[i] += static_cast<float>(loudness * swell * swell * static_cast<double>(carrier[i]));
      phase += per_sample;
    }
  }
  return to_unit_rms(std::move(noise));
}

double mean_power(std::span<const float> samples) noexcept {
  double sum = 0;
  for (const float x : samples) sum += static_cast<double>(x) * static_cast<double>(x);
  return samples.empty() ? 0 : sum / static_cast<double>(samples.size());
}

double active_power(std::span<const float> samples, int rate_hz) noexcept {
  const std::size_t block = std::max<std::size_t>(1, static_cast<std::size_t>(rate_hz / 50));
  const auto power_at = [&](std::size_t begin) {
    return mean_power(samples.subspan(begin, std::min(block, samples.size() - begin)));
  };
  double loudest = 0, sum = 0, count = 0;
  for (std::size_t i = 0; i < samples.size(); i += block) loudest = std::max(loudest, power_at(i));
  if (loudest <= 0) return 0;
  for (std::size_t i = 0; i < samples.size(); i += block) {
    const double power = power_at(i);
    if (power < 1e-3 * loudest) continue;
    const auto length = static_cast<double>(std::min(block, samples.size() - i));
    sum += power * length, count += length;
  }
  return sum / count;
}

void add_noise(std::span<float> samples, std::span<const float> noise, int rate_hz, double snr_db) noexcept {
  const double voice = active_power(samples, rate_hz), power = mean_power(noise);
  if (voice <= 0 || power <= 0) return;
  const double gain = std::sqrt(voice / power * std::pow(10, -snr_db / 10));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(static_cast<double>(samples[i]) + gain * static_cast<double>(noise[i]));
  }
}

}  // namespace serene
