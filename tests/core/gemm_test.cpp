// Products of every table and format this processor can run, against naive loops in double: odd sizes, tails, strides,
// rows that overlap, both transpositions, accumulation, epilogue.
#include "serene/core/gemm.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "kernel_tables.h"

using namespace serene;
using namespace serene::test;

namespace {

struct Case {
  bool ta, tb;
  Index m, n, k, pad;
  bool accumulate, bias, relu;
  bool overlap = false;  // rows of a begin one value after another
};

// A sum and what the formats may be off by.
struct Expected {
  double value, magnitude;  // sum of |a b|, |c| and |bias|
  double int8_error;        // half a step of one factor times the other, summed
};

template <class S>
struct Operands {
  Matrix<S> a, b, c, bias;

  explicit Operands(const Case& t)
      : a(t.ta ? t.k : t.m, t.ta ? t.m : t.k, t.overlap ? 1 : (t.ta ? t.m : t.k) + t.pad, 1),
        b(t.tb ? t.n : t.k, t.tb ? t.k : t.n, (t.tb ? t.k : t.n) + t.pad, 2),
        c(t.m, t.n, t.n + t.pad, 3),
        bias(1, t.n, t.n, 4) {}
};

template <class S>
std::vector<Expected> expected(const Case& t, const Operands<S>& o) {
  const auto a = [&](Index i, Index p) { return static_cast<double>(t.ta ? o.a.at(p, i) : o.a.at(i, p)); };
  const auto b = [&](Index p, Index j) { return static_cast<double>(t.tb ? o.b.at(j, p) : o.b.at(p, j)); };
  std::vector<double> row_step(static_cast<std::size_t>(t.m)), column_step(static_cast<std::size_t>(t.n));
  for (Index p = 0; p < t.k; ++p) {
    for (Index i = 0; i < t.m; ++i) {
      double& step = row_step[static_cast<std::size_t>(i)];
      step = std::max(step, std::abs(a(i, p)) / 127);
    }
    for (Index j = 0; j < t.n; ++j) {
      double& step = column_step[static_cast<std::size_t>(j)];
      step = std::max(step, std::abs(b(p, j)) / 127);
    }
  }
  std::vector<Expected> all;
  for (Index i = 0; i < t.m; ++i) {
    for (Index j = 0; j < t.n; ++j) {
      const double sa = row_step[static_cast<std::size_t>(i)] / 2, sb = column_step[static_cast<std::size_t>(j)] / 2;
      Expected e{0, 0, 0};
      const auto add = [&](double term) { e.value += term, e.magnitude += std::abs(term); };
      for (Index p = 0; p < t.k; ++p) {
        const double x = a(i, p), y = b(p, j);
        add(x * y);
        e.int8_error += std::abs(x) * sb + std::abs(y) * sa + sa * sb;
      }
      if (t.accumulate) add(static_cast<double>(o.c.at(i, j)));
      if (t.bias) add(static_cast<double>(o.bias.at(0, j)));
      if (t.relu && e.value < 0) e.value = 0;
      all.push_back(e);
    }
  }
  return all;
}

template <class S>
double allowed(Precision precision, Index k, const Expected& e) {
  const double rounding = static_cast<double>(std::numeric_limits<S>::epsilon()) * static_cast<double>(k + 4);
  if (precision == Precision::bf16) return e.magnitude * (std::ldexp(1.003, -7) + rounding);  // half of 2^-7 a factor
  if (precision == Precision::int8) return e.int8_error * 1.0001 + e.magnitude * rounding;
  return e.magnitude * rounding;
}

template <class S>
void check_product(const Case& t) {
  const Operands<S> o(t);
  const std::vector<Expected> right = expected(t, o);
  for (const auto& named : products<S>()) {
    const auto& product = named.product;
    const Precision precision = named.precision;
    const std::string& name = named.name;
    const std::vector<S> packed = packed_by(product, t.tb, t.k, t.n, o.b.data(), o.b.stride);
    REQUIRE(packed.back() == S(77));
    Matrix<S> c = o.c;
    product.multiply({t.ta, t.m, t.n, t.k, o.a.data(), o.a.stride, packed.data(), t.accumulate, c.data(), c.stride,
                      t.bias ? o.bias.data() : nullptr, t.relu});
    double worst = 0;
    for (Index i = 0; i < t.m; ++i) {
      for (Index j = 0; j < t.n; ++j) {
        const Expected& e = right[static_cast<std::size_t>(i * t.n + j)];
        const double error = std::abs(static_cast<double>(c.at(i, j)) - e.value);
        worst = std::max(worst, error == 0 ? 0 : error / allowed<S>(precision, t.k, e));
        if (std::isnan(c.at(i, j))) worst = std::numeric_limits<double>::infinity();
        c.at(i, j) = o.c.at(i, j);
      }
    }
    // Nothing beside the matrix is touched.
    REQUIRE(std::memcmp(c.values.data(), o.c.values.data(), c.values.size() * sizeof(S)) == 0);
    CAPTURE(name);
    CAPTURE(t.m);
    CAPTURE(t.n);
    CAPTURE(t.k);
    CAPTURE(t.ta);
    CAPTURE(t.tb);
    CAPTURE(t.overlap);
    CHECK(worst <= 1);
  }
}

template <class S>
void check_all_products() {
  for (const Index m : {0, 1, 2, 5, 8, 12, 13, 25, 47}) {
    for (const Index n : {0, 1, 3, 15, 16, 17, 31, 32, 33, 70}) {
      for (const Index k : {0, 1, 2, 3, 7, 66, 129}) {
        const Index pad = (m + n + k) % 3;
        const int mode = static_cast<int>(m * 7 + n * 3 + k);
        for (const bool ta : {false, true}) {
          for (const bool tb : {false, true}) {
            check_product<S>({ta, tb, m, n, k, pad, (mode & 1) != 0, (mode & 2) != 0, (mode & 4) != 0});
          }
        }
        if (m > 0) check_product<S>({false, false, m, n, k, pad, (mode & 2) != 0, (mode & 1) != 0, false, true});
      }
    }
  }
}

// Deeper than a block of every format: 320 values, 640 or 1280.
template <class S>
void check_deep_products() {
  for (const Index k : {320, 321, 643, 1283, 2600}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        check_product<S>({ta, tb, 13, 35, k, 1, false, true, true});
        check_product<S>({ta, tb, 14, 7, k, 0, true, false, false});
      }
    }
  }
}

}  // namespace

