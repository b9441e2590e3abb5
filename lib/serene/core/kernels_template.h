// The one source of the kernels, compiled once per instruction set. Include only from kernels_<isa>.cpp, after defining
//   SERENE_VECTOR_BYTES  width of a vector register
//   SERENE_TILE_ROWS     rows of c that one tile keeps in registers
//   SERENE_TABLE         name of the function that hands out the table
// Everything lives in an unnamed namespace and calls no inline function of another header: code compiled for a wide
// instruction set must never be shared, through the linker, with code that runs on every processor.
#pragma once

#include "serene/core/kernels.h"

namespace serene {
namespace {

template <class S, int Bytes = SERENE_VECTOR_BYTES>
struct Simd {
  static constexpr Index lanes = Bytes / static_cast<Index>(sizeof(S));
  typedef S Vector __attribute__((vector_size(Bytes)));
  typedef S Unaligned __attribute__((vector_size(Bytes), aligned(sizeof(S)), may_alias));
  typedef int Ints __attribute__((vector_size(Bytes)));
};

constexpr Index kTileVectors = 2;
constexpr Index kTileRows = SERENE_TILE_ROWS;
constexpr Index kBlockK = 256;  // depth of a packed block of a transposed a: 12 rows * 256 * 4 bytes stay in L1

template <class S>
constexpr Index panel_width() {
  return kTileVectors * Simd<S>::lanes;
}

// Panel j holds columns [j*W, j*W + W) of op(b), k rows of W values; columns beyond n are zero.
template <class S>
void pack_panels(bool transposed, Index k, Index n, const S* b, Index ldb, S* packed) noexcept {
  constexpr Index width = panel_width<S>();
  for (Index j = 0; j < n; j += width) {
    const Index columns = n - j < width ? n - j : width;
    if (columns < width) {
      for (Index i = 0; i < k * width; ++i) packed[i] = S(0);
    }
    if (transposed) {
      constexpr Index depth = 64;  // the part of the panel that is being filled stays in L1
      for (Index first = 0; first < k; first += depth) {
        const Index last = first + depth < k ? first + depth : k;
        for (Index c = 0; c < columns; ++c) {
          const S* row = b + (j + c) * ldb;
          for (Index p = first; p < last; ++p) packed[p * width + c] = row[p];
        }
      }
    } else {
      for (Index p = 0; p < k; ++p) {
        const S* row = b + p * ldb + j;
        for (Index c = 0; c < columns; ++c) packed[p * width + c] = row[c];
      }
    }
    packed += k * width;
  }
}

// c tile (Rows, panel) (+)= a rows * packed panel. a element (i, p) lies at a[i * row_step + p * k_step].
template <class S, int Rows>
void full_tile(Index k, const S* a, Index row_step, Index k_step, const S* b, bool accumulate, S* c,
               Index ldc) noexcept {
  using V = typename Simd<S>::Vector;
  using U = typename Simd<S>::Unaligned;
  constexpr Index lanes = Simd<S>::lanes;
  V sum[Rows][kTileVectors];
  if (accumulate) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v) sum[i][v] = *reinterpret_cast<const U*>(c + i * ldc + v * lanes);
    }
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kTileVectors; ++v) sum[i][v] = V{};
    }
  }
  for (Index p = 0; p < k; ++p) {
    const V b0 = *reinterpret_cast<const U*>(b);
    const V b1 = *reinterpret_cast<const U*>(b + lanes);
    b += 2 * lanes;
    const S* ap = a + p * k_step;
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const S value = ap[i * row_step];
      sum[i][0] += value * b0;
      sum[i][1] += value * b1;
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kTileVectors; ++v) *reinterpret_cast<U*>(c + i * ldc + v * lanes) = sum[i][v];
  }
}

