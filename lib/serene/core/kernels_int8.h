// Bytes from floats: quantising columns of b when packed and rows of a as they come.
#pragma once

#include "serene/core/kernels_product.h"

namespace serene {
namespace {

// Scale and its inverse of values of at most the given magnitude (bits of a float): q = round(x * inverse) lies in
// -127..127 and x is about q * scale. Values that are not finite give a scale of NaN; a magnitude below 2^-120 counts
// as zero.
struct Quantizer {
  float scale, inverse;
  explicit Quantizer(int magnitude_bits) {
    constexpr int infinity = 0x7f800000, tiny = (127 - 120) << 23;
    float magnitude;
    __builtin_memcpy(&magnitude, &magnitude_bits, sizeof magnitude);
    const bool usable = magnitude_bits >= tiny && magnitude_bits < infinity;
    scale = usable ? magnitude / 127.0f : magnitude_bits < tiny ? 0.0f : __builtin_nanf("");
    inverse = usable ? 127.0f / magnitude : 0.0f;
  }
};

// Nearest integer plus 128; what is not finite gives any number.
SERENE_INLINE I offset_bytes(V x, V inverse) { return (bits_of(x * inverse + kRound) - (kRoundBits - 128)) & 0xff; }

SERENE_INLINE I larger(I a, I b) { return a > b ? a : b; }
SERENE_INLINE I magnitude(V x) { return bits_of(x) & 0x7fffffff; }

// One row: `depth` neighbouring values of k.
inline void quantize_row(Index depth, const float* x, int* lanes, float& scale) noexcept {
  const Index whole = depth - depth % kLanes;
  const Part<float> rest(depth - whole);
  I top = magnitude(rest.load(x + whole));
  for (Index p = 0; p < whole; p += kLanes) top = larger(top, magnitude(load(x + p)));
  int most = 0;
  for (Index l = 0; l < kLanes; ++l) most = top[l] > most ? top[l] : most;
  const Quantizer q(most);
  scale = q.scale;
  const V inverse = q.inverse - V{};
  auto* bytes = reinterpret_cast<unsigned char*>(lanes);
  for (Index p = 0; p < whole; p += kLanes) {
    const auto packed = __builtin_convertvector(offset_bytes(load(x + p), inverse), Simd<float>::Quarters);
    __builtin_memcpy(bytes + p, &packed, sizeof packed);
  }
  const auto packed = __builtin_convertvector(offset_bytes(rest.load(x + whole), inverse), Simd<float>::Quarters);
  __builtin_memcpy(bytes + whole, &packed, static_cast<std::size_t>((depth - whole + 3) / 4 * 4));
}

// A vector of rows of op(a) that lie side by side as columns of a.
inline void quantize_columns(Index depth, Index rows, const float* x, Index stride, int* lanes,
                             float* scales) noexcept {
  static_assert(kTileRows <= kLanes);
  const Part<float> part(rows);
  I top{};
  for (Index p = 0; p < depth; ++p) top = larger(top, magnitude(part.load(x + p * stride)));
  V inverse{};
  for (Index r = 0; r < rows; ++r) {
    const Quantizer q(top[r]);
    scales[r] = q.scale;
    inverse[r] = q.inverse;
  }
  for (Index p = 0; p < depth; p += 4) {
    I lane{};
    for (Index r = 0; r < 4 && p + r < depth; ++r) {
      lane |= offset_bytes(part.load(x + (p + r) * stride), inverse) << static_cast<int>(8 * r);
    }
    __builtin_memcpy(lanes + p / 4 * rows, &lane, sizeof lane);
  }
}

template <>
inline void fill_block<Int8>(bool transposed, Index depth, Index rows, const float* a, Index lda,
                             Block<Int8>& block) noexcept {
  if (transposed) return quantize_columns(depth, rows, a, lda, block.lanes, block.scales);
  const Index groups = divide_up(depth, Int8::depth);
  for (Index i = 0; i < rows; ++i) quantize_row(depth, a + i * lda, block.lanes + i * groups, block.scales[i]);
}

// One panel of b, whose element (p, c) lies at b[p * k_step + c * column_step].
inline void pack_int8_panel(Index k, Index columns, const float* b, Index k_step, Index column_step,
                            int* panel) noexcept {
  constexpr Index width = panel_width<float>;
  int most[width] = {};
  for (Index p = 0; p < k; ++p) {
    for (Index c = 0; c < columns; ++c) {
      int bits;
      __builtin_memcpy(&bits, b + p * k_step + c * column_step, sizeof bits);
      bits &= 0x7fffffff;
      most[c] = bits > most[c] ? bits : most[c];
    }
  }
  float inverse[width] = {};
  for (Index c = 0; c < width; ++c) {
    const Quantizer q(most[c]);
    inverse[c] = q.inverse;
    __builtin_memcpy(panel + c, &q.scale, sizeof q.scale);
  }
  Index p = 0;
  do {
    const Index end = smaller(k, p + block_depth<Int8>);
    int* start = panel + rows_before<Int8>(p) * width;
    for (Index c = 0; c < width; ++c) start[c] = 0;
    for (; p < end; p += 4) {
      int* lanes = panel + (rows_before<Int8>(p) + 1) * width;
      for (Index c = 0; c < width; ++c) lanes[c] = 0;
      for (Index r = 0; r < smaller(4, end - p); ++r) {
        const float* row = b + (p + r) * k_step;
        for (Index c = 0; c < columns; ++c) {
          const float shifted = row[c * column_step] * inverse[c] + kRound;
          int bits;
          __builtin_memcpy(&bits, &shifted, sizeof bits);
          const int byte = static_cast<signed char>((bits - kRoundBits) & 0xff);
          start[c] -= 128 * byte;
          lanes[c] |= (byte & 0xff) << static_cast<int>(8 * r);
        }
      }
    }
  } while (p < k);
}

template <>
inline void pack_panels<Int8>(bool transposed, Index k, Index n, const float* b, Index ldb, float* packed) noexcept {
  constexpr Index width = panel_width<float>;
  int* panel = reinterpret_cast<int*>(packed);
  for (Index j = 0; j < n; j += width, panel += width * panel_rows<Int8>(k)) {
    const Index columns = smaller(width, n - j);
    if (transposed) {
      pack_int8_panel(k, columns, b + j * ldb, 1, ldb, panel);
    } else {
      pack_int8_panel(k, columns, b + j, ldb, 1, panel);
    }
  }
}

}  // namespace
}  // namespace serene
