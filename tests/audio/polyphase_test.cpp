#include "serene/audio/polyphase.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "serene/audio/resample.h"

using namespace serene;

namespace {

std::vector<float> tone(double hz, double rate_hz, Index n) {
  std::vector<float> y(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = static_cast<float>(0.5 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz + 0.3));
  }
  return y;
}

}  // namespace

TEST_CASE("polyphase: ratios of small numbers are found, others are not") {
  CHECK(small_ratio(0.5).up == 1);
  CHECK(small_ratio(0.5).down == 2);
  CHECK(small_ratio(8000.0 / 44100).up == 80);
  CHECK(small_ratio(8000.0 / 44100).down == 441);
  CHECK(small_ratio(std::exp2(std::log2(113.0 / 128))).up == 113);
  CHECK(small_ratio(std::numbers::pi / 4).up == 0);
  CHECK(small_ratio(1000).up == 0);
}

TEST_CASE("polyphase: a tone of the pass band stays where and what it is, one beyond the new band goes") {
  const std::pair<double, double> rates[] = {
      {16000, 8000}, {8000, 16000}, {22050, 8000}, {16000, 16000 * 113.0 / 128}, {16000, 16000 * 151.0 / 128}};
  for (const auto& [from, to] : rates) {
    const Index n = 8000;
    const double edge = 0.9 * std::min(from, to) / 2;
    for (const double hz : {200.0, 0.5 * edge, edge}) {
      const auto out = resample(tone(hz, from, n), from, to, ResampleQuality::medium);
      CHECK(static_cast<Index>(out.size()) == resampled_length(n, from, to));
      const auto ideal = tone(hz, to, static_cast<Index>(out.size()));
      double worst = 0;
      for (std::size_t i = 300; i + 300 < out.size(); ++i)
        worst = std::max(worst, std::abs(double(out[i]) - double(ideal[i])));
      CHECK(worst < 0.01);
    }
    if (to > from) continue;
    const auto gone = resample(tone(1.02 * to / 2, from, n), from, to, ResampleQuality::medium);
    double power = 0;
    for (std::size_t i = 300; i + 300 < gone.size(); ++i) power += double(gone[i]) * double(gone[i]);
    CHECK(power / static_cast<double>(gone.size()) < 1e-6);
  }
}

TEST_CASE("polyphase: one sample, and as good as the slow filter") {
  const std::vector<float> one = {0.5f};
  CHECK(resample(one, 16000, 8000, ResampleQuality::medium).size() == 1);
  CHECK(resample(one, 8000, 16000, ResampleQuality::medium).size() == 2);
  const auto y = tone(1000, 16000, 4000);
  const auto quick = resample(y, 16000, 8000, ResampleQuality::medium), slow = resample(y, 16000, 8000);
  double worst = 0;
  for (std::size_t i = 200; i + 200 < slow.size(); ++i)
    worst = std::max(worst, std::abs(double(quick[i]) - double(slow[i])));
  CHECK(worst < 1e-3);
}
