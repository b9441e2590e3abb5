// Every kernel table this processor can run, against naive loops: odd sizes, tails, strides, overlap, both
// transpositions.
#include "serene/core/kernels.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "serene/core/gemm.h"
#include "serene/core/random.h"
#include "serene/core/vector_math.h"

using namespace serene;

namespace {

template <class S>
std::vector<const Kernels<S>*> tables() {
  std::vector<const Kernels<S>*> all{&portable_kernels<S>()};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) all.push_back(&avx2_kernels<S>());
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) all.push_back(&avx512_kernels<S>());
#endif
  return all;
}

template <class S>
std::vector<S> random_values(Index n, std::uint64_t key) {
  Random r(1, Purpose::test, key);
  std::vector<S> v(static_cast<std::size_t>(n));
  for (S& x : v) x = static_cast<S>(r.uniform(-1, 1));
  return v;
}

template <class S>
void check_product(const Kernels<S>& t, bool ta, bool tb, Index m, Index n, Index k, Index pad, bool accumulate) {
  const Index lda = (ta ? m : k) + pad, ldb = (tb ? k : n) + pad, ldc = n + pad;
  const auto a = random_values<S>((ta ? k : m) * lda + 1, 1), b = random_values<S>((tb ? n : k) * ldb + 1, 2);
  auto c = random_values<S>(m * ldc + 1, 3);
  const auto before = c;
  std::vector<S> packed(static_cast<std::size_t>((n + t.panel - 1) / t.panel * t.panel * k + 1));
  // One scalar off, so that nothing is aligned.
  t.pack(tb, k, n, b.data() + 1, ldb, packed.data() + 1);
  t.multiply(ta, m, n, k, a.data() + 1, lda, packed.data() + 1, accumulate, c.data() + 1, ldc);
  const double tolerance = static_cast<double>(std::numeric_limits<S>::epsilon()) * (static_cast<double>(k) + 2);
  double worst = 0;
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      double sum = accumulate ? static_cast<double>(before[static_cast<std::size_t>(1 + i * ldc + j)]) : 0;
      for (Index p = 0; p < k; ++p) {
        sum += static_cast<double>(a[static_cast<std::size_t>(1 + (ta ? p * lda + i : i * lda + p))]) *
               static_cast<double>(b[static_cast<std::size_t>(1 + (tb ? j * ldb + p : p * ldb + j))]);
      }
      worst = std::max(worst, std::abs(sum - static_cast<double>(c[static_cast<std::size_t>(1 + i * ldc + j)])));
    }
    for (Index j = n; j < ldc && 1 + i * ldc + j < static_cast<Index>(c.size()); ++j) {
      const auto at = static_cast<std::size_t>(1 + i * ldc + j);
      REQUIRE(c[at] == before[at]);  // nothing beside the matrix is touched
    }
  }
  CAPTURE(t.name);
  CAPTURE(m);
  CAPTURE(n);
  CAPTURE(k);
  CAPTURE(ta);
  CAPTURE(tb);
  CHECK(worst <= tolerance);
}

