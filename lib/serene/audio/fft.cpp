#include "serene/audio/fft.h"

#include <cmath>
#include <numbers>
#include <string>

#include "serene/audio/fft_passes.h"
#include "serene/core/error.h"

namespace serene {
namespace {

using fft_passes::Split;

template <class S>
struct Tables {
  Index half;
  const S* twiddles;
  const S* split_re;
  const S* split_im;
};

template <bool kPower, class V, class S>
SERENE_ALWAYS_INLINE void forward_body(const Tables<S>& t, const S* __restrict x, S* re, S* im, S* scratch) {
  const Index half = t.half;
  Split<S> a{scratch, scratch + half}, b{scratch + 2 * half, scratch + 3 * half};
  S* __restrict ar = a.re;
  S* __restrict ai = a.im;
  for (Index k = 0; k < half; ++k) {
    ar[k] = x[2 * k];
    ai[k] = x[2 * k + 1];
  }
  const Split<S> z = fft_passes::complex_transform<V>(a, b, half, t.twiddles);
  fft_passes::untangle<kPower, V>(z.re, z.im, half, t.split_re, t.split_im, re, im);
}

template <class S>
SERENE_ALWAYS_INLINE void inverse_body(const Tables<S>& t, const S* __restrict re, const S* __restrict im,
                                       S* __restrict x, S* scratch) {
  const Index half = t.half;
  Split<S> a{scratch, scratch + half}, b{scratch + 2 * half, scratch + 3 * half};
  S* __restrict ar = a.re;
  S* __restrict ai = a.im;
  const S scale = S(0.5) / static_cast<S>(half);
  // The inverse is the forward transform with real and imaginary parts exchanged, before and after.
  for (Index k = 1; k < half; ++k) {
    const S even_r = re[k] + re[half - k], even_i = im[k] - im[half - k];
    const S diff_r = re[k] - re[half - k], diff_i = im[k] + im[half - k];
    const S odd_r = diff_r * t.split_re[k] + diff_i * t.split_im[k];
    const S odd_i = diff_i * t.split_re[k] - diff_r * t.split_im[k];
    ai[k] = scale * (even_r - odd_i);
    ar[k] = scale * (even_i + odd_r);
  }
  ai[0] = scale * (re[0] + re[half]);
  ar[0] = scale * (re[0] - re[half]);
  const Split<S> z = fft_passes::complex_transform<Four<S>>(a, b, half, t.twiddles);
  for (Index k = 0; k < half; ++k) {
    x[2 * k] = z.im[k];
    x[2 * k + 1] = z.re[k];
  }
}

template <class S>
SERENE_TARGET_AVX2 void forward_avx2(const Tables<S>& t, const S* x, S* re, S* im, S* scratch) {
  forward_body<false, Eight<S>>(t, x, re, im, scratch);
}
template <class S>
SERENE_TARGET_AVX2 void power_avx2(const Tables<S>& t, const S* x, S* out, S* scratch) {
  forward_body<true, Eight<S>>(t, x, out, static_cast<S*>(nullptr), scratch);
}

}  // namespace

template <class S>
RealFft<S>::RealFft(Index size) : size_(size) {
  if (size < 2 || size > (Index(1) << 24) || (size & (size - 1)) != 0) {
    throw Error(ErrorCode::usage, "fft", "unsupported length")
        .expected("a power of two from 2 to 2^24")
        .got(std::to_string(size));
  }
  const Index half = size / 2;
  for (Index length = half; length >= 4; length /= 4) {
    const Index m = length / 4;
    for (int power = 1; power <= 3; ++power) {
      for (const bool imaginary : {false, true}) {
        for (Index p = 0; p < m; ++p) {
          const double angle = -2 * std::numbers::pi * static_cast<double>(power * p) / static_cast<double>(length);
          twiddles_.push_back(static_cast<S>(imaginary ? std::sin(angle) : std::cos(angle)));
        }
      }
    }
  }
  for (Index k = 0; k < half; ++k) {
    const double angle = -2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(size);
    split_re_.push_back(4 * k == size ? S(0) : static_cast<S>(std::cos(angle)));
    split_im_.push_back(static_cast<S>(std::sin(angle)));
  }
}

template <class S>
void RealFft<S>::forward(const S* x, S* re, S* im, S* scratch) const noexcept {
  const Tables<S> t{size_ / 2, twiddles_.data(), split_re_.data(), split_im_.data()};
  if (has_avx2()) {
    forward_avx2(t, x, re, im, scratch);
  } else {
    forward_body<false, Four<S>>(t, x, re, im, scratch);
  }
}

template <class S>
void RealFft<S>::power(const S* x, S* out, S* scratch) const noexcept {
  const Tables<S> t{size_ / 2, twiddles_.data(), split_re_.data(), split_im_.data()};
  if (has_avx2()) {
    power_avx2(t, x, out, scratch);
  } else {
    forward_body<true, Four<S>>(t, x, out, static_cast<S*>(nullptr), scratch);
  }
}

template <class S>
void RealFft<S>::inverse(const S* re, const S* im, S* x, S* scratch) const noexcept {
  inverse_body<S>({size_ / 2, twiddles_.data(), split_re_.data(), split_im_.data()}, re, im, x, scratch);
}

template class RealFft<float>;
template class RealFft<double>;

}  // namespace serene
