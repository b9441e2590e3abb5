// The passes of the Fourier transform (fft.h), inlined into one function per instruction set. Internal.
//
// Stockham's radix-4 passes over complex numbers kept as two arrays. Every pass runs along contiguous memory: the first
// two leave their results in blocks, one transposition brings these into the order of a pass of stride 16, and from
// there the stride itself is what lies side by side.
#pragma once

#include <utility>

#include "serene/audio/short_vector.h"

namespace serene::fft_passes {

template <class S>
struct Split {  // complex numbers as two arrays
  S* re;
  S* im;
};

template <class V>
struct Factors {  // w, w^2, w^3
  V r1, i1, r2, i2, r3, i3;
};

// V (of S) butterflies of four: x[i * in] -> y[i * out], i = 0..3, the last three times w, w^2, w^3 unless kPlain.
template <bool kPlain, class V, class S>
SERENE_ALWAYS_INLINE void butterfly(const S* xr, const S* xi, Index in, S* yr, S* yi, Index out, const Factors<V>& w) {
  V ar, ai, br, bi, cr, ci, dr, di;
  load(ar, xr), load(ai, xi);
  load(br, xr + in), load(bi, xi + in);
  load(cr, xr + 2 * in), load(ci, xi + 2 * in);
  load(dr, xr + 3 * in), load(di, xi + 3 * in);
  const V apc_r = ar + cr, apc_i = ai + ci, amc_r = ar - cr, amc_i = ai - ci;
  const V bpd_r = br + dr, bpd_i = bi + di, bmd_r = br - dr, bmd_i = bi - di;
  const V u_r = amc_r + bmd_i, u_i = amc_i - bmd_r;
  const V v_r = apc_r - bpd_r, v_i = apc_i - bpd_i;
  const V t_r = amc_r - bmd_i, t_i = amc_i + bmd_r;
  const V sum_r = apc_r + bpd_r, sum_i = apc_i + bpd_i;
  store(sum_r, yr), store(sum_i, yi);
  if constexpr (kPlain) {
    store(u_r, yr + out), store(u_i, yi + out);
    store(v_r, yr + 2 * out), store(v_i, yi + 2 * out);
    store(t_r, yr + 3 * out), store(t_i, yi + 3 * out);
  } else {
    const V one_r = w.r1 * u_r - w.i1 * u_i, one_i = w.r1 * u_i + w.i1 * u_r;
    const V two_r = w.r2 * v_r - w.i2 * v_i, two_i = w.r2 * v_i + w.i2 * v_r;
    const V three_r = w.r3 * t_r - w.i3 * t_i, three_i = w.r3 * t_i + w.i3 * t_r;
    store(one_r, yr + out), store(one_i, yi + out);
    store(two_r, yr + 2 * out), store(two_i, yi + 2 * out);
    store(three_r, yr + 3 * out), store(three_i, yi + 3 * out);
  }
}

// m butterflies side by side, each with factors of its own; result j of butterfly p goes to y[j * out + p].
template <class V, class S>
SERENE_ALWAYS_INLINE void radix4_blocks(const S* xr, const S* xi, S* yr, S* yi, Index m, Index out, const S* w) {
  for (Index p = 0; p < m; p += kWidth<V, S>) {
    Factors<V> factors;
    load(factors.r1, w + p), load(factors.i1, w + m + p);
    load(factors.r2, w + 2 * m + p), load(factors.i2, w + 3 * m + p);
    load(factors.r3, w + 4 * m + p), load(factors.i3, w + 5 * m + p);
    butterfly<false>(xr + p, xi + p, m, yr + p, yi + p, out, factors);
  }
}

// m groups of s butterflies with the same factors.
template <class V, class S>
SERENE_ALWAYS_INLINE void radix4_strided(const S* xr, const S* xi, S* yr, S* yi, Index m, Index s, const S* w) {
  for (Index p = 0; p < m; ++p) {
    const V zero = {};
    const Factors<V> factors{w[p] - zero,         w[m + p] - zero,     w[2 * m + p] - zero,
                             w[3 * m + p] - zero, w[4 * m + p] - zero, w[5 * m + p] - zero};
    for (Index q = 0; q < s; q += kWidth<V, S>) {
      const Index in = s * p + q, out = 4 * s * p + q;
      butterfly<false>(xr + in, xi + in, m * s, yr + out, yi + out, s, factors);
    }
  }
}

// The last pass, of four where every factor is 1, or of two.
template <class V, class S>
SERENE_ALWAYS_INLINE void last_pass(const S* xr, const S* xi, S* yr, S* yi, Index length, Index s) {
  const Factors<V> none{};
  for (Index q = 0; q < s; q += kWidth<V, S>) {
    if (length == 4) {
      butterfly<true>(xr + q, xi + q, s, yr + q, yi + q, s, none);
      continue;
    }
    V ar, ai, br, bi;
    load(ar, xr + q), load(ai, xi + q);
    load(br, xr + q + s), load(bi, xi + q + s);
    const V sum_r = ar + br, sum_i = ai + bi, difference_r = ar - br, difference_i = ai - bi;
    store(sum_r, yr + q), store(sum_i, yi + q);
    store(difference_r, yr + q + s), store(difference_i, yi + q + s);
  }
}

// x (16, m) -> y (m, 16); m a multiple of four.
template <class S>
SERENE_ALWAYS_INLINE void transpose_sixteen(const S* __restrict x, S* __restrict y, Index m) {
  for (Index p = 0; p < m; p += 4) {
    for (Index row = 0; row < 16; row += 4) {
      Four<S> a, b, c, d;
      load(a, x + row * m + p);
      load(b, x + (row + 1) * m + p);
      load(c, x + (row + 2) * m + p);
      load(d, x + (row + 3) * m + p);
      transpose_four(a, b, c, d);
      store(a, y + p * 16 + row);
      store(b, y + (p + 1) * 16 + row);
      store(c, y + (p + 2) * 16 + row);
      store(d, y + (p + 3) * 16 + row);
    }
  }
}

// The passes of stride 1 and 4 in one, from `from` to `to` by way of both; n a multiple of 16 vectors.
template <class V, class S>
SERENE_ALWAYS_INLINE void first_two_passes(const Split<S>& from, const Split<S>& to, Index n, const S* w) {
  const Index m = n / 4, inner = n / 16;
  radix4_blocks<V>(from.re, from.im, to.re, to.im, m, m, w);
  for (Index j = 0; j < 4; ++j) {
    radix4_blocks<V>(to.re + j * m, to.im + j * m, from.re + j * inner, from.im + j * inner, inner, m, w + 6 * m);
  }
  transpose_sixteen(from.re, to.re, inner);
  transpose_sixteen(from.im, to.im, inner);
}

// The passes from `stride` on, a multiple of the vector's width; the result's place is returned.
template <class V, class S>
SERENE_ALWAYS_INLINE Split<S> later_passes(Split<S> from, Split<S> to, Index length, Index stride, const S* twiddles) {
  for (; length > 4; length /= 4, stride *= 4) {
    const Index m = length / 4;
    radix4_strided<V>(from.re, from.im, to.re, to.im, m, stride, twiddles);
    std::swap(from, to);
    twiddles += 6 * m;
  }
  if (length == 1) return from;
  last_pass<V>(from.re, from.im, to.re, to.im, length, stride);
  return to;
}

// Complex transform of n points; the data start in `from`, the result's place is returned. twiddles: per radix-4 pass
// six rows (re, im of w, w^2, w^3).
template <class V, class S>
SERENE_ALWAYS_INLINE Split<S> complex_transform(Split<S> from, Split<S> to, Index n, const S* twiddles) {
  if (n < 16 * kWidth<V, S>) return later_passes<S>(from, to, n, 1, twiddles);
  first_two_passes<V>(from, to, n, twiddles);
  return later_passes<V>(to, from, n / 16, 16, twiddles + 6 * (n / 4 + n / 16));
}

// Bins k and half - k of the real signal from the spectrum z of its (even, odd) samples, for as many k as V has values.
// c: exp(-2 pi i k / N). The even and odd part of bin half - k are the conjugates of bin k's.
template <bool kPower, class V, class S>
SERENE_ALWAYS_INLINE void untangle_vector(const S* zr, const S* zi, Index half, Index k, const S* cr, const S* ci,
                                          S* re, S* im) {
  V ar, ai, br, bi, wr, wi, vr, vi;
  const Index mirror = half - k - (kWidth<V, S> - 1);
  load(ar, zr + k), load(ai, zi + k);
  load(br, zr + mirror), load(bi, zi + mirror);
  load(wr, cr + k), load(wi, ci + k);
  load(vr, cr + mirror), load(vi, ci + mirror);
  reverse(br), reverse(bi), reverse(vr), reverse(vi);
  const V by_two = V{} + 0.5f;
  const V even_r = by_two * (ar + br), even_i = by_two * (ai - bi);
  const V odd_r = by_two * (ai + bi), odd_i = by_two * (br - ar);
  V low_r = even_r + (wr * odd_r - wi * odd_i), low_i = even_i + (wr * odd_i + wi * odd_r);
  V high_r = even_r + (vr * odd_r + vi * odd_i), high_i = (vi * odd_r - vr * odd_i) - even_i;
  if constexpr (kPower) {
    low_r = low_r * low_r + low_i * low_i;
    high_r = high_r * high_r + high_i * high_i;
  } else {
    reverse(high_i);
    store(low_i, im + k), store(high_i, im + mirror);
  }
  reverse(high_r);
  store(low_r, re + k), store(high_r, re + mirror);
}

// Spectrum of the real signal (half + 1 bins); kPower: its squared magnitude, into `re`.
template <bool kPower, class V, class S>
SERENE_ALWAYS_INLINE void untangle(const S* zr, const S* zi, Index half, const S* cr, const S* ci, S* re, S* im) {
  constexpr Index kStep = kWidth<V, S>;
  const Index middle = half / 2;
  if (middle > kStep) {
    for (Index k = 1; k + kStep <= middle; k += kStep) untangle_vector<kPower, V>(zr, zi, half, k, cr, ci, re, im);
    untangle_vector<kPower, V>(zr, zi, half, middle - kStep, cr, ci, re, im);  // the rest, and some again
  } else {
    for (Index k = 1; k < middle; ++k) untangle_vector<kPower, S>(zr, zi, half, k, cr, ci, re, im);
  }
  const S first = zr[0] + zi[0], last = zr[0] - zi[0], r = zr[middle], i = -zi[middle];
  if constexpr (kPower) {
    if (half > 1) re[middle] = r * r + i * i;
    re[0] = first * first, re[half] = last * last;
  } else {
    if (half > 1) re[middle] = r, im[middle] = i;
    re[0] = first, re[half] = last;
    im[0] = im[half] = S(0);
  }
}

}  // namespace serene::fft_passes
