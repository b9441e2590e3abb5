// Small pieces that layers share: padded frames, sums over channels.
#pragma once

#include <algorithm>

#include "serene/core/types.h"
#include "serene/core/wide_loop.h"

namespace serene {

// True when no frame is padding, so that the batch is one block of batch * time rows.
template <class S>
bool all_valid(const SeqView<S>& v) {
  if (v.lengths == nullptr) return true;
  for (Index b = 0; b < v.shape.batch; ++b) {
    if (v.lengths[b] != v.shape.time) return false;
  }
  return true;
}

// Frames of the longest sample: later ones are padding for the whole batch.
template <class S>
Index longest_sample(const SeqView<S>& v) {
  if (v.lengths == nullptr) return v.shape.time;
  Index longest = 0;
  for (Index b = 0; b < v.shape.batch; ++b) longest = std::max(longest, v.lengths[b]);
  return longest;
}

// Zeros the frames [valid, time) of sample b.
template <class S>
void zero_frames(const SeqView<S>& v, Index b, Index valid) {
  std::fill(v.frame(b, valid), v.sample(b) + v.shape.time * v.shape.channels, S(0));
}

// Calls f(first_row, rows) for every run of valid rows: once for a batch without padding, else per sample.
// first_row counts rows of channels from the start of the batch.
template <class S, class F>
void for_valid_rows(const SeqView<S>& v, F&& f) {
  if (all_valid(v)) {
    if (v.shape.batch > 0) f(Index(0), v.shape.batch * v.shape.time);
    return;
  }
  for (Index b = 0; b < v.shape.batch; ++b) f(b * v.shape.time, v.length(b));
}

// Zeros the padded frames of v, whose lengths are those of another view.
template <class S, class T>
void zero_padding(const SeqView<S>& v, const SeqView<T>& lengths_of) {
  if (lengths_of.lengths == nullptr) return;
  for (Index b = 0; b < v.shape.batch; ++b) zero_frames(v, b, lengths_of.length(b));
}

// Sum of term(i) for i in 0..n-1 in double, in eight interleaved chains: a fixed order that vectorises.
template <class F>
SERENE_WIDE inline double sum_over(Index n, F&& term) {
  double lane[8] = {};
  Index i = 0;
  for (; i + 8 <= n; i += 8) {
    for (Index j = 0; j < 8; ++j) lane[j] += term(i + j);
  }
  for (Index j = 0; i + j < n; ++j) lane[j] += term(i + j);
  return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

}  // namespace serene
