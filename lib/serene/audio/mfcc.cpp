#include "serene/audio/mfcc.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>

#include "serene/audio/short_vector.h"
#include "serene/core/error.h"

namespace serene {
namespace {

// log(x) = e log 2 + 2 artanh(t), t = (m - 1) / (m + 1), with m in [sqrt(1/2), sqrt(2)): |t| < 0.172, so five odd terms
// reach float precision. Normal positive numbers only.
SERENE_ALWAYS_INLINE void db_body(const float* x, float* out, Index n, float amin) {
  constexpr std::int32_t kRootHalf = 0x3f3504f3;
  for (Index i = 0; i < n; ++i) {
    const float value = x[i] > amin ? x[i] : amin;
    const std::int32_t bits = std::bit_cast<std::int32_t>(value);
    const std::int32_t exponent = (bits - kRootHalf) >> 23;
    const float m = std::bit_cast<float>(bits - exponent * (1 << 23));
    const float t = (m - 1.0f) / (m + 1.0f);
    const float t2 = t * t;
    const float series = 1.0f + t2 * (1.0f / 3 + t2 * (1.0f / 5 + t2 * (1.0f / 7 + t2 * (1.0f / 9))));
    out[i] = static_cast<float>(exponent) * 3.0102999566f + t * series * 8.6858896381f;
  }
}
SERENE_TARGET_AVX2 void db_avx2(const float* x, float* out, Index n, float amin) { db_body(x, out, n, amin); }

// V (of S) coefficients, or `kMany` such vectors: sums over the bands, four at a time, kept in registers.
template <class V, Index kMany, class S>
SERENE_ALWAYS_INLINE void cepstrum_columns(const S* table, const S* db, S* out, Index n_mels, Index n_mfcc) {
  V sum[kMany] = {};
  Index m = 0;
  for (; m + 4 <= n_mels; m += 4) {
    for (Index j = 0; j < kMany; ++j) {
      const S* row = table + m * n_mfcc + j * kWidth<V, S>;
      V a, b, c, d;
      load(a, row), load(b, row + n_mfcc), load(c, row + 2 * n_mfcc), load(d, row + 3 * n_mfcc);
      sum[j] += (db[m] * a + db[m + 1] * b) + (db[m + 2] * c + db[m + 3] * d);
    }
  }
  for (; m < n_mels; ++m) {
    for (Index j = 0; j < kMany; ++j) {
      V a;
      load(a, table + m * n_mfcc + j * kWidth<V, S>);
      sum[j] += db[m] * a;
    }
  }
  for (Index j = 0; j < kMany; ++j) store(sum[j], out + j * kWidth<V, S>);
}

template <class V, class S>
SERENE_ALWAYS_INLINE void cepstrum_body(const S* table, const S* db, S* out, Index n_mels, Index n_mfcc) {
  constexpr Index kStep = kWidth<V, S>;
  Index i = 0;
  for (; i + 5 * kStep <= n_mfcc; i += 5 * kStep) cepstrum_columns<V, 5>(table + i, db, out + i, n_mels, n_mfcc);
  for (; i + kStep <= n_mfcc; i += kStep) cepstrum_columns<V, 1>(table + i, db, out + i, n_mels, n_mfcc);
  for (; i < n_mfcc; ++i) cepstrum_columns<S, 1>(table + i, db, out + i, n_mels, n_mfcc);
}
template <class S>
SERENE_TARGET_AVX2 void cepstrum_avx2(const S* table, const S* db, S* out, Index n_mels, Index n_mfcc) {
  cepstrum_body<Eight<S>>(table, db, out, n_mels, n_mfcc);
}

}  // namespace

template <>
void power_to_db_row<double>(const double* x, double* out, Index n, double amin) noexcept {
  for (Index i = 0; i < n; ++i) out[i] = 10 * std::log10(std::max(amin, x[i]));
}

template <>
void power_to_db_row<float>(const float* x, float* out, Index n, float amin) noexcept {
  if (has_avx2()) {
    db_avx2(x, out, n, amin);
  } else {
    db_body(x, out, n, amin);
  }
}

template <class S>
void limit_range(FrameMatrix<S>& db, double top_db) {
  if (db.values.empty()) return;
  const S floor = *std::max_element(db.values.begin(), db.values.end()) - static_cast<S>(top_db);
  for (S& v : db.values) v = std::max(v, floor);
}

template <class S>
void power_to_db(FrameMatrix<S>& x, std::optional<double> ref, double amin, std::optional<double> top_db) {
  if (!(amin >= 1e-37) || (top_db && !(*top_db >= 0))) {
    throw Error(ErrorCode::usage, "power_to_db", "out of range").expected("amin >= 1e-37 and top_db >= 0");
  }
  if (x.values.empty()) return;
  const double largest = static_cast<double>(*std::max_element(x.values.begin(), x.values.end()));
  const S shift = static_cast<S>(10 * std::log10(std::max(amin, ref ? std::abs(*ref) : largest)));
  power_to_db_row(x.values.data(), x.values.data(), static_cast<Index>(x.values.size()), static_cast<S>(amin));
  for (S& v : x.values) v -= shift;
  if (top_db) limit_range(x, *top_db);
}

std::vector<double> dct2_matrix(Index rows, Index size, bool ortho) {
  std::vector<double> out;
  const double n = static_cast<double>(size);
  for (Index k = 0; k < rows; ++k) {
    const double scale = ortho ? std::sqrt((k == 0 ? 1.0 : 2.0) / n) : 2.0;
    for (Index m = 0; m < size; ++m) {
      out.push_back(scale * std::cos(std::numbers::pi * static_cast<double>(k) * (static_cast<double>(m) + 0.5) / n));
    }
  }
  return out;
}

template <class S>
Cepstrum<S>::Cepstrum(Index n_mels, Index n_mfcc, double lifter, bool ortho) : n_mels_(n_mels), n_mfcc_(n_mfcc) {
  if (n_mels < 1 || n_mfcc < 1 || n_mfcc > n_mels || !(lifter >= 0)) {
    throw Error(ErrorCode::usage, "mfcc", "out of range")
        .expected("1 <= n_mfcc <= n_mels and lifter >= 0")
        .got("n_mfcc " + std::to_string(n_mfcc) + ", n_mels " + std::to_string(n_mels));
  }
  const std::vector<double> dct = dct2_matrix(n_mfcc, n_mels, ortho);
  table_.resize(dct.size());
  for (Index i = 0; i < n_mfcc; ++i) {
    const double angle = lifter > 0 ? std::numbers::pi * static_cast<double>(i + 1) / lifter : 0;
    const double gain = lifter > 0 ? 1 + lifter / 2 * std::sin(angle) : 1;
    for (Index m = 0; m < n_mels; ++m) {
      table_[static_cast<std::size_t>(m * n_mfcc + i)] =
          static_cast<S>(gain * dct[static_cast<std::size_t>(i * n_mels + m)]);
    }
  }
}

template <class S>
void Cepstrum<S>::apply(const S* db, S* out) const noexcept {
  if (has_avx2()) {
    cepstrum_avx2(table_.data(), db, out, n_mels_, n_mfcc_);
  } else {
    cepstrum_body<Four<S>>(table_.data(), db, out, n_mels_, n_mfcc_);
  }
}

template <class S>
FrameMatrix<S> mfcc_from_db(const FrameMatrix<S>& db, Index n_mfcc, double lifter, bool ortho) {
  const Cepstrum<S> cepstrum(db.dim, n_mfcc, lifter, ortho);
  FrameMatrix<S> out(db.frames, n_mfcc);
  for (Index t = 0; t < db.frames; ++t) cepstrum.apply(db.row(t), out.row(t));
  return out;
}

#define SERENE_INSTANTIATE(S)                                                                       \
  template class Cepstrum<S>;                                                                       \
  template void limit_range(FrameMatrix<S>&, double);                                               \
  template void power_to_db(FrameMatrix<S>&, std::optional<double>, double, std::optional<double>); \
  template FrameMatrix<S> mfcc_from_db(const FrameMatrix<S>&, Index, double, bool);
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

}  // namespace serene
