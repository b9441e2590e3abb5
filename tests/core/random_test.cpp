#include "serene/core/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

using namespace serene;

using Block = std::array<std::uint32_t, 4>;

TEST_CASE("random: Philox4x32-10 known answers (Random123 kat_vectors)") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
  constexpr std::uint32_t f = 0xffffffffu;
  CHECK(philox4x32({f, f, f, f}, {f, f}) == Block{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
  CHECK(philox4x32({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, {0xa4093822u, 0x299f31d0u}) ==
        Block{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("random: a stream is a function of seed, purpose and counters alone") {
  const auto first = [](std::uint64_t seed, Purpose purpose, std::uint64_t a, std::uint64_t b) {
    Random r(seed, purpose, a, b);
    const std::uint64_t high = r.bits();
    return high << 32 | r.bits();
  };
  CHECK(first(1, Purpose::init, 2, 3) == first(1, Purpose::init, 2, 3));
  std::set<std::uint64_t> seen;
  int streams = 0;
  for (std::uint64_t seed : {0ull, 1ull, 1ull << 32, ~0ull}) {
    for (Purpose purpose : {Purpose::init, Purpose::shuffle, Purpose::dropout, Purpose::test}) {
      for (std::uint64_t a : {0ull, 1ull, 1ull << 32}) {
        for (std::uint64_t b : {0ull, 1ull, 1ull << 32}) {
          seen.insert(first(seed, purpose, a, b));
          ++streams;
        }
      }
    }
  }
  CHECK(static_cast<int>(seen.size()) == streams);

  Random original(5, Purpose::test);
  for (int i = 0; i < 3; ++i) original.bits();
  original.normal();
  Random copy = original;
  for (int i = 0; i < 20; ++i) CHECK(copy.normal() == original.normal());
}

TEST_CASE("random: uniform and normal have the right moments") {
  constexpr int n = 200000;
  Random r(42, Purpose::test);
  double sum = 0, square = 0, low = 1, high = 0;
  for (int i = 0; i < n; ++i) {
    const double u = r.uniform();
    sum += u, square += u * u, low = std::min(low, u), high = std::max(high, u);
  }
  CHECK(low >= 0.0);
  CHECK(high < 1.0);
  CHECK(std::abs(sum / n - 0.5) < 4 * std::sqrt(1.0 / 12 / n));
  CHECK(std::abs(square / n - 1.0 / 3) < 4 * std::sqrt(4.0 / 45 / n));

  double moments[5] = {};
  for (int i = 0; i < n; ++i) {
    const double z = r.normal();
    double power = 1;
    for (double& m : moments) m += power, power *= z;
  }
  CHECK(std::abs(moments[1] / n) < 4 * std::sqrt(1.0 / n));
  CHECK(std::abs(moments[2] / n - 1) < 4 * std::sqrt(2.0 / n));
  CHECK(std::abs(moments[3] / n) < 4 * std::sqrt(15.0 / n));
  CHECK(std::abs(moments[4] / n - 3) < 4 * std::sqrt(96.0 / n));

  for (int i = 0; i < 1000; ++i) {
    const double u = r.uniform(-3, -1);
    CHECK((u >= -3 && u < -1));
  }
}

TEST_CASE("random: beta has the right moments, for shapes below and above 1, and stays within 0 and 1") {
  for (const auto& [a, b] : {std::pair{0.001, 0.001}, {0.2, 0.2}, {0.5, 2.0}, {1.0, 1.0}, {3.0, 1.5}, {100.0, 100.0}}) {
    Random r(7, Purpose::test);
    constexpr int n = 40000;
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      const double x = r.beta(a, b);
      CHECK_UNARY(x >= 0 && x <= 1);
      sum += x, squares += x * x;
    }
    const double mean = sum / n, variance = squares / n - mean * mean;
    const double true_variance = a * b / ((a + b) * (a + b) * (a + b + 1));
    CAPTURE(a);
    CAPTURE(b);
    CHECK(std::abs(mean - a / (a + b)) < 5 * std::sqrt(true_variance / n));
    CHECK(variance == doctest::Approx(true_variance).epsilon(0.03));
  }
}

TEST_CASE("random: below is unbiased and in range") {
  Random r(7, Purpose::test);
  for (const std::uint64_t n : {1ull, 2ull, 3ull, 7ull, 10ull}) {
    std::vector<int> counts(n);
    constexpr int draws = 60000;
    for (int i = 0; i < draws; ++i) {
      const std::uint64_t v = r.below(n);
      REQUIRE(v < n);
      ++counts[v];
    }
    double chi_square = 0;
    const double expected = static_cast<double>(draws) / static_cast<double>(n);
    for (int c : counts) chi_square += (c - expected) * (c - expected) / expected;
    CHECK(chi_square < 30.0);
  }
  // A modulus without rejection would give the lower half of this range two thirds of the draws.
  const std::uint64_t n = 3ull << 62;
  int lower = 0;
  for (int i = 0; i < 3000; ++i) lower += r.below(n) < n / 3;
  CHECK(std::abs(lower - 1000) < 120);
}

TEST_CASE("random: permutation holds every number once and shuffles fairly") {
  Random r(3, Purpose::test);
  CHECK(r.permutation(0).empty());
  CHECK(r.permutation(1) == std::vector<std::size_t>{0});
  auto p = r.permutation(1000);
  CHECK_FALSE(std::is_sorted(p.begin(), p.end()));
  std::sort(p.begin(), p.end());
  for (std::size_t i = 0; i < p.size(); ++i) CHECK(p[i] == i);

  std::vector<int> first(4);
  for (int i = 0; i < 8000; ++i) ++first[r.permutation(4)[2]];
  for (int c : first) CHECK(std::abs(c - 2000) < 200);
}
