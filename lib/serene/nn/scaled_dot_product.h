// Scaled dot-product attention of one head over one sample (Vaswani et al.: Attention is all you need, NeurIPS 2017),
// the common core of self-attention and multi-head attention. Q queries, L keys, K dimensions:
//
//   P (Q,L) = softmax_rows(s q k'),  out (Q,K) = P v
//
//   dP = dout v'    dS = s P (dP - rowsum(dP P))    dq = dS k    dk = dS' q    dv = P' dout
//
// Forward goes over a few queries at a time, whose scores stay in the cache; P as a whole exists only where backward
// will want it. Nothing allocates. The results of a query depend on its own row and the L keys alone.
#pragma once

#include <algorithm>

#include "serene/core/gemm.h"
#include "serene/nn/layer.h"
#include "serene/nn/products.h"
#include "serene/nn/softmax.h"

namespace serene {

inline constexpr Index kQueryRows = 24;  // two full tiles of rows of the product kernels

// Queries of the next block: the last one takes a small rest with it, since thin products are slow.
inline Index next_queries(Index left) { return left < kQueryRows + kQueryRows / 2 ? left : kQueryRows; }

// One head of one sample: rows of q, k and v are `stride` scalars apart, so that heads may lie side by side.
template <class S>
struct AttentionHead {
  Index queries = 0, keys = 0, dim = 0, stride = 0;
  const S* q = nullptr;
  const S* k = nullptr;
  const S* v = nullptr;
  S scale = 1;
  Precision precision = Precision::full;
};

// Scratch for at most `time` queries and keys of `dim` dimensions.
template <class S>
struct AttentionScratch {
  // Training needs room for all queries, inference for a block of them.
  AttentionScratch(Slices<S>& slices, Index time, Index dim, Mode mode) {
    wide = slices.take(activation_packed_size<S>(dim, time));
    tall = slices.take(activation_packed_size<S>(time, dim));
    scores = slices.take(mode == Mode::training ? time * time : std::min(time, kQueryRows + kQueryRows / 2) * time);
  }
  S *wide, *tall;  // packed (dim, time) and (time, dim)
  S* scores;       // of a block of queries in inference, of all in backward
};

// Writes out (queries, dim; row distance ldo) and, unless it is null, weights (queries, keys; row distance ldw).
template <class S>
void attend_forward(const AttentionHead<S>& h, S* weights, Index ldw, S* out, Index ldo,
                    const AttentionScratch<S>& s) noexcept {
  pack(Trans::yes, h.dim, h.keys, h.k, h.stride, s.wide, h.precision);
  pack(Trans::no, h.keys, h.dim, h.v, h.stride, s.tall, h.precision);
  const Index ld = weights != nullptr ? ldw : h.keys;
  for (Index first = 0, rows = 0; first < h.queries; first += rows) {
    rows = next_queries(h.queries - first);
    S* scores = weights != nullptr ? weights + first * ldw : s.scores;
    gemm_packed(Trans::no, rows, h.keys, h.dim, h.q + first * h.stride, h.stride, s.wide, false, scores, ld);
    for (Index i = 0; i < rows; ++i) softmax_row(h.keys, h.scale, scores + i * ld);
    gemm_packed(Trans::no, rows, h.dim, h.keys, scores, ld, s.tall, false, out + first * ldo, ldo);
  }
}

// Adds to dq, dk and dv (row distance ldd); the three may be the same.
template <class S>
void attend_backward(const AttentionHead<S>& h, const S* weights, Index ldw, const S* d_out, Index ldo, S* dq, S* dk,
                     S* dv, Index ldd, const AttentionScratch<S>& s) noexcept {
  S* d = s.scores;
  pack(Trans::yes, h.dim, h.keys, h.v, h.stride, s.wide, h.precision);
  gemm_packed(Trans::no, h.queries, h.keys, h.dim, d_out, ldo, s.wide, false, d, h.keys);
  for (Index i = 0; i < h.queries; ++i)
    softmax_row_backward(h.keys, h.scale, weights + i * ldw, d + i * h.keys, d + i * h.keys);
  gemm(Trans::yes, Trans::no, h.keys, h.dim, h.queries, weights, ldw, d_out, ldo, true, dv, ldd, s.tall, h.precision);
  gemm(Trans::yes, Trans::no, h.keys, h.dim, h.queries, d, h.keys, h.q, h.stride, true, dk, ldd, s.tall, h.precision);
  if (h.q != h.k || h.queries != h.keys) pack(Trans::no, h.keys, h.dim, h.k, h.stride, s.tall, h.precision);
  gemm_packed(Trans::no, h.queries, h.dim, h.keys, d, h.keys, s.tall, true, dq, ldd);
}

}  // namespace serene
