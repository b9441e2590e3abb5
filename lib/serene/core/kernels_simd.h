// Vectors of the instruction set that this file is compiled for. Include only through kernels_<isa>.cpp, after defining
//   SERENE_VECTOR_BYTES  width of a vector register
//   SERENE_TILE_ROWS     rows of c that one tile keeps in registers
//   SERENE_BF16_INSTRUCTIONS, SERENE_VNNI_INSTRUCTIONS  where those extensions may be used
// and never the compiler's own macros, which a build for one processor alone defines everywhere.
// Everything lives in an unnamed namespace and calls no inline function of another header (intrinsics apart, which are
// always inlined): code compiled for a wide instruction set must never be shared, through the linker, with code that
// runs on every processor.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <type_traits>

#include "serene/core/kernels.h"

// For functions that take vectors: they must never be called.
#define SERENE_INLINE inline __attribute__((always_inline))

namespace serene {
namespace {

template <class S, int Bytes = SERENE_VECTOR_BYTES>
struct Simd {
  static constexpr Index lanes = Bytes / static_cast<Index>(sizeof(S));
  typedef S Vector __attribute__((vector_size(Bytes)));
  typedef S Unaligned __attribute__((vector_size(Bytes), aligned(sizeof(S)), may_alias));
  typedef int Ints __attribute__((vector_size(Bytes)));
  typedef int UnalignedInts __attribute__((vector_size(Bytes), aligned(4), may_alias));
  typedef unsigned short Halves __attribute__((vector_size(Bytes / 2)));   // one for each float
  typedef unsigned char Quarters __attribute__((vector_size(Bytes / 4)));  // one for each float
};

using V = Simd<float>::Vector;
using U = Simd<float>::Unaligned;
using I = Simd<float>::Ints;
using UI = Simd<float>::UnalignedInts;
constexpr Index kLanes = Simd<float>::lanes;

template <class S>
SERENE_INLINE typename Simd<S>::Vector load(const S* p) {
  return *reinterpret_cast<const typename Simd<S>::Unaligned*>(p);
}
template <class S>
SERENE_INLINE void store(S* p, typename Simd<S>::Vector v) {
  *reinterpret_cast<typename Simd<S>::Unaligned*>(p) = v;
}
SERENE_INLINE I load(const int* p) { return *reinterpret_cast<const UI*>(p); }
// Against loading the same vector from memory again for every use.
template <class Vector>
SERENE_INLINE void keep_in_register([[maybe_unused]] Vector& v) {
#if SERENE_VECTOR_BYTES == 64
  asm("" : "+v"(v));
#elif defined(__x86_64__)
  asm("" : "+x"(v));
#endif
}
// Hides where a pointer comes from, against recomputing it from another.
template <class T>
SERENE_INLINE void keep_apart([[maybe_unused]] const T*& pointer) {
#if defined(__x86_64__)
  asm("" : "+r"(pointer));
#endif
}
SERENE_INLINE I bits_of(V v) { return reinterpret_cast<I>(v); }
// The larger or smaller; a NaN in v comes through. (The forms with a mask, since GCC 12 takes the plain ones of AVX-512
// for uses of an uninitialised vector.)
SERENE_INLINE V at_least(V v, float low) {
#if SERENE_VECTOR_BYTES == 64
  return _mm512_maskz_max_ps(0xffff, low - V{}, v);
#elif SERENE_VECTOR_BYTES == 32
  return _mm256_max_ps(low - V{}, v);
#else
  return v < low ? low - V{} : v;
#endif
}
SERENE_INLINE V at_most(V v, float high) {
#if SERENE_VECTOR_BYTES == 64
  return _mm512_maskz_min_ps(0xffff, high - V{}, v);
#elif SERENE_VECTOR_BYTES == 32
  return _mm256_min_ps(high - V{}, v);
#else
  return v > high ? high - V{} : v;
#endif
}
SERENE_INLINE V float_of(I bits) { return reinterpret_cast<V>(bits); }

constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
constexpr int kRoundBits = 0x4b400000;

// The first lanes of a vector, in memory that may end behind them; the others read as zero.
template <class S>
class Part {
 public:
  static constexpr Index lanes = Simd<S>::lanes;
  using Vector = typename Simd<S>::Vector;

  explicit Part(Index wanted) : count_(wanted < 0 ? 0 : wanted < lanes ? wanted : lanes) {
#if SERENE_VECTOR_BYTES == 64
    mask_ = (1u << count_) - 1u;
#elif SERENE_VECTOR_BYTES == 32
    for (Index i = 0; i < lanes; ++i) mask_[i] = i < count_ ? -1 : 0;
#endif
  }

#if SERENE_VECTOR_BYTES == 64
  SERENE_INLINE Vector load(const float* p) const { return _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask_), p); }
  SERENE_INLINE Vector load(const double* p) const { return _mm512_maskz_loadu_pd(static_cast<__mmask8>(mask_), p); }
  SERENE_INLINE void store(float* p, Vector v) const { _mm512_mask_storeu_ps(p, static_cast<__mmask16>(mask_), v); }
  SERENE_INLINE void store(double* p, Vector v) const { _mm512_mask_storeu_pd(p, static_cast<__mmask8>(mask_), v); }

 private:
  Index count_;
  unsigned mask_;
#elif SERENE_VECTOR_BYTES == 32
  SERENE_INLINE Vector load(const float* p) const { return _mm256_maskload_ps(p, mask()); }
  SERENE_INLINE Vector load(const double* p) const { return _mm256_maskload_pd(p, mask()); }
  SERENE_INLINE void store(float* p, Vector v) const { _mm256_maskstore_ps(p, mask(), v); }
  SERENE_INLINE void store(double* p, Vector v) const { _mm256_maskstore_pd(p, mask(), v); }

 private:
  typedef std::conditional_t<sizeof(S) == 4, int, long long> Bits;
  typedef Bits Mask __attribute__((vector_size(SERENE_VECTOR_BYTES)));
  SERENE_INLINE __m256i mask() const { return reinterpret_cast<__m256i>(mask_); }
  Index count_;
  Mask mask_{};
#else
  SERENE_INLINE Vector load(const S* p) const {
    if (count_ == lanes) return serene::load(p);
    Vector v{};
    for (Index i = 0; i < count_; ++i) v[i] = p[i];
    return v;
  }
  SERENE_INLINE void store(S* p, Vector v) const {
    if (count_ == lanes) return serene::store(p, v);
    for (Index i = 0; i < count_; ++i) p[i] = v[i];
  }

 private:
  Index count_;
#endif
};

}  // namespace
}  // namespace serene
