// The way between padded batches and matrix products: a product sees the valid frames of a batch, one behind the other.
#pragma once

#include <algorithm>

#include "serene/core/wide_loop.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

// The valid frames of a batch, handed out in pieces of rows that do not depend on the padding between them.
class RowPieces {
 public:
  struct Place {
    Index sample = 0, frame = 0;
  };

  // Of all frames of x that are valid.
  template <class S>
  explicit RowPieces(const SeqView<S>& x)
      : whole_(all_valid(x)),
        samples_(whole_ ? Index(x.shape.size() > 0) : x.shape.batch),
        time_(whole_ ? x.shape.batch * x.shape.time : x.shape.time),
        lengths_(whole_ ? nullptr : x.lengths) {}

  // No valid frame is left.
  bool at_end(const Place& at) const {
    for (Index b = at.sample; b < samples_; ++b) {
      if (length(b) > (b == at.sample ? at.frame : 0)) return false;
    }
    return true;
  }

  // The next rows, at most `most`, of a matrix with one row of `width` per frame; moves `at` behind them and sets
  // `rows`. Rows that do not lie together are copied to `gathered` (most, width).
  template <class S>
  const S* take(Place& at, Index most, Index width, const S* matrix, S* gathered, Index& rows) const {
    const S* first = nullptr;
    rows = 0;
    while (rows < most && at.sample < samples_) {
      const Index count = std::min(most - rows, length(at.sample) - at.frame);
      const S* run = matrix + (at.sample * time_ + at.frame) * width;
      at.frame += count;
      if (at.frame == length(at.sample)) ++at.sample, at.frame = 0;
      if (rows == 0 && (count == most || at_end(at))) {
        rows = count;
        return run;
      }
      std::copy_n(run, count * width, gathered + rows * width);
      rows += count;
      first = gathered;
    }
    return first;
  }

 private:
  Index length(Index b) const { return lengths_ != nullptr ? lengths_[b] : time_; }

  bool whole_;
  Index samples_, time_;
  const Index* lengths_;
};

// Zeros the rows of padded frames.
template <class S, class T>
void zero_padding(SeqView<T> x, Index width, S* rows) {
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index length = x.length(b);
    std::fill_n(rows + (b * x.shape.time + length) * width, (x.shape.time - length) * width, S(0));
  }
}

// sums[j] += sum over the rows of a (rows, cols).
template <class S>
void sum_columns(Index rows, Index cols, const S* a, S* sums) {
  wide_loop([=]() SERENE_WIDE {
    for (Index r = 0; r < rows; ++r) {
#pragma GCC ivdep
      for (Index j = 0; j < cols; ++j) sums[j] += a[r * cols + j];
    }
  });
}

}  // namespace serene
