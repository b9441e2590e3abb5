// The way between padded batches and matrix products: a product sees the valid frames of a batch, one behind the other.
#pragma once

#include <algorithm>
#include <cstring>

#include "serene/core/wide_loop.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

// Number of valid frames of the batch.
template <class S>
Index valid_rows(SeqView<S> x) {
  Index rows = 0;
  for_valid_rows(x, [&](Index, Index n) { rows += n; });
  return rows;
}

// Puts the valid rows of src (one row of `width` per frame of x) one behind the other, so that a product over all
// frames of the batch skips padding and adds in an order that does not depend on it. Returns src itself when nothing is
// padded; dst may be src.
template <class S, class T>
const S* gather_valid(SeqView<T> x, Index width, const S* src, S* dst) {
  if (all_valid(x)) return src;
  Index filled = 0;
  for_valid_rows(x, [&](Index first, Index rows) {
    std::memmove(dst + filled * width, src + first * width, static_cast<std::size_t>(rows * width) * sizeof(S));
    filled += rows;
  });
  return dst;
}

// Zeros the rows of padded frames.
template <class S, class T>
void zero_padding(SeqView<T> x, Index width, S* rows) {
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index length = x.length(b);
    std::fill_n(rows + (b * x.shape.time + length) * width, (x.shape.time - length) * width, S(0));
  }
}

// out[j] += sum over rows of a (rows, cols). sums: `cols` scalars of scratch.
template <class S>
void add_column_sums(Index rows, Index cols, const S* a, S* sums, S* out) {
  std::fill_n(sums, cols, S(0));
  wide_loop([=]() SERENE_WIDE {
    for (Index r = 0; r < rows; ++r) {
#pragma GCC ivdep
      for (Index j = 0; j < cols; ++j) sums[j] += a[r * cols + j];
    }
  });
  for (Index j = 0; j < cols; ++j) out[j] += sums[j];
}

}  // namespace serene