template <class S>
void check_all_products() {
  for (const auto* t : tables<S>()) {
    for (Index m : {1, 2, 5, 8, 12, 13, 25, 47}) {
      for (Index n : {1, 3, 16, 31, 32, 33, 70}) {
        for (Index k : {0, 1, 7, 64, 300}) {
          for (int mode = 0; mode < 8; ++mode) {
            check_product(*t, (mode & 1) != 0, (mode & 2) != 0, m, n, k, (m + n) % 3, (mode & 4) != 0);
          }
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("gemm equals a naive loop in float") { check_all_products<float>(); }
TEST_CASE("gemm equals a naive loop in double") { check_all_products<double>(); }

TEST_CASE("a row gives the same bits whatever its place and the batch around it") {
  for (const auto* t : tables<float>()) {
    const Index m = 37, n = 45, k = 123;
    const auto a = random_values<float>(m * k, 1), b = random_values<float>(k * n, 2);
    std::vector<float> packed(static_cast<std::size_t>((n + t->panel) / t->panel * t->panel * k));
    t->pack(false, k, n, b.data(), n, packed.data());
    std::vector<float> all(static_cast<std::size_t>(m * n)), one(static_cast<std::size_t>(n));
    t->multiply(false, m, n, k, a.data(), k, packed.data(), false, all.data(), n);
    for (Index i = 0; i < m; ++i) {
      t->multiply(false, 1, n, k, a.data() + i * k, k, packed.data(), false, one.data(), n);
      CHECK(std::memcmp(one.data(), all.data() + i * n, sizeof(float) * static_cast<std::size_t>(n)) == 0);
    }
  }
}

TEST_CASE("rows that overlap make a convolution") {
  const Index frames = 11, channels = 3, width = 4, filters = 5;
  const auto x = random_values<float>(frames * channels, 1), w = random_values<float>(width * channels * filters, 2);
  const Index out = frames - width + 1;
  std::vector<float> y(static_cast<std::size_t>(out * filters));
  std::vector<float> work(static_cast<std::size_t>(packed_size<float>(width * channels, filters)));
  gemm(Trans::no, Trans::no, out, filters, width * channels, x.data(), channels, w.data(), filters, false, y.data(),
       filters, work.data());
  for (Index t = 0; t < out; ++t) {
    for (Index f = 0; f < filters; ++f) {
      double sum = 0;
      for (Index i = 0; i < width * channels; ++i) {
        sum += static_cast<double>(x[static_cast<std::size_t>(t * channels + i)]) *
               static_cast<double>(w[static_cast<std::size_t>(i * filters + f)]);
      }
      CHECK(y[static_cast<std::size_t>(t * filters + f)] == doctest::Approx(sum).epsilon(1e-5));
    }
  }
}

TEST_CASE("exp, tanh and sigmoid are exact to a few units in the last place and do not depend on the place") {
  using Function = void (*)(Index, const float*, float*) noexcept;
  for (const auto* t : tables<float>()) {
    const struct {
      Function fast;
      double (*exact)(double);
    } pairs[] = {{t->exp, [](double x) { return std::exp(x); }},
                 {t->tanh, [](double x) { return std::tanh(x); }},
                 {t->sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }}};
    std::vector<float> x;
    for (int i = -8700; i <= 8700; ++i) x.push_back(static_cast<float>(i) * 0.01f + 0.0003f);
    for (int i = -40; i < 3; ++i) x.push_back(std::ldexp(1.3f, i)), x.push_back(-std::ldexp(1.3f, i));
    for (const auto& pair : pairs) {
      std::vector<float> y(x.size());
      pair.fast(static_cast<Index>(x.size()), x.data(), y.data());
      double worst = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double exact = pair.exact(static_cast<double>(x[i]));
        if (exact < 1.2e-38 && exact > -1.2e-38) continue;  // denormal results may be flushed
        worst = std::max(worst, std::abs(static_cast<double>(y[i]) - exact) / std::abs(exact));
        float alone = x[i];
        pair.fast(1, &alone, &alone);
        REQUIRE(std::memcmp(&alone, &y[i], sizeof alone) == 0);
      }
      CHECK(worst < 2.5 * 1.1920929e-7);
    }
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    float v[5] = {inf, -inf, nan, 1000, -1000}, e[5], th[5], s[5];
    t->exp(5, v, e), t->tanh(5, v, th), t->sigmoid(5, v, s);
    CHECK(e[0] == inf);
    CHECK(e[1] == 0);
    CHECK(std::isnan(e[2]));
    CHECK(e[3] == inf);
    CHECK(e[4] == 0);
    CHECK(th[0] == 1);
    CHECK(th[1] == -1);
    CHECK(std::isnan(th[2]));
    CHECK(th[3] == 1);
    CHECK(th[4] == -1);
    CHECK(s[0] == 1);
    CHECK(s[1] == 0);
    CHECK(std::isnan(s[2]));
    CHECK(s[3] == 1);
    CHECK(s[4] == 0);
  }
}
