// Sums of element-wise products of rows: what a convolution without mixing of channels is made of.
#pragma once

#include "serene/core/types.h"
#include "serene/core/wide_loop.h"

namespace serene {
namespace row_products {

constexpr Index kMostTerms = 5;  // rows in one pass: their addresses still fit the registers

// The same for `terms` rows, 1 to kMostTerms.
template <int terms, class S>
SERENE_WIDE inline void add_terms(Index width, const S* a, Index a_step, const S* b, Index b_step, S* y) {
  [[maybe_unused]] const S *a1 = a + a_step, *a2 = a1 + a_step, *a3 = a2 + a_step, *a4 = a3 + a_step;
  [[maybe_unused]] const S *b1 = b + b_step, *b2 = b1 + b_step, *b3 = b2 + b_step, *b4 = b3 + b_step;
#pragma GCC ivdep
  for (Index c = 0; c < width; ++c) {
    S sum = y[c] + a[c] * b[c];
    if constexpr (terms > 1) sum += a1[c] * b1[c];
    if constexpr (terms > 2) sum += a2[c] * b2[c];
    if constexpr (terms > 3) sum += a3[c] * b3[c];
    if constexpr (terms > 4) sum += a4[c] * b4[c];
    y[c] = sum;
  }
}

}  // namespace row_products

// y[c] += a_0[c] b_0[c] + a_1[c] b_1[c] + ..., added from the left, for the `rows` rows a_i = a + i a_step,
// b_i = b + i b_step of `width` scalars; y must not overlap them. Steps may be negative. For use inside wide_loop().
template <class S>
SERENE_WIDE inline void add_row_products(Index rows, Index width, const S* a, Index a_step, const S* b, Index b_step,
                                         S* y) {
  using namespace row_products;
  for (; rows >= kMostTerms; rows -= kMostTerms, a += kMostTerms * a_step, b += kMostTerms * b_step)
    add_terms<kMostTerms>(width, a, a_step, b, b_step, y);
  if (rows == 1) add_terms<1>(width, a, a_step, b, b_step, y);
  if (rows == 2) add_terms<2>(width, a, a_step, b, b_step, y);
  if (rows == 3) add_terms<3>(width, a, a_step, b, b_step, y);
  if (rows == 4) add_terms<4>(width, a, a_step, b, b_step, y);
}

}  // namespace serene
