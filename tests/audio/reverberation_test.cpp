#include "serene/audio/reverberation.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "serene/audio/noise.h"
#include "serene/core/error.h"

using namespace serene;

namespace {

constexpr int kRate = 16000;

std::vector<float> response(double rt60_s, double direct_db, std::uint64_t seed = 1, int rate = kRate) {
  return room_impulse_response({rt60_s, direct_db}, rate, Random(seed, Purpose::test));
}

// Schroeder's backward integration of everything after the direct sound; the line through -5 to -30 dB.
double measured_rt60(const std::vector<float>& h, int rate) {
  std::vector<double> decay(h.size());
  double sum = 0;
  for (std::size_t i = h.size(); i-- > 1;) {
    sum += static_cast<double>(h[i]) * static_cast<double>(h[i]);
    decay[i] = sum;
  }
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = 1; i < h.size(); ++i) {
    const double db = 10 * std::log10(decay[i] / sum), t = static_cast<double>(i) / rate;
    if (db > -5 || db < -30) continue;
    n += 1, x += t, y += db, xx += t * t, xy += t * db;
  }
  return -60 / ((n * xy - x * y) / (n * xx - x * x));
}

std::vector<float> noise(Index n, std::uint64_t seed = 4) { return white_noise(n, seed, 0); }

}  // namespace

TEST_CASE("reverberation: the response decays in the time asked for, and its direct sound stands over the rest") {
  for (const double rt60 : {0.2, 0.4, 0.8, 1.5}) {
    for (const int rate : {8000, 16000}) {
      double mean = 0;
      for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const double measured = measured_rt60(response(rt60, 3, seed, rate), rate);
        CHECK(measured == doctest::Approx(rt60).epsilon(0.1));
        mean += measured / 5;
      }
      CHECK(mean == doctest::Approx(rt60).epsilon(0.05));
    }
  }
  for (const double direct_db : {-3.0, 0.0, 12.0}) {
    const auto h = response(0.5, direct_db);
    CHECK(h[0] == 1.0f);
    const double rest = mean_power(std::span(h).subspan(1)) * static_cast<double>(h.size() - 1);
    CHECK(-10 * std::log10(rest) == doctest::Approx(direct_db).epsilon(0.01));
  }
  CHECK(response(0.5, 3) == response(0.5, 3));
  CHECK(response(0.5, 3, 1) != response(0.5, 3, 2));
}

TEST_CASE("reverberation: convolution is that of the definition, over blocks and parts of any length") {
  for (const auto& [n, m] :
       {std::pair<Index, Index>{1, 1}, {5, 3}, {16384, 2}, {16385, 40}, {40, 16400}, {40000, 33000}}) {
    const std::vector<float> x = noise(n, 1), h = noise(m, 2), y = convolve(x, h);
    REQUIRE(static_cast<Index>(y.size()) == n + m - 1);
    const auto size = static_cast<Index>(y.size());
    double worst = 0;
    for (Index t = 0; t < size; t += std::max<Index>(1, size / 97)) {
      double sum = 0;
      for (Index k = std::max<Index>(0, t - n + 1); k < m && k <= t; ++k) {
        sum += static_cast<double>(x[static_cast<std::size_t>(t - k)]) *
               static_cast<double>(h[static_cast<std::size_t>(k)]);
      }
      worst = std::max(worst, std::abs(sum - static_cast<double>(y[static_cast<std::size_t>(t)])));
    }
    CHECK(worst < 1e-5 * (10 + static_cast<double>(std::min(n, m))));
  }
  CHECK(convolve({}, noise(3)).empty());
}

TEST_CASE("reverberation: length and level stay, the end of a sound rings on") {
  std::vector<float> dry = noise(kRate);
  std::fill(dry.begin() + kRate / 2, dry.end(), 0.0f);
  const Room room{0.6, 0};
  const auto wet = reverberate(dry, kRate, room, Random(1, Purpose::test));
  CHECK(wet.size() == dry.size());
  CHECK(10 * std::log10(mean_power(wet) / mean_power(dry)) == doctest::Approx(0).epsilon(0.001));
  CHECK(mean_power(std::span(wet).subspan(kRate / 2 + 800, 1600)) > 1e-3);
}

TEST_CASE("reverberation: nothing, one sample and silence are no trouble; rooms that cannot be are refused") {
  const Random random(1, Purpose::test);
  CHECK(reverberate({}, kRate, {}, random).empty());
  const std::vector<float> one = {0.5f}, silent(100, 0.0f);
  CHECK(reverberate(one, kRate, {}, random)[0] == doctest::Approx(0.5));
  CHECK(reverberate(silent, kRate, {}, random) == silent);
  const auto refused = [&](Room room, int rate, const char* word) {
    std::string text;
    try {
      room_impulse_response(room, rate, random);
    } catch (const Error& e) {
      text = e.what();
    }
    CHECK_MESSAGE(text.find(word) != std::string::npos, text);
  };
  refused({0, 3}, kRate, "rt60_s");
  refused({NAN, 3}, kRate, "rt60_s");
  refused({1000, 3}, kRate, "rt60_s");
  refused({0.5, 100}, kRate, "direct_to_reverberant_db");
  refused({0.5, 3}, 10, "rate_hz");
}
