// Packing and multiplying over tiles, in any format.
//
// Panel j of a packed matrix holds columns [j W, j W + W) of op(b) as rows of W lanes, each lane F::depth values of k;
// values beyond k or n are zero. int8 keeps W scales in front of each panel and W starts of sums (-128 times the sum of
// the column) in front of each block of k.
#pragma once

#include "serene/core/kernels_tile.h"

namespace serene {
namespace {

constexpr Index kBlockLanes =
    320;  // depth of a block of a that is gathered or converted: 12 * 320 * 4 bytes stay in L1
template <class F>
constexpr Index block_depth = kBlockLanes* F::depth;

inline Index divide_up(Index n, Index by) noexcept { return (n + by - 1) / by; }
inline Index smaller(Index a, Index b) noexcept { return a < b ? a : b; }

// Rows of lanes in a panel, and in front of the block that starts at value p of k.
template <class F>
Index panel_rows(Index k) noexcept {
  return divide_up(k, F::depth);
}
template <>
inline Index panel_rows<Int8>(Index k) noexcept {
  const Index blocks = k == 0 ? 1 : divide_up(k, block_depth<Int8>);
  return 1 + blocks + divide_up(k, Int8::depth);
}
template <class F>
Index rows_before(Index p) noexcept {
  return p / F::depth;
}
template <>
inline Index rows_before<Int8>(Index p) noexcept {
  return 1 + p / block_depth<Int8> + p / Int8::depth;
}

template <class F>
Index packed_size_of(Index k, Index n) noexcept {
  return divide_up(n, panel_width<typename F::Scalar>) * panel_width<typename F::Scalar> * panel_rows<F>(k);
}

// lanes (groups, columns) from `depth` rows of x. A row of lanes follows the one before after `step` lanes; the last
// vector of a row may reach beyond `columns`, which the next row then overwrites.
template <class F>
void lanes_of_columns(Index depth, Index columns, const typename F::Scalar* x, Index stride, typename F::Lane* lanes,
                      Index step) noexcept {
  using S = typename F::Scalar;
  constexpr Index vector = Simd<S>::lanes;
  const Index whole = columns - columns % vector;
  const Part<S> all(vector), rest(columns - whole);
  for (Index p = 0; p < depth; p += F::depth, x += F::depth * stride, lanes += step) {
    for (Index j = 0; j < columns; j += vector) {
      const auto v = F::lanes_of_column(x + j, stride, depth - p, j < whole ? all : rest);
      __builtin_memcpy(lanes + j, &v, sizeof v);
    }
  }
}

// Rows of b become columns of the panel, a part of k after the other, so that what is being filled stays in L1.
template <class F>
void pack_rows_as_columns(Index k, Index columns, const typename F::Scalar* b, Index ldb,
                          typename F::Lane* panel) noexcept {
  constexpr Index width = panel_width<typename F::Scalar>, part = 64;
  for (Index first = 0; first < k; first += part) {
    const Index depth = smaller(part, k - first), groups = divide_up(depth, F::depth);
    typename F::Lane* to = panel + first / F::depth * width;
    for (Index c = 0; c < columns; ++c) {
      const typename F::Scalar* row = b + c * ldb + first;
      if constexpr (F::depth == 1) {
        for (Index p = 0; p < depth; ++p) to[p * width + c] = row[p];
      } else {
        typename F::Lane lanes[part];
        F::lanes_of_row(depth, row, lanes);
        for (Index g = 0; g < groups; ++g) to[g * width + c] = lanes[g];
      }
    }
    for (Index g = 0; g < groups; ++g) {
      for (Index c = columns; c < width; ++c) to[g * width + c] = 0;
    }
  }
}

template <class F>
void pack_panels(bool transposed, Index k, Index n, const typename F::Scalar* b, Index ldb,
                 typename F::Scalar* packed) noexcept {
  using S = typename F::Scalar;
  using Lane = typename F::Lane;
  constexpr Index width = panel_width<S>;
  Lane* panel = reinterpret_cast<Lane*>(packed);
  for (Index j = 0; j < n; j += width, panel += width * panel_rows<F>(k)) {
    const Index columns = smaller(width, n - j);
    if (transposed) {
      pack_rows_as_columns<F>(k, columns, b + j * ldb, ldb, panel);
      continue;
    }
    lanes_of_columns<F>(k, columns, b + j, ldb, panel, width);
    if (columns > width - Simd<S>::lanes) continue;
    for (Index g = 0; g < panel_rows<F>(k); ++g) {
      for (Index c = width - Simd<S>::lanes; c < width; ++c) panel[g * width + c] = 0;
    }
  }
}

// A block of rows of op(a) as lanes; `scales` (one a row) for int8 alone.
template <class F>
struct Block {
  alignas(64) typename F::Lane lanes[kTileRows * kBlockLanes + 2 * Simd<typename F::Scalar>::lanes];
  alignas(64) typename F::Scalar scales[kTileRows + Simd<typename F::Scalar>::lanes];
};

template <class F>
void fill_block(bool transposed, Index depth, Index rows, const typename F::Scalar* a, Index lda,
                Block<F>& block) noexcept {
  if (transposed) {
    lanes_of_columns<F>(depth, rows, a, lda, block.lanes, rows);
  } else if constexpr (F::depth > 1) {
    const Index groups = divide_up(depth, F::depth);
    for (Index i = 0; i < rows; ++i) F::lanes_of_row(depth, a + i * lda, block.lanes + i * groups);
  }
}

template <class F>
void multiply(const ProductTask<typename F::Scalar>& t) noexcept {
  using S = typename F::Scalar;
  using Lane = typename F::Lane;
  constexpr Index width = panel_width<S>;
  const bool direct = F::depth == 1 && !t.transposed_a;  // a is read where it lies
  Block<F> block;
  Index p = 0;
  do {
    const Index depth = direct ? t.k : smaller(block_depth<F>, t.k - p);
    const bool last = p + depth == t.k;
    const Index groups = divide_up(depth, F::depth);
    for (Index i = 0; i < t.m;) {
      const Index rows = next_rows(t.m - i);
      const S* a = t.a + (t.transposed_a ? p * t.lda + i : i * t.lda + p);
      fill_block<F>(t.transposed_a, depth, rows, a, t.lda, block);
      Factors<F> f{groups, block.lanes, groups, 1, nullptr, block.scales, nullptr, nullptr};
      if (t.transposed_a) f.row_step = 1, f.group_step = rows;
      if (direct) f.a = reinterpret_cast<const Lane*>(a), f.row_step = t.lda;
      for (Index j = 0; j < t.n; j += width) {
        const S* panel = t.packed + j * panel_rows<F>(t.k);
        const Target<S> to{t.c + i * t.ldc + j,
                           t.ldc,
                           smaller(width, t.n - j),
                           t.accumulate || p > 0,
                           last && t.bias != nullptr ? t.bias + j : nullptr,
                           last && t.relu};
        f.column_scales = panel;
        f.start = reinterpret_cast<const Lane*>(panel) + (rows_before<F>(p)) * width;
        f.b = F::depth == Int8::depth ? f.start + width : f.start;
        tile_for<F>(rows, to.columns)(f, to);
      }
      i += rows;
    }
    p += depth;
  } while (p < t.k);
}

template <class F>
constexpr Product<typename F::Scalar> product_of() noexcept {
  return {packed_size_of<F>, pack_panels<F>, multiply<F>};
}

}  // namespace
}  // namespace serene
