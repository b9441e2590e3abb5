// What this processor can run, for tests that visit every table of kernels, and arrays for them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "serene/core/gemm.h"
#include "serene/core/kernels.h"
#include "serene/core/random.h"

namespace serene::test {

template <class S>
inline const std::vector<const Kernels<S>*>& kernel_tables() {
  static const auto all = [] {
    std::vector<const Kernels<S>*> tables{&portable_kernels<S>()};
#if defined(__x86_64__)
    if (runs_avx2_kernels()) tables.push_back(&avx2_kernels<S>());
    if (runs_avx512_kernels()) tables.push_back(&avx512_kernels<S>());
#endif
    return tables;
  }();
  return all;
}

template <class S>
struct NamedProduct {
  std::string name;
  Precision precision;
  Product<S> product;
};

template <class S>
inline const std::vector<NamedProduct<S>>& products() {
  static const auto all = [] {
    std::vector<NamedProduct<S>> list;
    for (const auto* t : kernel_tables<S>()) {
      list.push_back({std::string(t->name) + " full", Precision::full, t->full});
      if (sizeof(S) == sizeof(double)) continue;
      list.push_back({std::string(t->name) + " bf16", Precision::bf16, t->bf16});
      list.push_back({std::string(t->name) + " int8", Precision::int8, t->int8});
    }
#if defined(__x86_64__)
    if constexpr (sizeof(S) == sizeof(float)) {
      if (runs_avx512_bf16()) list.push_back({"instructions bf16", Precision::bf16, avx512_bf16_product()});
      if (runs_avx512_vnni()) list.push_back({"instructions int8", Precision::int8, avx512_vnni_product()});
    }
#endif
    return list;
  }();
  return all;
}

template <class S>
inline std::vector<S> random_values(Index n, std::uint64_t key) {
  Random r(1, Purpose::test, key);
  std::vector<S> v(static_cast<std::size_t>(n));
  for (S& x : v) x = static_cast<S>(r.uniform(-1, 1));
  return v;
}

// A matrix that begins one scalar off every alignment, with NaN wherever no element lies. Rows may overlap.
template <class S>
struct Matrix {
  Index rows, columns, stride;
  std::vector<S> values;

  Matrix(Index r, Index c, Index s, std::uint64_t key)
      : rows(r), columns(c), stride(s), values(random_values<S>(1 + std::max<Index>(0, r) * s + c, key)) {
    std::vector<bool> used(values.size());
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j) used[static_cast<std::size_t>(1 + i * stride + j)] = true;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!used[i]) values[i] = std::numeric_limits<S>::quiet_NaN();
    }
  }
  S* data() { return values.data() + 1; }
  const S* data() const { return values.data() + 1; }
  S& at(Index i, Index j) { return values[static_cast<std::size_t>(1 + i * stride + j)]; }
  S at(Index i, Index j) const { return values[static_cast<std::size_t>(1 + i * stride + j)]; }
};

// op(b) packed into memory that held NaN, with a mark behind it.
template <class S>
inline std::vector<S> packed_by(const Product<S>& product, bool transposed, Index k, Index n, const S* b, Index ldb) {
  const auto size = static_cast<std::size_t>(product.packed_size(k, n));
  std::vector<S> packed(size + 1, std::numeric_limits<S>::quiet_NaN());
  packed[size] = S(77);
  product.pack(transposed, k, n, b, ldb, packed.data());
  return packed;
}

}  // namespace serene::test
