// Products of activations with each other: gradients of weights, scores of attention. Unlike products with weights
// (Frame::packed) both factors are new in every call, and what is packed lies in scratch.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "serene/core/gemm.h"
#include "serene/nn/slices.h"
#include "serene/nn/valid_frames.h"

namespace serene {

// Their format in a pass of the given precision: 8 bits would have to search two factors for their scales in every
// call.
inline Precision activation_precision(Precision precision) {
  return precision == Precision::full ? Precision::full : Precision::bf16;
}

// Scalars that a factor (k, n) packed for such a product takes, whatever the precision.
template <class S>
Index activation_packed_size(Index k, Index n) {
  return std::max(packed_size<S>(k, n), packed_size<S>(k, n, Precision::bf16));
}

// The rows of a product over all frames meet in pieces, whose packed form stays in the cache.
inline constexpr Index kProductRows = 256;

// Scratch of add_products() for a batch of `rows` frames with left factors of at most `left` columns.
template <class S>
struct ProductScratch {
  // rows: frames of the batch; left, right: widest factors.
  ProductScratch(Slices<S>& slices, Index rows, Index left, Index right) {
    const Index piece = std::min(rows, kProductRows);
    packed = slices.take(activation_packed_size<S>(piece, right));
    gathered_left = slices.take(piece * left);
    gathered_right = slices.take(piece * right);
    sums = slices.take(right);
  }
  S *packed, *gathered_left, *gathered_right, *sums;
};

template <class S>
struct LeftFactor {
  Index width;    // columns
  const S* rows;  // one per frame of the batch
  S* product;     // (width, width of the right factor)
};

// product += left' right over the valid frames of x, for each left factor; column_sums (may be nullptr) += sums over
// the rows of right. The sums run over the valid frames in their order, so padding does not show.
template <class S>
void add_products(SeqView<const S> x, std::initializer_list<LeftFactor<S>> factors, Index width, const S* right,
                  S* column_sums, const ProductScratch<S>& s, Precision precision) noexcept {
  std::fill_n(s.sums, width, S(0));
  const RowPieces pieces(x);
  for (RowPieces::Place at; !pieces.at_end(at);) {
    RowPieces::Place next = at;
    Index rows = 0;
    const S* b = pieces.take(next, kProductRows, width, right, s.gathered_right, rows);
    pack(Trans::no, rows, width, b, width, s.packed, activation_precision(precision));
    for (const LeftFactor<S>& left : factors) {
      next = at;
      const S* a = pieces.take(next, kProductRows, left.width, left.rows, s.gathered_left, rows);
      gemm_packed(Trans::yes, left.width, width, rows, a, left.width, s.packed, true, left.product, width);
    }
    if (column_sums != nullptr) sum_columns(rows, width, b, s.sums);
    at = next;
  }
  for (Index j = 0; column_sums != nullptr && j < width; ++j) column_sums[j] += s.sums[j];
}

}  // namespace serene
