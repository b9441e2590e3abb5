// Element-wise functions over arrays of floats: exp, tanh, sigmoid, and the steps of an LSTM made of them.
#pragma once

#include "serene/core/kernels_simd.h"

namespace serene {
namespace {

// e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; e^r by the minimax polynomial of Cephes' expf (Moshier).
struct Exp {
  V shifted;          // n in its low bits
  V power_minus_one;  // e^r - 1

  SERENE_INLINE explicit Exp(V x) : shifted(x * 1.44269504088896341f + kRound) {
    const V n = shifted - kRound;
    V r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    power_minus_one = p * (r * r) + r;
  }
  // 2^n for -126 <= n <= 127.
  SERENE_INLINE V scale() const { return float_of((bits_of(shifted) + 127) << 23); }
};

SERENE_INLINE V exp_value(V x) {
  constexpr float high = 88.7228394f, low = -87.3365448f;
  const Exp e(at_most(at_least(x, low), high));
  // 2^n in two factors, since n = 128 alone is not a float.
  const I whole = bits_of(e.shifted) - kRoundBits;
  const I half = whole >> 1;
  const I first = (half + 127) << 23, second = (whole - half + 127) << 23;
  V result = (e.power_minus_one + 1.0f) * float_of(first) * float_of(second);
  result = x > high ? V{} + __builtin_inff() : result;
  return x < low ? V{} : result;
}

// |tanh x| = -t / (t + 2), t = e^(-2 |x|) - 1, which is as exact near 0 as far from it.
SERENE_INLINE V tanh_value(V x) {
  const I sign = bits_of(x) & static_cast<int>(0x80000000u);
  const Exp e(at_least(float_of(bits_of(x) & 0x7fffffff) * -2.0f, -40.0f));
  const V scale = e.scale();
  const V t = e.power_minus_one * scale + (scale - 1.0f);
  const V magnitude = t / (-2.0f - t);
  return float_of(bits_of(magnitude) | sign);
}

SERENE_INLINE V sigmoid_value(V x) {
  const Exp e(at_most(at_least(-x, -87.0f), 88.0f));
  const V scale = e.scale();
  const V result = 1.0f / ((e.power_minus_one * scale + scale) + 1.0f);
  return x < -88.0f ? V{} : result;
}

// Whole vectors only, and never inlined: the tail goes through the same machine code as the rest.
#define SERENE_ARRAY_FUNCTION(name, value)                                                                          \
  __attribute__((noinline)) void name##_vectors(Index n, const float* x, float* y) noexcept {                       \
    for (Index i = 0; i < n; i += kLanes) *reinterpret_cast<U*>(y + i) = value(*reinterpret_cast<const U*>(x + i)); \
  }                                                                                                                 \
  void name##_array(Index n, const float* x, float* y) noexcept {                                                   \
    const Index whole = n - n % kLanes;                                                                             \
    name##_vectors(whole, x, y);                                                                                    \
    if (whole == n) return;                                                                                         \
    alignas(64) float tail[kLanes] = {};                                                                            \
    for (Index i = whole; i < n; ++i) tail[i - whole] = x[i];                                                       \
    name##_vectors(kLanes, tail, tail);                                                                             \
    for (Index i = whole; i < n; ++i) y[i] = tail[i - whole];                                                       \
  }
SERENE_ARRAY_FUNCTION(exp, exp_value)
SERENE_ARRAY_FUNCTION(tanh, tanh_value)
SERENE_ARRAY_FUNCTION(sigmoid, sigmoid_value)
#undef SERENE_ARRAY_FUNCTION