TEST_CASE("gemm equals a naive loop in float, in every format") {
  check_all_products<float>();
  check_deep_products<float>();
}
TEST_CASE("gemm equals a naive loop in double") {
  check_all_products<double>();
  check_deep_products<double>();
}

TEST_CASE("a row gives the same bits whatever its place and the batch around it") {
  for (const auto& named : products<float>()) {
    const auto& product = named.product;
    const std::string& name = named.name;
    CAPTURE(name);
    for (const bool ta : {false, true}) {
      for (const Index k : {123, 1400}) {
        const Index m = 37, n = 45, lda = ta ? m : k;
        const auto a = random_values<float>(m * k, 1), b = random_values<float>(k * n, 2);
        const auto bias = random_values<float>(n, 3);
        const auto packed = packed_by(product, false, k, n, b.data(), n);
        std::vector<float> all(static_cast<std::size_t>(m * n)), one(static_cast<std::size_t>(n));
        product.multiply({ta, m, n, k, a.data(), lda, packed.data(), false, all.data(), n, bias.data(), false});
        for (Index i = 0; i < m; ++i) {
          const float* row = a.data() + (ta ? i : i * k);
          product.multiply({ta, 1, n, k, row, lda, packed.data(), false, one.data(), n, bias.data(), false});
          CHECK(std::memcmp(one.data(), all.data() + i * n, sizeof(float) * static_cast<std::size_t>(n)) == 0);
        }
      }
    }
  }
}