// A tile at the right edge of c goes through a buffer of full width, so that edges use the very same arithmetic.
template <class S, int Rows>
void any_tile(Index k, const S* a, Index row_step, Index k_step, const S* b, bool accumulate, S* c, Index ldc,
              Index columns) noexcept {
  constexpr Index width = panel_width<S>();
  if (columns == width) return full_tile<S, Rows>(k, a, row_step, k_step, b, accumulate, c, ldc);
  alignas(64) S edge[Rows * width] = {};
  if (accumulate) {
    for (Index i = 0; i < Rows; ++i) {
      for (Index j = 0; j < columns; ++j) edge[i * width + j] = c[i * ldc + j];
    }
  }
  full_tile<S, Rows>(k, a, row_step, k_step, b, accumulate, edge, width);
  for (Index i = 0; i < Rows; ++i) {
    for (Index j = 0; j < columns; ++j) c[i * ldc + j] = edge[i * width + j];
  }
}

template <class S>
using Tile = void (*)(Index, const S*, Index, Index, const S*, bool, S*, Index, Index) noexcept;

// tile_for<S>[rows]: 1 <= rows <= kTileRows.
template <class S>
Tile<S> tile_for(Index rows) noexcept {
  static constexpr Tile<S> tiles[] = {
    nullptr,
    any_tile<S, 1>,
    any_tile<S, 2>,
    any_tile<S, 3>,
    any_tile<S, 4>,
#if SERENE_TILE_ROWS > 4
    any_tile<S, 5>,
    any_tile<S, 6>,
#endif
#if SERENE_TILE_ROWS > 6
    any_tile<S, 7>,
    any_tile<S, 8>,
    any_tile<S, 9>,
    any_tile<S, 10>,
    any_tile<S, 11>,
    any_tile<S, 12>,
#endif
  };
  return tiles[rows];
}

// Rows of the next tile: full tiles first; a rest of kTileRows + few is halved, since thin tiles waste the multiplier.
inline Index next_rows(Index left) noexcept {
  if (left >= 2 * kTileRows || left == kTileRows) return kTileRows;
  return left > kTileRows ? (left + 1) / 2 : left;
}

template <class S>
void multiply_rows(Index m, Index n, Index k, const S* a, Index lda, const S* packed, bool accumulate, S* c,
                   Index ldc) noexcept {
  constexpr Index width = panel_width<S>();
  for (Index j = 0; j < n; j += width) {
    const Index columns = n - j < width ? n - j : width;
    const S* panel = packed + j * k;
    for (Index i = 0; i < m;) {
      const Index rows = next_rows(m - i);
      tile_for<S>(rows)(k, a + i * lda, lda, 1, panel, accumulate, c + i * ldc + j, ldc, columns);
      i += rows;
    }
  }
}

// block (depth, rows) from rows of a; the usual number of rows is a constant, which makes each row a few vector moves.
template <class S>
void gather_block(Index depth, Index rows, const S* a, Index lda, S* block) noexcept {
  if (rows == kTileRows) {
    for (Index q = 0; q < depth; ++q) {
      __builtin_prefetch(a + q * lda + 2 * kTileRows);  // of the next block
#pragma GCC unroll 16
      for (Index r = 0; r < kTileRows; ++r) block[q * kTileRows + r] = a[q * lda + r];
    }
    return;
  }
  for (Index q = 0; q < depth; ++q) {
    for (Index r = 0; r < rows; ++r) block[q * rows + r] = a[q * lda + r];
  }
}

// a transposed: rows of op(a) are columns of a. A block of them is gathered on the stack, since reading down a column
// of a large matrix would miss the cache at every step.
template <class S>
void multiply_columns(Index m, Index n, Index k, const S* a, Index lda, const S* packed, bool accumulate, S* c,
                      Index ldc) noexcept {
  constexpr Index width = panel_width<S>();
  alignas(64) S block[kTileRows * kBlockK];
  for (Index p = 0; p < k; p += kBlockK) {
    const Index depth = k - p < kBlockK ? k - p : kBlockK;
    const bool add = accumulate || p > 0;
    for (Index i = 0; i < m;) {
      const Index rows = next_rows(m - i);
      gather_block(depth, rows, a + p * lda + i, lda, block);
      for (Index j = 0; j < n; j += width) {
        const Index columns = n - j < width ? n - j : width;
        tile_for<S>(rows)(depth, block, 1, rows, packed + j * k + p * width, add, c + i * ldc + j, ldc, columns);
      }
      i += rows;
    }
  }
}

