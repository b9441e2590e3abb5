// Softmax of one row, for activations and attention. Maxima and sums run in a fixed order: sixteen and eight
// interleaved chains, which vectorise.
#pragma once

#include <algorithm>

#include "serene/core/vector_math.h"
#include "serene/core/wide_loop.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

// Largest of n >= 1 values.
template <class S>
S highest_of(Index n, const S* values) noexcept {
  constexpr Index lanes = 16;
  S lane[lanes];
  for (Index j = 0; j < lanes; ++j) lane[j] = values[std::min(j, n - 1)];
  wide_loop([=, best = &lane[0]]() SERENE_WIDE {
    for (Index i = lanes; i + lanes <= n; i += lanes) {
#pragma GCC ivdep
      for (Index j = 0; j < lanes; ++j) {
        const S v = values[i + j], b = best[j];
        best[j] = v > b ? v : b;
      }
    }
  });
  for (Index i = std::max(lanes, n - n % lanes); i < n; ++i) lane[0] = std::max(lane[0], values[i]);
  return *std::max_element(lane, lane + lanes);
}

// Replaces the n scores by softmax(scale * scores); n = 0 is allowed. scale > 0.
template <class S>
void softmax_row(Index n, S scale, S* scores) noexcept {
  if (n == 0) return;
  const S highest = highest_of(n, scores);
  wide_loop([=]() SERENE_WIDE {
    for (Index j = 0; j < n; ++j) scores[j] = scale * (scores[j] - highest);
  });
  vec_exp(n, scores, scores);
  double sum = 0;
  wide_loop([=, &sum]() SERENE_WIDE {
    sum = sum_over(n, [=](Index j) SERENE_WIDE { return static_cast<double>(scores[j]); });
  });
  const S inverse = static_cast<S>(1 / sum);
  wide_loop([=]() SERENE_WIDE {
    for (Index j = 0; j < n; ++j) scores[j] *= inverse;
  });
}

// Its gradient: dz (n) from the gradient dy of the weights y; dz may be dy.
template <class S>
void softmax_row_backward(Index n, S scale, const S* y, const S* dy, S* dz) noexcept {
  double inner = 0;
  wide_loop([=, &inner]() SERENE_WIDE {
    inner = sum_over(n, [=](Index j) SERENE_WIDE { return static_cast<double>(y[j]) * static_cast<double>(dy[j]); });
  });
  const S mean = static_cast<S>(inner);
  wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
    for (Index j = 0; j < n; ++j) dz[j] = scale * y[j] * (dy[j] - mean);
  });
}

}  // namespace serene