TEST_CASE("a column gives the same bits whatever n and its place") {
  for (const auto& named : products<float>()) {
    const auto& product = named.product;
    const std::string& name = named.name;
    CAPTURE(name);
    const Index m = 14, n = 70, k = 55;
    const auto a = random_values<float>(m * k, 1), b = random_values<float>(k * n, 2);
    const auto packed = packed_by(product, false, k, n, b.data(), n);
    std::vector<float> all(static_cast<std::size_t>(m * n)), one(static_cast<std::size_t>(m));
    product.multiply({false, m, n, k, a.data(), k, packed.data(), false, all.data(), n, nullptr, false});
    for (Index j = 0; j < n; ++j) {
      const auto column = packed_by(product, false, k, 1, b.data() + j, n);
      product.multiply({false, m, 1, k, a.data(), k, column.data(), false, one.data(), 1, nullptr, false});
      for (Index i = 0; i < m; ++i)
        REQUIRE(one[static_cast<std::size_t>(i)] == all[static_cast<std::size_t>(i * n + j)]);
    }
  }
}

TEST_CASE("bytes give the same bits with and without the instruction") {
  const std::vector<NamedProduct<float>>& all = products<float>();
  const Index m = 29, n = 70, k = 1300;
  const auto a = random_values<float>(m * k, 1), b = random_values<float>(k * n, 2);
  std::vector<std::vector<float>> results;
  for (const auto& named : all) {
    const auto& product = named.product;
    const Precision precision = named.precision;
    const std::string& name = named.name;
    if (precision != Precision::int8 || (name != "instructions int8" && name != "avx512 int8")) continue;
    const auto packed = packed_by(product, false, k, n, b.data(), n);
    std::vector<float> c(static_cast<std::size_t>(m * n));
    product.multiply({false, m, n, k, a.data(), k, packed.data(), false, c.data(), n, nullptr, false});
    results.push_back(c);
  }
  if (results.size() < 2) {
    MESSAGE("skipped: this processor has no such instruction");
    return;
  }
  CHECK(std::memcmp(results[0].data(), results[1].data(), sizeof(float) * results[0].size()) == 0);
}

TEST_CASE("what is not finite stays in its row or column and never becomes a number") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (const auto& named : products<float>()) {
    const auto& product = named.product;
    const Precision precision = named.precision;
    const std::string& name = named.name;
    CAPTURE(name);
    for (const bool ta : {false, true}) {
      for (const float bad : {nan, -nan, inf, -inf}) {
        const Index m = 13, n = 35, k = 37, row = 5, column = 33, at = 36;
        auto a = random_values<float>(m * k, 1), b = random_values<float>(k * n, 2);
        a[static_cast<std::size_t>(ta ? at * m + row : row * k + at)] = bad;
        b[static_cast<std::size_t>(7 * n + column)] = bad;
        const auto packed = packed_by(product, false, k, n, b.data(), n);
        std::vector<float> c(static_cast<std::size_t>(m * n));
        product.multiply({ta, m, n, k, a.data(), ta ? m : k, packed.data(), false, c.data(), n, nullptr, true});
        for (Index i = 0; i < m; ++i) {
          for (Index j = 0; j < n; ++j) {
            const float value = c[static_cast<std::size_t>(i * n + j)];
            if (i != row && j != column) {
              CHECK(std::isfinite(value));
            } else if (std::isnan(bad) || precision == Precision::int8) {
              CHECK(std::isnan(value));  // relu leaves it
            } else {
              CHECK((!std::isfinite(value) || value == 0));  // minus infinity under relu
            }
          }
        }
      }
    }
  }
}

