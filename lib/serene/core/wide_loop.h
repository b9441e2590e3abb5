// Loops that the compiler vectorises, compiled twice: for the baseline and for AVX2, chosen at run time.
//
//   wide_loop([&]() SERENE_WIDE { for (Index j = 0; j < n; ++j) y[j] += x[j]; });
//
// Neither version contracts to fused multiply-adds or reorders sums (-ffp-contract=off), so both give the same bits.
// The body must call inline functions alone that are marked SERENE_WIDE themselves.
#pragma once

#include "serene/core/types.h"

// Marks a body, and what it calls: part of the loop in either version.
#define SERENE_WIDE __attribute__((always_inline))

namespace serene {

#if defined(__x86_64__)
// Whether the processor has AVX2.
inline bool runs_avx2() noexcept { return __builtin_cpu_supports("avx2") != 0; }

// The wider version.
template <class Body>
__attribute__((target("avx2"), noinline)) void wide_loop_avx2(const Body& body) noexcept {
  body();
}

// Runs the body, in its wider version where the processor has one.
template <class Body>
void wide_loop(const Body& body) noexcept {
  if (runs_avx2()) return wide_loop_avx2(body);
  body();
}
#else
// Runs the body.
template <class Body>
void wide_loop(const Body& body) noexcept {
  body();
}
#endif

}  // namespace serene
