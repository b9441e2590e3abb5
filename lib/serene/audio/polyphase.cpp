#include "serene/audio/polyphase.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace serene {
namespace {

constexpr Index kMostParts = 512;
constexpr Index kHalf = 44;       // samples of the slower rate on either side
constexpr double kCutoff = 0.95;  // of the narrower band
constexpr double kBeta = 6.8;     // Kaiser's window for 70 dB
constexpr Index kSteps = 512;     // of the kernel's table to a sample
constexpr Index kLanes = 8;       // running sums of a product

double bessel_i0(double x) {
  double term = 1, sum = 1;
  for (int k = 1; k < 60; ++k) {
    term *= x * x / (4.0 * k * k);
    sum += term;
  }
  return sum;
}

// The kernel from 0 to kHalf samples away, and a zero behind.
const std::vector<double>& kernel() {
  static const std::vector<double> table = [] {
    std::vector<double> h(static_cast<std::size_t>(kHalf * kSteps + 2), 0.0);
    for (Index i = 0; i < kHalf * kSteps; ++i) {
      const double u = static_cast<double>(i) / kSteps, x = std::numbers::pi * kCutoff * u;
      const double place = u / kHalf;
      h[static_cast<std::size_t>(i)] =
          (i == 0 ? 1 : std::sin(x) / x) * bessel_i0(kBeta * std::sqrt(1 - place * place)) / bessel_i0(kBeta);
    }
    return h;
  }();
  return table;
}

double kernel_at(double u) {
  const double place = std::min(std::abs(u), static_cast<double>(kHalf)) * kSteps;
  const auto left = static_cast<std::size_t>(place);
  const double part = place - static_cast<double>(left);
  return kernel()[left] + part * (kernel()[left + 1] - kernel()[left]);
}

// Weights of the taps around an output sample that lies `fraction` behind the middle tap, with sum 1.
void fill_row(double fraction, double narrowing, Index before, std::span<float> row) {
  double sum = 0;
  const auto weight = [&](std::size_t k) {
    return kernel_at((static_cast<double>(static_cast<Index>(k) - before) - fraction) * narrowing);
  };
  for (std::size_t k = 0; k < row.size(); ++k) sum += weight(k);
  for (std::size_t k = 0; k < row.size(); ++k) row[k] = static_cast<float>(weight(k) / sum);
}

}  // namespace

SmallRatio small_ratio(double ratio) noexcept {
  for (Index down = 1; down <= kMostParts; ++down) {
    const double up = ratio * static_cast<double>(down), whole = std::round(up);
    if (whole < 1 || whole > static_cast<double>(kMostParts)) continue;
    if (std::abs(up - whole) < 1e-9 * whole) return {static_cast<Index>(whole), down};
  }
  return {};
}

std::vector<float> polyphase(std::span<const float> y, SmallRatio ratio, Index length) {
  const double narrowing = std::min(1.0, static_cast<double>(ratio.up) / static_cast<double>(ratio.down));
  const auto before = static_cast<Index>(std::ceil(static_cast<double>(kHalf) / narrowing));
  const Index taps = (2 * before + 2 + kLanes - 1) / kLanes * kLanes;
  std::vector<float> rows(static_cast<std::size_t>(ratio.up * taps));
  for (Index phase = 0; phase < ratio.up; ++phase) {
    const double fraction = static_cast<double>(phase) / static_cast<double>(ratio.up);
    fill_row(fraction, narrowing, before,
             std::span(rows).subspan(static_cast<std::size_t>(phase * taps), static_cast<std::size_t>(taps)));
  }
  const Index last = (length - 1) * ratio.down / ratio.up;
  std::vector<float> padded(static_cast<std::size_t>(std::max(last, static_cast<Index>(y.size())) + before + taps),
                            0.0f);
  std::copy(y.begin(), y.end(), padded.begin() + before);
  std::vector<float> out(static_cast<std::size_t>(length));
  for (Index n = 0; n < length; ++n) {
    const Index place = n * ratio.down;
    const float* const x = padded.data() + place / ratio.up;
    const float* const w = rows.data() + place % ratio.up * taps;
    std::array<float, kLanes> sums{};
    for (Index k = 0; k < taps; k += kLanes) {
      for (Index lane = 0; lane < kLanes; ++lane) sums[static_cast<std::size_t>(lane)] += x[k + lane] * w[k + lane];
    }
    float sum = 0;
    for (const float part : sums) sum += part;
    out[static_cast<std::size_t>(n)] = sum;
  }
  return out;
}

}  // namespace serene