TEST_CASE("zeros, tiny and huge values make no NaN") {
  for (const auto& named : products<float>()) {
    const auto& product = named.product;
    const std::string& name = named.name;
    CAPTURE(name);
    for (const float size : {0.0f, 1e-44f, 1e-38f, 1e-36f, 1e18f}) {
      const Index m = 3, n = 20, k = 9;
      const std::vector<float> a(static_cast<std::size_t>(m * k), size), b(static_cast<std::size_t>(k * n), -size);
      const auto packed = packed_by(product, false, k, n, b.data(), n);
      std::vector<float> c(static_cast<std::size_t>(m * n));
      product.multiply({false, m, n, k, a.data(), k, packed.data(), false, c.data(), n, nullptr, false});
      const double right = -9.0 * static_cast<double>(size) * static_cast<double>(size);
      for (const float value : c) CHECK(static_cast<double>(value) == doctest::Approx(right).epsilon(0.01));
    }
  }
}

TEST_CASE("bfloat16 rounds to the nearest, ties to even") {
  // 1 + 2^-8 lies between two neighbours, 1 and 1 + 2^-7: even is 1. 1 + 3 * 2^-8 goes up to 1 + 2^-6.
  const float values[] = {1 + 0x1p-8f, 1 + 3 * 0x1p-8f, 1 + 0x1.2p-8f, -1 - 0x1p-8f, 0x1.fep+10f, 3.0f};
  const float rounded[] = {1, 1 + 0x1p-6f, 1 + 0x1p-7f, -1, 0x1.fep+10f, 3.0f};
  for (const auto& named : products<float>()) {
    const auto& product = named.product;
    const Precision precision = named.precision;
    if (precision != Precision::bf16) continue;
    for (const bool ta : {false, true}) {
      for (int i = 0; i < 6; ++i) {
        const float one = 1;
        float c;
        auto packed = packed_by(product, false, 1, 1, &one, 1);
        product.multiply({ta, 1, 1, 1, values + i, 1, packed.data(), false, &c, 1, nullptr, false});
        CHECK(c == rounded[i]);
        packed = packed_by(product, ta, 1, 1, values + i, 1);
        product.multiply({false, 1, 1, 1, &one, 1, packed.data(), false, &c, 1, nullptr, false});
        CHECK(c == rounded[i]);
      }
    }
  }
}

TEST_CASE("a packed matrix knows its format") {
  const Index m = 9, n = 40, k = 50;
  const auto a = random_values<float>(m * k, 1), b = random_values<float>(k * n, 2), bias = random_values<float>(n, 3);
  const Kernels<float>& table = kernels<float>();
  const std::pair<Precision, const Product<float>*> formats[] = {
      {Precision::full, &table.full}, {Precision::bf16, &table.bf16}, {Precision::int8, &table.int8}};
  for (const auto& [precision, product] : formats) {
    std::vector<float> work(static_cast<std::size_t>(packed_size<float>(k, n, precision)));
    std::vector<float> c(static_cast<std::size_t>(m * n)), d(c.size());
    pack(Trans::no, k, n, b.data(), n, work.data(), precision);
    gemm_packed(Trans::no, m, n, k, a.data(), k, work.data(), false, c.data(), n, {.bias = bias.data(), .relu = true});
    const auto packed = packed_by(*product, false, k, n, b.data(), n);
    product->multiply({false, m, n, k, a.data(), k, packed.data(), false, d.data(), n, bias.data(), true});
    CHECK(c == d);
  }
  // double has one format.
  CHECK(packed_size<double>(k, n, Precision::int8) == packed_size<double>(k, n));
  std::vector<double> wide(static_cast<std::size_t>(packed_size<double>(1, 1)));
  const double x = 3, y = 1 + 0x1p-40;
  double c = 0;
  gemm(Trans::no, Trans::no, 1, 1, 1, &x, 1, &y, 1, false, &c, 1, wide.data(), Precision::int8);
  CHECK(c == x * y);
}
