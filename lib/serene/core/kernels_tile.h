// The tile: a few rows of c times one panel of columns, kept in registers over a block of k, and written once.
#pragma once

#include "serene/core/kernels_format.h"

namespace serene {
namespace {

constexpr Index kTileVectors = 2;
constexpr Index kTileRows = SERENE_TILE_ROWS;

template <class S>
constexpr Index panel_width = kTileVectors* Simd<S>::lanes;

// Where a tile's sums go: c = sum, or c += sum, then the epilogue.
template <class S>
struct Target {
  S* c;
  Index ldc;
  Index columns;  // of the panel that exist
  bool add;
  const S* bias;  // of the panel's first column, or null
  bool relu;
};

// Lane (i, g) of a lies at a[i * row_step + g * group_step]; the lanes of b are rows of one panel width.
template <class F>
struct Factors {
  using S = typename F::Scalar;
  using Lane = typename F::Lane;
  Index groups;
  const Lane* a;
  Index row_step, group_step;
  const Lane* b;
  const S* row_scales;     // int8 alone
  const S* column_scales;  // int8 alone
  const Lane* start;       // int8 alone: what the sums start from
};

// What differs between formats at the two ends of a sum.
template <class F>
struct Ends {
  using Vector = typename Simd<typename F::Scalar>::Vector;
  static SERENE_INLINE Vector first(const Factors<F>&, Index) { return Vector{}; }
  static SERENE_INLINE Vector last(const Factors<F>&, Vector sum, int, Index) { return sum; }
};
template <>
struct Ends<Int8> {
  static SERENE_INLINE I first(const Factors<Int8>& f, Index column) { return load(f.start + column); }
  static SERENE_INLINE V last(const Factors<Int8>& f, I sum, int row, Index column) {
    return __builtin_convertvector(sum, V) * f.row_scales[row] * load(f.column_scales + column);
  }
};

// max(v, 0); NaN stays NaN.
template <class S>
SERENE_INLINE typename Simd<S>::Vector relu_of(typename Simd<S>::Vector v) {
  return v < S(0) ? typename Simd<S>::Vector{} : v;  // NaN stays
}

// The end of a tile: sums to memory. `to` is a copy, which the stores cannot change.
template <class F, int Rows, int Vectors>
SERENE_INLINE void store_sums(const Factors<F>& f, const typename F::Sum (&sum)[Rows][Vectors],
                              const Target<typename F::Scalar> to) noexcept {
  using S = typename F::Scalar;
  constexpr Index lanes = Simd<S>::lanes;
#pragma GCC unroll 2
  for (int v = 0; v < Vectors; ++v) {
    const Part<S> part(to.columns - v * lanes);
    typename Simd<S>::Vector bias{};
    if (to.bias != nullptr) bias = part.load(to.bias + v * lanes);
    const bool whole = to.columns >= (v + 1) * lanes;
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      S* c = to.c + i * to.ldc + v * lanes;
      auto value = Ends<F>::last(f, sum[i][v], i, v * lanes);
      if (to.add) value += whole ? load(c) : part.load(c);
      if (to.bias != nullptr) value += bias;
      if (to.relu) value = relu_of<S>(value);
      whole ? store(c, value) : part.store(c, value);
    }
  }
}

// c (Rows, Vectors * lanes or less) = a b, kept in registers over all of k.
template <class F, int Rows, int Vectors>
void tile(const Factors<F>& f, const Target<typename F::Scalar>& target) noexcept {
  using S = typename F::Scalar;
  using Lanes = typename F::Lanes;
  constexpr Index lanes = Simd<S>::lanes;
  typename F::Sum sum[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) sum[i][v] = Ends<F>::first(f, v * lanes);
    __builtin_prefetch(target.c + i * target.ldc, 1);
    __builtin_prefetch(target.c + i * target.ldc + target.columns - 1, 1);
  }
  const typename F::Lane* b = f.b;
  // A pointer for every third row: more would not stay in registers.
  const Index row_step = f.row_step, group_step = f.group_step;
  const typename F::Lane* a[(Rows + 2) / 3];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; i += 3) {
    a[i / 3] = f.a + i * row_step;
    keep_apart(a[i / 3]);
  }
  for (Index g = 0; g < f.groups; ++g) {
    Lanes bv[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) {
      bv[v] = load(b + v * lanes);
      if (Rows > 1) keep_in_register(bv[v]);
    }
#pragma GCC unroll 2
    for (int part = 0; part < F::parts; ++part) {
      decltype(F::b_part(bv[0], 0)) factor[Vectors];
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) factor[v] = F::b_part(bv[v], part);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const auto value = F::a_part(F::broadcast(a[i / 3][i % 3 * row_step]), part);
#pragma GCC unroll 2
        for (int v = 0; v < Vectors; ++v) sum[i][v] = F::dot(sum[i][v], value, factor[v]);
      }
    }
    b += panel_width<S>;
#pragma GCC unroll 4
    for (int i = 0; i < Rows; i += 3) a[i / 3] += group_step;
  }
  store_sums<F, Rows, Vectors>(f, sum, target);
}

// One size of tile, as a function.
template <class F>
using Tile = void (*)(const Factors<F>&, const Target<typename F::Scalar>&) noexcept;

// 1 <= rows <= kTileRows; a panel of at most half the columns takes one vector.
template <class F>
Tile<F> tile_for(Index rows, Index columns) noexcept {
#define SERENE_TILES(rows) \
  { tile<F, rows, 1>, tile<F, rows, 2> }
  static constexpr Tile<F> tiles[][2] = {
    SERENE_TILES(1),
    SERENE_TILES(2),
    SERENE_TILES(3),
    SERENE_TILES(4),
#if SERENE_TILE_ROWS > 4
    SERENE_TILES(5),
    SERENE_TILES(6),
#endif
#if SERENE_TILE_ROWS > 6
    SERENE_TILES(7),
    SERENE_TILES(8),
    SERENE_TILES(9),
    SERENE_TILES(10),
    SERENE_TILES(11),
    SERENE_TILES(12),
#endif
  };
#undef SERENE_TILES
  return tiles[rows - 1][columns > Simd<typename F::Scalar>::lanes ? 1 : 0];
}

// Rows of the next tile: full tiles first; a rest of kTileRows + few is halved, since thin tiles waste the multiplier.
inline Index next_rows(Index left) noexcept {
  if (left >= 2 * kTileRows || left == kTileRows) return kTileRows;
  return left > kTileRows ? (left + 1) / 2 : left;
}

}  // namespace
}  // namespace serene
