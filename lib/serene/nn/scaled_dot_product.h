// Scaled dot-product attention of one head over one sample (Vaswani et al.: Attention is all you need, NeurIPS 2017),
// the common core of self-attention and multi-head attention. Q queries, L keys, K dimensions:
//
//   P (Q,L) = softmax_rows(s q k'),  out (Q,K) = P v
//
//   dP = dout v'    dS = s P (dP - rowsum(dP P))    dq = dS k    dk = dS' q    dv = P' dout
//
// Nothing allocates. The results of a query depend on its own row and the L keys alone.
#pragma once

#include <algorithm>

#include "serene/core/gemm.h"
#include "serene/core/vector_math.h"

namespace serene {

// Replaces the n scores by softmax(scale * scores); n = 0 is allowed. scale > 0.
template <class S>
void softmax_row(Index n, S scale, S* scores) noexcept {
  if (n == 0) return;
  const S highest = *std::max_element(scores, scores + n);
  for (Index j = 0; j < n; ++j) scores[j] = scale * (scores[j] - highest);
  vec_exp(n, scores, scores);
  double sum = 0;
  for (Index j = 0; j < n; ++j) sum += static_cast<double>(scores[j]);
  const S inverse = static_cast<S>(1 / sum);
  for (Index j = 0; j < n; ++j) scores[j] *= inverse;
}

// Gradient of softmax_row: d (n), the gradient of the weights, becomes that of the scores.
template <class S>
void softmax_row_backward(Index n, S scale, const S* weights, S* d) noexcept {
  double inner = 0;
  for (Index j = 0; j < n; ++j) inner += static_cast<double>(weights[j]) * static_cast<double>(d[j]);
  const S mean = static_cast<S>(inner);
  for (Index j = 0; j < n; ++j) d[j] = scale * weights[j] * (d[j] - mean);
}

// One head of one sample: rows of q, k and v are `stride` scalars apart, so that heads may lie side by side.
template <class S>
struct AttentionHead {
  Index queries = 0, keys = 0, dim = 0, stride = 0;
  const S* q = nullptr;
  const S* k = nullptr;
  const S* v = nullptr;
  S scale = 1;
};

// Scalars of `work` that both directions need for at most `time` queries and keys.
template <class S>
Index attention_work(Index time, Index dim) {
  return std::max(packed_size<S>(dim, time), packed_size<S>(time, dim));
}

// Writes weights (queries, keys; row distance ldw) and out (queries, dim; row distance ldo).
template <class S>
void attend_forward(const AttentionHead<S>& h, S* weights, Index ldw, S* out, Index ldo, S* work) noexcept {
  gemm(Trans::no, Trans::yes, h.queries, h.keys, h.dim, h.q, h.stride, h.k, h.stride, false, weights, ldw, work);
  for (Index i = 0; i < h.queries; ++i) softmax_row(h.keys, h.scale, weights + i * ldw);
  gemm(Trans::no, Trans::no, h.queries, h.dim, h.keys, weights, ldw, h.v, h.stride, false, out, ldo, work);
}

// Adds to dq, dk and dv (row distance ldd); the three may be the same. d_weights: queries * keys scalars of scratch.
template <class S>
void attend_backward(const AttentionHead<S>& h, const S* weights, Index ldw, const S* d_out, Index ldo, S* dq, S* dk,
                     S* dv, Index ldd, S* d_weights, S* work) noexcept {
  gemm(Trans::no, Trans::yes, h.queries, h.keys, h.dim, d_out, ldo, h.v, h.stride, false, d_weights, h.keys, work);
  for (Index i = 0; i < h.queries; ++i)
    softmax_row_backward(h.keys, h.scale, weights + i * ldw, d_weights + i * h.keys);
  gemm(Trans::yes, Trans::no, h.keys, h.dim, h.queries, weights, ldw, d_out, ldo, true, dv, ldd, work);
  gemm(Trans::yes, Trans::no, h.keys, h.dim, h.queries, d_weights, h.keys, h.q, h.stride, true, dk, ldd, work);
  gemm(Trans::no, Trans::no, h.queries, h.dim, h.keys, d_weights, h.keys, h.k, h.stride, true, dq, ldd, work);
}

}  // namespace serene
