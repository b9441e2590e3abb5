// Matrix products for every layer: packed, vectorised, chosen at run time for the processor (AVX-512, AVX2, or
// portable).
//
// All matrices are row-major. ld* is the distance between rows in scalars; a may have rows that overlap (lda < k),
// which makes a convolution one product without an im2col copy.
//
// Every element of c is one chain of fused multiply-adds over k in a fixed order, whatever m, n and the place of the
// row: the same row of a gives the same bits in any batch. All functions are thread-safe, allocate nothing and do not
// throw. Sizes of 0 are allowed (k = 0 gives zeros, or leaves c as it is when accumulating).
#pragma once

#include "serene/core/types.h"

namespace serene {

enum class Trans { no, yes };

// Scalars that pack() writes for op(b) of shape (k, n); includes room for alignment.
template <class S>
Index packed_size(Index k, Index n) noexcept;

// Packs op(b) of shape (k, n) into column panels: done once per step or model, used in many products.
// trans == no: b is (k, n) with row distance ldb; yes: b is (n, k).
template <class S>
void pack(Trans trans, Index k, Index n, const S* b, Index ldb, S* packed) noexcept;

// c (m, n) = op(a) (m, k) * packed (k, n), or c += when accumulate. trans_a == yes: a is (k, m) with row distance lda.
template <class S>
void gemm_packed(Trans trans_a, Index m, Index n, Index k, const S* a, Index lda, const S* packed, bool accumulate,
                 S* c, Index ldc) noexcept;

// The same, packing b into `work` (packed_size<S>(k, n) scalars) first.
template <class S>
void gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, const S* a, Index lda, const S* b, Index ldb,
          bool accumulate, S* c, Index ldc, S* work) noexcept {
  pack(trans_b, k, n, b, ldb, work);
  gemm_packed(trans_a, m, n, k, a, lda, work, accumulate, c, ldc);
}

// Name of the instruction set in use: "avx512", "avx2" or "portable". The environment variable SERENE_CPU forces a
// lower one.
const char* cpu_kernels() noexcept;

}  // namespace serene
