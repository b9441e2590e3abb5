// The real Fourier transform against its definition.
#include "serene/audio/fft.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "serene/core/error.h"
#include "serene/core/random.h"

using namespace serene;

namespace {

// Worst error of forward, power and inverse relative to the largest value.
template <class S>
double worst_error(Index n) {
  Random random(7, Purpose::test, static_cast<std::uint64_t>(n));
  std::vector<S> x(static_cast<std::size_t>(n));
  for (S& v : x) v = static_cast<S>(random.uniform(-1, 1));
  const RealFft<S> fft(n);
  std::vector<S> re(static_cast<std::size_t>(fft.bins())), im = re, power = re, back = x;
  std::vector<S> scratch(static_cast<std::size_t>(fft.scratch_size()), S(1e30));  // what is in scratch must not matter
  fft.forward(x.data(), re.data(), im.data(), scratch.data());
  fft.power(x.data(), power.data(), scratch.data());
  std::vector<double> cosine, sine;
  for (Index i = 0; i < n; ++i) {
    const double angle = -2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
    cosine.push_back(std::cos(angle));
    sine.push_back(std::sin(angle));
  }
  double worst = 0, largest = 0;
  for (Index k = 0; k < fft.bins(); ++k) {
    double sum_re = 0, sum_im = 0;
    for (Index i = 0; i < n; ++i) {
      const auto turn = static_cast<std::size_t>(k * i % n);
      sum_re += static_cast<double>(x[static_cast<std::size_t>(i)]) * cosine[turn];
      sum_im += static_cast<double>(x[static_cast<std::size_t>(i)]) * sine[turn];
    }
    const auto at = static_cast<std::size_t>(k);
    const double size = std::hypot(sum_re, sum_im);
    largest = std::max(largest, size);
    worst =
        std::max({worst, std::abs(static_cast<double>(re[at]) - sum_re), std::abs(static_cast<double>(im[at]) - sum_im),
                  std::abs(std::sqrt(static_cast<double>(power[at])) - size)});
  }
  fft.inverse(re.data(), im.data(), back.data(), scratch.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(back[i]) - static_cast<double>(x[i])));
  }
  return worst / std::max(1.0, largest);
}

}  // namespace

TEST_CASE("fft equals the discrete Fourier transform at every small power of two") {
  for (Index n = 2; n <= 4096; n *= 2) {
    CAPTURE(n);
    CHECK(worst_error<double>(n) < 1e-13);
    CHECK(worst_error<float>(n) < 1e-6);
  }
}

TEST_CASE("fft refuses other lengths") {
  for (const Index n : {Index(0), Index(1), Index(-4), Index(3), Index(400), Index(1000), Index(1) << 25}) {
    CHECK_THROWS_AS(RealFft<float>{n}, Error);
  }
}
