// Run-time choice between the baseline instruction set and AVX2 for small loops that the compiler vectorises by itself.
//
// A kernel is written once as an always-inline body and compiled twice. Neither version contracts to fused
// multiply-adds nor reorders sums, so both give the same bits.
#pragma once

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
// Whether there are two versions, and what marks the function of the wider one.
#define SERENE_HAS_AVX2_VARIANT 1
#define SERENE_TARGET_AVX2 __attribute__((target("avx2")))
#else
#define SERENE_HAS_AVX2_VARIANT 0
#define SERENE_TARGET_AVX2
#endif
// Mark functions and lambdas that are part of a body.
#define SERENE_ALWAYS_INLINE inline __attribute__((always_inline))
#define SERENE_INLINE_LAMBDA __attribute__((always_inline))

namespace serene {

// Whether this processor runs the AVX2 variants.
inline bool has_avx2() noexcept {
#if SERENE_HAS_AVX2_VARIANT
  static const bool answer = __builtin_cpu_supports("avx2") != 0;
  return answer;
#else
  return false;
#endif
}

}  // namespace serene
