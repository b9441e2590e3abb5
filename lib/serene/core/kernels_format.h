// Number formats of a product's factors. All share one tile (kernels_tile.h): a lane of a (one float, two bfloat16 or
// four bytes, neighbours along k) is broadcast and multiplied into a vector of such lanes of b, one for each column.
//
// A format tells
//   Scalar, Lane  type in memory, type of a lane
//   depth         values of k in a lane
//   Sum           vector of sums
//   parts         multiply-adds that one pair of lane vectors takes
//   a_part(v, i)  what multiply-add i takes of the lanes of a; b_part() of the lanes of b
//   dot(s, a, b)  one multiply-add
// and how rows and columns of floats become lanes:
//   lanes_of_row     `count` neighbouring values of k; the last lane is filled up with zeros
//   lanes_of_column  one lane each for a vector of rows: row r lies at x + r * stride, `given` (<= depth) rows exist
#pragma once

#include "serene/core/kernels_simd.h"

namespace serene {
namespace {

template <class S>
struct Full {
  using Scalar = S;
  using Lane = S;
  using Lanes = typename Simd<S>::Vector;
  using Sum = typename Simd<S>::Vector;
  static constexpr Index depth = 1;
  static constexpr int parts = 1;

  static SERENE_INLINE Lanes broadcast(S lane) { return lane - Lanes{}; }
  static SERENE_INLINE Lanes a_part(Lanes v, int) { return v; }
  static SERENE_INLINE Lanes b_part(Lanes v, int) { return v; }
  static SERENE_INLINE Sum dot(Sum sum, Lanes a, Lanes b) { return sum + a * b; }
  static SERENE_INLINE Lanes lanes_of_column(const S* x, Index, Index, const Part<S>& part) { return part.load(x); }
};

// The nearest bfloat16 (ties to even) of each float, in the upper half of the lane; the lower half is undefined. NaN
// stays NaN.
SERENE_INLINE I round_to_bf16(I bits) {
  const I rounded = bits + 0x7fff + ((bits >> 16) & 1);
  return (bits & 0x7fffffff) > 0x7f800000 ? bits | 0x400000 : rounded;
}
inline unsigned round_to_bf16(float value) {
  unsigned bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (bits | 0x400000u) >> 16;
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

struct Bf16Base {
  using Scalar = float;
  using Lane = int;
  using Lanes = I;
  using Sum = V;
  static constexpr Index depth = 2;
  static SERENE_INLINE Lanes broadcast(int lane) { return lane - Lanes{}; }

  // From value `first` on, one after another.
  static void rest_of_row(Index first, Index count, const float* x, int* lanes) {
    for (Index p = first; p < count; p += 2) {
      const unsigned high = p + 1 < count ? round_to_bf16(x[p + 1]) : 0;
      lanes[p / 2] = static_cast<int>(high << 16 | round_to_bf16(x[p]));
    }
  }
};

#if defined(SERENE_BF16_INSTRUCTIONS)
struct Bf16 : Bf16Base {
  static constexpr int parts = 1;

  static SERENE_INLINE Lanes a_part(Lanes v, int) { return v; }
  static SERENE_INLINE Lanes b_part(Lanes v, int) { return v; }
  static SERENE_INLINE Sum dot(Sum sum, Lanes a, Lanes b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
  static SERENE_INLINE void lanes_of_row(Index count, const float* x, int* lanes) {
    const Index whole = count - count % (2 * kLanes);
    for (Index p = 0; p < whole; p += 2 * kLanes) {
      const auto pairs = _mm512_cvtne2ps_pbh(load(x + p + kLanes), load(x + p));
      *reinterpret_cast<UI*>(lanes + p / 2) = reinterpret_cast<I>(pairs);
    }
    rest_of_row(whole, count, x, lanes);
  }
  static SERENE_INLINE I widened(V v) {
    const auto halves = _mm512_cvtneps_pbh(v);
    return __builtin_convertvector(reinterpret_cast<Simd<float>::Halves>(halves), I);
  }
  static SERENE_INLINE Lanes lanes_of_column(const float* x, Index stride, Index given, const Part<float>& part) {
    const I low = widened(part.load(x));
    return given < 2 ? low : low | widened(part.load(x + stride)) << 16;
  }
};
#else
// Without the instruction: the rounded factors in float arithmetic. Same format, no gain.
struct Bf16 : Bf16Base {
  static constexpr int parts = 2;

  static SERENE_INLINE V a_part(Lanes v, int i) {
    return float_of(i == 0 ? v << 16 : v & static_cast<int>(0xffff0000u));
  }
  static SERENE_INLINE V b_part(Lanes v, int i) { return a_part(v, i); }
  static SERENE_INLINE Sum dot(Sum sum, V a, V b) { return sum + a * b; }
  static SERENE_INLINE void lanes_of_row(Index count, const float* x, int* lanes) {
    const Index whole = count - count % (2 * kLanes);
    for (Index p = 0; p < whole; p += kLanes) {
      const I upper = (round_to_bf16(bits_of(load(x + p))) >> 16) & 0xffff;
      const auto halves = __builtin_convertvector(upper, Simd<float>::Halves);
      __builtin_memcpy(lanes + p / 2, &halves, sizeof halves);
    }
    rest_of_row(whole, count, x, lanes);
  }
  static SERENE_INLINE I upper(V v) { return round_to_bf16(bits_of(v)) & static_cast<int>(0xffff0000u); }
  static SERENE_INLINE Lanes lanes_of_column(const float* x, Index stride, Index given, const Part<float>& part) {
    const I low = (upper(part.load(x)) >> 16) & 0xffff;
    return given < 2 ? low : low | upper(part.load(x + stride));
  }
};
#endif

// Bytes: a unsigned with an offset of 128 and a scale for each row, b signed with a scale for each column. The sums
// start from -128 times the sum of the column, which takes the offset back.
struct Int8Base {
  using Scalar = float;
  using Lane = int;
  using Lanes = I;
  using Sum = I;
  static constexpr Index depth = 4;
  static SERENE_INLINE Lanes broadcast(int lane) { return lane - Lanes{}; }
};

#if defined(SERENE_VNNI_INSTRUCTIONS)
struct Int8 : Int8Base {
  static constexpr int parts = 1;
  static SERENE_INLINE I a_part(I v, int) { return v; }
  static SERENE_INLINE I b_part(I v, int) { return v; }
  static SERENE_INLINE Sum dot(Sum sum, I a, I b) {
    return reinterpret_cast<I>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(a),
                                                   reinterpret_cast<__m512i>(b)));
  }
};
#else
// Without the instruction: bytes 0 and 2, then 1 and 3, as pairs of 16-bit numbers. The sums are exact, so they are the
// same.
struct Int8 : Int8Base {
  static constexpr int parts = 2;
  typedef short Shorts __attribute__((vector_size(SERENE_VECTOR_BYTES)));
  static SERENE_INLINE I a_part(I v, int i) { return (i == 0 ? v : v >> 8) & 0x00ff00ff; }
  static SERENE_INLINE I b_part(I v, int i) {
    const Shorts pairs = reinterpret_cast<Shorts>(v);
    return reinterpret_cast<I>(i == 0 ? (pairs << 8) >> 8 : pairs >> 8);
  }
  static SERENE_INLINE Sum dot(Sum sum, I a, I b) {
#if SERENE_VECTOR_BYTES == 64
    return sum + reinterpret_cast<I>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif SERENE_VECTOR_BYTES == 32
    return sum + reinterpret_cast<I>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__x86_64__)
    return sum + reinterpret_cast<I>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
    return sum + (a & 0xffff) * ((b << 16) >> 16) + (a >> 16) * (b >> 16);
#endif
  }
};
#endif

}  // namespace
}  // namespace serene
