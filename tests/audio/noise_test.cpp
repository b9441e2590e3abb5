#include "serene/audio/noise.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "serene/audio/fft.h"
#include "serene/core/random.h"

using namespace serene;

namespace {

constexpr int kRate = 16000;

// A voice of one tone between two silences.
std::vector<float> voice_with_pauses() {
  std::vector<float> y(3 * kRate, 0.0f);
  for (std::size_t i = kRate; i < 2 * kRate; ++i) {
    y[i] = static_cast<float>(0.3 * std::sin(2 * std::numbers::pi * 200 * static_cast<double>(i) / kRate));
  }
  return y;
}

double ratio_db(double a, double b) { return 10 * std::log10(a / b); }

// Mean power of the spectrum between two frequencies.
double band_power(const std::vector<float>& y, double low_hz, double high_hz) {
  const RealFft<double> fft(65536);
  std::vector<double> x(y.begin(), y.begin() + 65536), power(static_cast<std::size_t>(fft.bins()));
  std::vector<double> scratch(static_cast<std::size_t>(fft.scratch_size()));
  fft.power(x.data(), power.data(), scratch.data());
  double sum = 0, count = 0;
  for (std::size_t k = 0; k < power.size(); ++k) {
    const double hz = static_cast<double>(k) * kRate / 65536;
    if (hz >= low_hz && hz < high_hz) sum += power[k], count += 1;
  }
  return sum / count;
}

}  // namespace

TEST_CASE("noise: the voice stands over it as asked for, measured while it speaks") {
  const std::vector<float> voice = voice_with_pauses();
  CHECK(mean_power(voice) == doctest::Approx(0.015).epsilon(0.001));
  CHECK(active_power(voice, kRate) == doctest::Approx(0.045).epsilon(0.001));  // the tone's alone
  const auto n = static_cast<Index>(voice.size());
  const std::vector<std::vector<float>> noises = {white_noise(n, 1, 0), pink_noise(n, kRate, 1, 0),
                                                  syllabic_noise(n, kRate, 1, 0), babble_noise(n, {voice}, 1, 0)};
  for (const auto& noise : noises) {
    for (const double snr_db : {-10.0, 0.0, 7.5, 30.0}) {
      std::vector<float> noisy = voice;
      add_noise(noisy, noise, kRate, snr_db);
      std::vector<float> added(noisy.size());
      for (std::size_t i = 0; i < noisy.size(); ++i) added[i] = noisy[i] - voice[i];
      CHECK(std::abs(ratio_db(active_power(voice, kRate), mean_power(added)) - snr_db) < 0.1);
    }
  }
}

TEST_CASE("noise: of unit power, another for another seed and stream, the same for the same") {
  for (const auto& make :
       {+[](std::uint64_t seed, std::uint64_t stream) { return white_noise(20000, seed, stream); },
        +[](std::uint64_t seed, std::uint64_t stream) { return pink_noise(20000, kRate, seed, stream); },
        +[](std::uint64_t seed, std::uint64_t stream) { return syllabic_noise(20000, kRate, seed, stream); }}) {
    CHECK(mean_power(make(1, 0)) == doctest::Approx(1).epsilon(1e-4));
    CHECK(make(1, 0) == make(1, 0));
    CHECK(make(1, 0) != make(2, 0));
    CHECK(make(1, 0) != make(1, 1));
  }
}

TEST_CASE("noise: white is flat, pink falls by 3 dB an octave, syllables swell and fade") {
  const std::vector<float> white = white_noise(70000, 3, 0), pink = pink_noise(70000, kRate, 3, 0);
  CHECK(std::abs(ratio_db(band_power(white, 200, 400), band_power(white, 1600, 3200))) < 0.5);
  CHECK(ratio_db(band_power(pink, 200, 400), band_power(pink, 1600, 3200)) == doctest::Approx(9).epsilon(0.15));
  // Power of blocks of 50 ms: nearly constant in white noise, strongly moving in syllables.
  const auto spread = [](const std::vector<float>& y) {
    double sum = 0, squares = 0, count = 0;
    for (std::size_t at = 0; at + 800 <= y.size(); at += 800, count += 1) {
      const double p = mean_power(std::span(y).subspan(at, 800));
      sum += p, squares += p * p;
    }
    return std::sqrt(squares / count - sum * sum / (count * count)) / (sum / count);
  };
  CHECK(spread(white) < 0.1);
  CHECK(spread(syllabic_noise(70000, kRate, 3, 0)) > 0.4);
}

TEST_CASE("noise: nothing, one sample and silence are no trouble") {
  std::vector<float> nothing, one = {0.5f}, silent(1000, 0.0f);
  add_noise(nothing, nothing, kRate, 10);
  add_noise(one, white_noise(1, 1, 0), kRate, 10);
  CHECK(std::isfinite(one[0]));
  add_noise(silent, white_noise(1000, 1, 0), kRate, 10);
  CHECK(silent == std::vector<float>(1000, 0.0f));
  add_noise(silent, silent, kRate, 10);
  CHECK(mean_power(nothing) == 0);
  CHECK(active_power(nothing, kRate) == 0);
  CHECK(active_power(silent, kRate) == 0);
  CHECK(syllabic_noise(0, kRate, 1, 0).empty());
  CHECK(syllabic_noise(1, kRate, 1, 0).size() == 1);
}
