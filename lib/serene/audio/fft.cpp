#include "serene/audio/fft.h"

#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "serene/audio/simd_target.h"
#include "serene/core/error.h"

namespace serene {
namespace {

template <class S>
struct Split {  // complex numbers as two arrays
  S* re;
  S* im;
};

// First pass (stride 1): the four results of a butterfly lie side by side.
template <class S>
SERENE_ALWAYS_INLINE void radix4_first(const S* __restrict xr, const S* __restrict xi, S* __restrict yr,
                                       S* __restrict yi, Index m, const S* __restrict w) {
  for (Index p = 0; p < m; ++p) {
    const S apc_r = xr[p] + xr[p + 2 * m], apc_i = xi[p] + xi[p + 2 * m];
    const S amc_r = xr[p] - xr[p + 2 * m], amc_i = xi[p] - xi[p + 2 * m];
    const S bpd_r = xr[p + m] + xr[p + 3 * m], bpd_i = xi[p + m] + xi[p + 3 * m];
    const S bmd_r = xr[p + m] - xr[p + 3 * m], bmd_i = xi[p + m] - xi[p + 3 * m];
    const S u_r = amc_r + bmd_i, u_i = amc_i - bmd_r;
    const S v_r = apc_r - bpd_r, v_i = apc_i - bpd_i;
    const S t_r = amc_r - bmd_i, t_i = amc_i + bmd_r;
    yr[4 * p] = apc_r + bpd_r;
    yi[4 * p] = apc_i + bpd_i;
    yr[4 * p + 1] = w[p] * u_r - w[m + p] * u_i;
    yi[4 * p + 1] = w[p] * u_i + w[m + p] * u_r;
    yr[4 * p + 2] = w[2 * m + p] * v_r - w[3 * m + p] * v_i;
    yi[4 * p + 2] = w[2 * m + p] * v_i + w[3 * m + p] * v_r;
    yr[4 * p + 3] = w[4 * m + p] * t_r - w[5 * m + p] * t_i;
    yi[4 * p + 3] = w[4 * m + p] * t_i + w[5 * m + p] * t_r;
  }
}

// Later passes: the stride (a multiple of 4) runs over contiguous memory. kStride 0 means `stride` is known at run time
// only.
template <Index kStride, class S>
SERENE_ALWAYS_INLINE void radix4(const S* __restrict xr, const S* __restrict xi, S* __restrict yr, S* __restrict yi,
                                 Index m, Index stride, const S* __restrict w) {
  const Index s = kStride > 0 ? kStride : stride;
  for (Index p = 0; p < m; ++p) {
    const S w1r = w[p], w1i = w[m + p], w2r = w[2 * m + p], w2i = w[3 * m + p], w3r = w[4 * m + p], w3i = w[5 * m + p];
    const S* __restrict ar = xr + s * p;
    const S* __restrict ai = xi + s * p;
    S* __restrict or0 = yr + 4 * s * p;
    S* __restrict oi0 = yi + 4 * s * p;
    for (Index q = 0; q < s; ++q) {
      const S apc_r = ar[q] + ar[q + 2 * m * s], apc_i = ai[q] + ai[q + 2 * m * s];
      const S amc_r = ar[q] - ar[q + 2 * m * s], amc_i = ai[q] - ai[q + 2 * m * s];
      const S bpd_r = ar[q + m * s] + ar[q + 3 * m * s], bpd_i = ai[q + m * s] + ai[q + 3 * m * s];
      const S bmd_r = ar[q + m * s] - ar[q + 3 * m * s], bmd_i = ai[q + m * s] - ai[q + 3 * m * s];
      const S u_r = amc_r + bmd_i, u_i = amc_i - bmd_r;
      const S v_r = apc_r - bpd_r, v_i = apc_i - bpd_i;
      const S t_r = amc_r - bmd_i, t_i = amc_i + bmd_r;
      or0[q] = apc_r + bpd_r;
      oi0[q] = apc_i + bpd_i;
      or0[q + s] = w1r * u_r - w1i * u_i;
      oi0[q + s] = w1r * u_i + w1i * u_r;
      or0[q + 2 * s] = w2r * v_r - w2i * v_i;
      oi0[q + 2 * s] = w2r * v_i + w2i * v_r;
      or0[q + 3 * s] = w3r * t_r - w3i * t_i;
      oi0[q + 3 * s] = w3r * t_i + w3i * t_r;
    }
  }
}

template <class S>
SERENE_ALWAYS_INLINE void radix2_last(const S* __restrict xr, const S* __restrict xi, S* __restrict yr,
                                      S* __restrict yi, Index s) {
  for (Index q = 0; q < s; ++q) {
    yr[q] = xr[q] + xr[q + s];
    yi[q] = xi[q] + xi[q + s];
    yr[q + s] = xr[q] - xr[q + s];
    yi[q + s] = xi[q] - xi[q + s];
  }
}

// Complex transform of n points; the data start in `from`, the result's place is returned.
template <class S>
SERENE_ALWAYS_INLINE Split<S> complex_transform(Split<S> from, Split<S> to, Index n, const S* twiddles) {
  Index length = n, stride = 1;
  while (length >= 4) {
    const Index m = length / 4;
    if (stride == 1) {
      radix4_first(from.re, from.im, to.re, to.im, m, twiddles);
    } else if (stride == 4) {
      radix4<4>(from.re, from.im, to.re, to.im, m, stride, twiddles);
    } else if (stride == 16) {
      radix4<16>(from.re, from.im, to.re, to.im, m, stride, twiddles);
    } else {
      radix4<0>(from.re, from.im, to.re, to.im, m, stride, twiddles);
    }
    std::swap(from, to);
    twiddles += 6 * m;
    length = m;
    stride *= 4;
  }
  if (length == 2) {
    radix2_last(from.re, from.im, to.re, to.im, stride);
    std::swap(from, to);
  }
  return from;
}

// Spectrum of the real signal from the spectrum z of its (even, odd) samples; kPower: squared magnitude into `re`.
template <bool kPower, class S>
SERENE_ALWAYS_INLINE void untangle(const S* __restrict zr, const S* __restrict zi, Index half, const S* __restrict cr,
                                   const S* __restrict ci, S* __restrict re, S* __restrict im) {
  for (Index k = 1; k < half; ++k) {
    const S ar = zr[k], ai = zi[k], br = zr[half - k], bi = zi[half - k];
    const S even_r = S(0.5) * (ar + br), even_i = S(0.5) * (ai - bi);
    const S odd_r = S(0.5) * (ai + bi), odd_i = S(0.5) * (br - ar);
    const S r = even_r + (cr[k] * odd_r - ci[k] * odd_i);
    const S i = even_i + (cr[k] * odd_i + ci[k] * odd_r);
    if constexpr (kPower) {
      re[k] = r * r + i * i;
    } else {
      re[k] = r;
      im[k] = i;
    }
  }
  const S first = zr[0] + zi[0], last = zr[0] - zi[0];
  re[0] = kPower ? first * first : first;
  re[half] = kPower ? last * last : last;
  if constexpr (!kPower) im[0] = im[half] = S(0);
}

template <class S>
struct Tables {
  Index half;
  const S* twiddles;
  const S* split_re;
  const S* split_im;
};

template <bool kPower, class S>
SERENE_ALWAYS_INLINE void forward_body(const Tables<S>& t, const S* __restrict x, S* re, S* im, S* scratch) {
  const Index half = t.half;
  Split<S> a{scratch, scratch + half}, b{scratch + 2 * half, scratch + 3 * half};
  S* __restrict ar = a.re;
  S* __restrict ai = a.im;
  for (Index k = 0; k < half; ++k) {
    ar[k] = x[2 * k];
    ai[k] = x[2 * k + 1];
  }
  const Split<S> z = complex_transform(a, b, half, t.twiddles);
  untangle<kPower>(z.re, z.im, half, t.split_re, t.split_im, re, im);
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
  const Split<S> z = complex_transform(a, b, half, t.twiddles);
  for (Index k = 0; k < half; ++k) {
    x[2 * k] = z.im[k];
    x[2 * k + 1] = z.re[k];
  }
}

template <class S>
SERENE_TARGET_AVX2 void forward_avx2(const Tables<S>& t, const S* x, S* re, S* im, S* scratch) {
  forward_body<false>(t, x, re, im, scratch);
}
template <class S>
SERENE_TARGET_AVX2 void power_avx2(const Tables<S>& t, const S* x, S* out, S* scratch) {
  forward_body<true>(t, x, out, static_cast<S*>(nullptr), scratch);
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
    forward_body<false>(t, x, re, im, scratch);
  }
}

template <class S>
void RealFft<S>::power(const S* x, S* out, S* scratch) const noexcept {
  const Tables<S> t{size_ / 2, twiddles_.data(), split_re_.data(), split_im_.data()};
  if (has_avx2()) {
    power_avx2(t, x, out, scratch);
  } else {
    forward_body<true>(t, x, out, static_cast<S*>(nullptr), scratch);
  }
}

template <class S>
void RealFft<S>::inverse(const S* re, const S* im, S* x, S* scratch) const noexcept {
  inverse_body<S>({size_ / 2, twiddles_.data(), split_re_.data(), split_im_.data()}, re, im, x, scratch);
}

template class RealFft<float>;
template class RealFft<double>;

}  // namespace serene
