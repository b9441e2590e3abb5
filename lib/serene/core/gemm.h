// Matrix products for every layer: packed, vectorised, chosen at run time for the processor (AVX-512, AVX2, or
// portable).
//
// All matrices are row-major. ld* is the distance between rows in scalars; a may have rows that overlap (lda < k),
// which makes a convolution one product without an im2col copy.
//
// Every element of c is one chain of multiply-adds over k in a fixed order, whatever m, n and the place of the row: the
// same row of a gives the same bits in any batch. All functions are thread-safe, allocate nothing and do not
// throw. Sizes of 0 are allowed (k = 0 gives zeros, or leaves c as it is when accumulating).
#pragma once

#include "serene/core/types.h"

namespace serene {

// Whether a factor is taken as it lies or transposed.
enum class Trans { no, yes };

// Number format of the two factors of a product; sums are always S.
//   full  S itself
//   bf16  both factors rounded to bfloat16 (nearest, ties to even; 8 bits of mantissa), pairs of products summed in
//         float: an element is off by at most 2^-7 of its sum of |a b|, beside float's own rounding
//   int8  packed columns and rows of a in -127..127, each with a scale of its own (columns: when packed; rows of a:
//   from
//         the largest magnitude among 1280 values of k, at run time, so that nothing has to be calibrated); exact sums
//         of integers: off by at most half a step of either factor times the other. A row or a column that holds NaN or
//         infinity becomes NaN as a whole; one of magnitudes below 2^-120 counts as zero
// double knows full alone: pack() of double takes every other format for full.
enum class Precision : int { full, bf16, int8 };

// Scalars that pack() writes for op(b) of shape (k, n); includes room for alignment.
template <class S>
Index packed_size(Index k, Index n, Precision precision = Precision::full) noexcept;

// Packs op(b) of shape (k, n) into column panels: done once per step or model, used in many products. The packed
// matrix knows its format. packed: 64-byte aligned.
// trans == no: b is (k, n) with row distance ldb; yes: b is (n, k).
template <class S>
void pack(Trans trans, Index k, Index n, const S* b, Index ldb, S* packed,
          Precision precision = Precision::full) noexcept;

// What becomes of an element on its way to memory: c = relu(sum + bias), each part only when asked for.
template <class S>
struct Epilogue {
  const S* bias = nullptr;  // n scalars, one a column
  bool relu = false;        // NaN stays NaN
};

// c (m, n) = op(a) (m, k) * packed (k, n), or c += when accumulate; then the epilogue. trans_a == yes: a is (k, m) with
// row distance lda. a may be unaligned, c may be unaligned.
template <class S>
void gemm_packed(Trans trans_a, Index m, Index n, Index k, const S* a, Index lda, const S* packed, bool accumulate,
                 S* c, Index ldc, const Epilogue<S>& epilogue = {}) noexcept;

// The same, packing b into `work` (packed_size<S>(k, n, precision) scalars) first.
template <class S>
void gemm(Trans trans_a, Trans trans_b, Index m, Index n, Index k, const S* a, Index lda, const S* b, Index ldb,
          bool accumulate, S* c, Index ldc, S* work, Precision precision = Precision::full) noexcept {
  pack(trans_b, k, n, b, ldb, work, precision);
  gemm_packed(trans_a, m, n, k, a, lda, work, accumulate, c, ldc);
}

// Name of the instruction set in use: "avx512", "avx2" or "portable". The environment variable SERENE_CPU forces a
// lower one.
const char* cpu_kernels() noexcept;

// Whether the processor has instructions for the format that pay (AVX512_BF16 except Intel's, AVX512_VNNI). Without
// them both formats still work and only save memory: bf16 takes up to half as long again as float, int8 about as long
// as float. int8 has the same sums either way, bf16 the same up to rounding.
bool cpu_accelerates(Precision precision) noexcept;

}  // namespace serene