template <class S>
void multiply(bool transposed_a, Index m, Index n, Index k, const S* a, Index lda, const S* packed, bool accumulate,
              S* c, Index ldc) noexcept {
  if (transposed_a && k > 0) return multiply_columns(m, n, k, a, lda, packed, accumulate, c, ldc);
  multiply_rows(m, n, k, a, lda, packed, accumulate, c, ldc);
}

using V = Simd<float>::Vector;
using U = Simd<float>::Unaligned;
using I = Simd<float>::Ints;
constexpr Index kLanes = Simd<float>::lanes;

// e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; e^r by the minimax polynomial of Cephes' expf (Moshier).
inline __attribute__((always_inline)) V exp_value(V x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const V high = V{} + 88.7228394f, low = V{} - 87.3365448f;
  V clamped = x < high ? x : high;
  clamped = clamped > low ? clamped : low;
  const V shifted = clamped * 1.44269504088896341f + kRound;
  const V n = shifted - kRound;
  V r = clamped - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  V p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // 2^n in two factors, since n = 128 alone is not a float.
  const I whole = __builtin_convertvector(n, I);
  const I half = whole >> 1;
  const I first = (half + 127) << 23, second = (whole - half + 127) << 23;
  V result = p * reinterpret_cast<V>(first) * reinterpret_cast<V>(second);
  result = x > high ? V{} + __builtin_inff() : result;
  result = x < low ? V{} : result;
  return x == x ? result : x;
}

// tanh x = x + x^3 P(x^2) for |x| < 0.625 (Cephes' tanhf), else sign(x) (1 - 2 / (e^(2|x|) + 1)).
inline __attribute__((always_inline)) V tanh_value(V x) {
  const I sign = reinterpret_cast<I>(x) & static_cast<int>(0x80000000u);
  const V magnitude = reinterpret_cast<V>(reinterpret_cast<I>(x) & 0x7fffffff);
  const V z = x * x;
  V p = z * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const V small = p * z * x + x;
  V large = 1.0f - 2.0f / (exp_value(magnitude + magnitude) + 1.0f);
  large = reinterpret_cast<V>(reinterpret_cast<I>(large) | sign);
  const V result = magnitude < 0.625f ? small : large;
  return x == x ? result : x;
}

inline __attribute__((always_inline)) V sigmoid_value(V x) { return 1.0f / (1.0f + exp_value(-x)); }

// Whole vectors only, and never inlined: the tail goes through the same machine code as the rest.
#define SERENE_ARRAY_FUNCTION(name, value)                                                                          \
  __attribute__((noinline)) void name##_vectors(Index n, const float* x, float* y) noexcept {                       \
    for (Index i = 0; i < n; i += kLanes) *reinterpret_cast<U*>(y + i) = value(*reinterpret_cast<const U*>(x + i)); \
  }                                                                                                                 \
  void name##_array(Index n, const float* x, float* y) noexcept {                                                   \
    const Index whole = n - n % kLanes;                                                                             \
    name##_vectors(whole, x, y);                                                                                    \
    if (whole == n) return;                                                                                         \
    alignas(64) float tail[kLanes] = {};                                                                            \
    for (Index i = whole; i < n; ++i) tail[i - whole] = x[i];                                                       \
    name##_vectors(kLanes, tail, tail);                                                                             \
    for (Index i = whole; i < n; ++i) y[i] = tail[i - whole];                                                       \
  }
SERENE_ARRAY_FUNCTION(exp, exp_value)
SERENE_ARRAY_FUNCTION(tanh, tanh_value)
SERENE_ARRAY_FUNCTION(sigmoid, sigmoid_value)
#undef SERENE_ARRAY_FUNCTION

}  // namespace

template <>
const Kernels<float>& SERENE_TABLE<float>() noexcept {
  static constexpr Kernels<float> table{SERENE_ISA_NAME, panel_width<float>(), pack_panels<float>, multiply<float>,
                                        exp_array,       tanh_array,           sigmoid_array};
  return table;
}

// The element-wise functions of double come from the standard library (kernels.cpp): references and checks use them.
template <>
const Kernels<double>& SERENE_TABLE<double>() noexcept {
  static constexpr Kernels<double> table{
      SERENE_ISA_NAME, panel_width<double>(), pack_panels<double>, multiply<double>, nullptr, nullptr, nullptr};
  return table;
}

}  // namespace serene