// A part of the units of one step, whole vectors only and never inlined, as above; gate g lies at z + g * stride.
__attribute__((noinline)) void lstm_forward_vectors(Index n, Index stride, const float* bias, float* z, float* c,
                                                    float* tanh_c, float* h) noexcept {
  for (Index j = 0; j < n; j += kLanes) {
    V gates[4];
    for (int g = 0; g < 4; ++g) {
      gates[g] = load(z + g * stride + j);
      if (bias != nullptr) gates[g] += load(bias + g * stride + j);
    }
    const V i = sigmoid_value(gates[0]), f = sigmoid_value(gates[1]), candidate = tanh_value(gates[2]),
            o = sigmoid_value(gates[3]);
    store(z + j, i), store(z + stride + j, f), store(z + 2 * stride + j, candidate), store(z + 3 * stride + j, o);
    store(c + j, f * load(c + j) + i * candidate);
  }
  // A loop of its own: behind the gates this chain would be too long for the processor to overlap.
  for (Index j = 0; j < n; j += kLanes) {
    const V bounded = tanh_value(load(c + j));
    store(tanh_c + j, bounded), store(h + j, load(z + 3 * stride + j) * bounded);
  }
}

__attribute__((noinline)) void lstm_backward_vectors(Index n, Index stride, const float* gates, const float* c_prev,
                                                     const float* tanh_c, const float* dh, float* dc,
                                                     float* da) noexcept {
  for (Index j = 0; j < n; j += kLanes) {
    const V i = load(gates + j), f = load(gates + stride + j), g = load(gates + 2 * stride + j),
            o = load(gates + 3 * stride + j);
    const V bounded = load(tanh_c + j), dhj = load(dh + j);
    const V dcj = load(dc + j) + dhj * o * (1.0f - bounded * bounded);
    store(da + j, dcj * g * i * (1.0f - i));
    store(da + stride + j, dcj * load(c_prev + j) * f * (1.0f - f));
    store(da + 2 * stride + j, dcj * i * (1.0f - g * g));
    store(da + 3 * stride + j, dhj * bounded * o * (1.0f - o));
    store(dc + j, dcj * f);
  }
}

// The last units, fewer than a vector of them, in a row of vectors of their own.
template <int Arrays>
struct Tail {
  alignas(64) float at[Arrays][kLanes] = {};
  void take(int array, Index n, const float* from) noexcept {
    for (Index l = 0; l < n; ++l) at[array][l] = from[l];
  }
  void give(int array, Index n, float* to) const noexcept {
    for (Index l = 0; l < n; ++l) to[l] = at[array][l];
  }
};

void lstm_forward(Index units, const float* bias, float* z, float* c, float* tanh_c, float* h) noexcept {
  const Index rest = units % kLanes, whole = units - rest;
  lstm_forward_vectors(whole, units, bias, z, c, tanh_c, h);
  if (rest == 0) return;
  Tail<11> t;  // four gates, four biases, c, tanh_c, h
  for (int g = 0; g < 4; ++g) {
    t.take(g, rest, z + g * units + whole);
    if (bias != nullptr) t.take(4 + g, rest, bias + g * units + whole);
  }
  t.take(8, rest, c + whole);
  lstm_forward_vectors(kLanes, kLanes, bias != nullptr ? t.at[4] : nullptr, t.at[0], t.at[8], t.at[9], t.at[10]);
  for (int g = 0; g < 4; ++g) t.give(g, rest, z + g * units + whole);
  t.give(8, rest, c + whole), t.give(9, rest, tanh_c + whole), t.give(10, rest, h + whole);
}

void lstm_backward(Index units, const float* gates, const float* c_prev, const float* tanh_c, const float* dh,
                   float* dc, float* da) noexcept {
  const Index rest = units % kLanes, whole = units - rest;
  lstm_backward_vectors(whole, units, gates, c_prev, tanh_c, dh, dc, da);
  if (rest == 0) return;
  Tail<12> t;  // four gates, c_prev, tanh_c, dh, dc, four of da
  for (int g = 0; g < 4; ++g) t.take(g, rest, gates + g * units + whole);
  t.take(4, rest, c_prev + whole), t.take(5, rest, tanh_c + whole), t.take(6, rest, dh + whole);
  t.take(7, rest, dc + whole);
  lstm_backward_vectors(kLanes, kLanes, t.at[0], t.at[4], t.at[5], t.at[6], t.at[7], t.at[8]);
  for (int g = 0; g < 4; ++g) t.give(8 + g, rest, da + g * units + whole);
  t.give(7, rest, dc + whole);
}

}  // namespace
}  // namespace serene
