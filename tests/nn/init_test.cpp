#include "serene/nn/init.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "serene/core/error.h"

namespace serene {
namespace {

std::vector<double> filled(const ParameterSpec& spec, std::uint64_t seed = 1, std::uint64_t index = 0) {
  std::vector<double> values(static_cast<std::size_t>(spec.size()));
  initialize_tensor(spec, seed, index, values.data());
  return values;
}

double variance(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v * v;
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("glorot uniform fills its range") {
  const auto values = filled({"kernel", {100, 200}, Init::glorot_uniform, 100, 200});
  const double limit = std::sqrt(6.0 / 300);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  CHECK(*low >= -limit);
  CHECK(*high <= limit);
  CHECK(*high > 0.99 * limit);
  CHECK(variance(values) == doctest::Approx(limit * limit / 3).epsilon(0.03));
}

TEST_CASE("he normal is cut and has its variance after the cut") {
  const auto values = filled({"kernel", {50, 800}, Init::he_normal, 50, 800});
  CHECK(variance(values) == doctest::Approx(2.0 / 50).epsilon(0.03));
  for (double v : values) CHECK(std::abs(v) <= 2 * std::sqrt(2.0 / 50) / 0.8796256610342398);
}

TEST_CASE("orthogonal matrices are orthonormal along the shorter side") {
  for (const auto& shape : {std::vector<Index>{16, 64}, std::vector<Index>{64, 16}, std::vector<Index>{20, 20},
                            std::vector<Index>{3, 5, 4}, std::vector<Index>{1, 1}}) {
    const ParameterSpec spec{"recurrent", shape, Init::orthogonal};
    const auto m = filled(spec);
    const Index columns = shape.back(), rows = spec.size() / columns, count = std::min(rows, columns);
    for (Index i = 0; i < count; ++i) {
      for (Index j = 0; j <= i; ++j) {
        double dot = 0;
        for (Index k = 0; k < std::max(rows, columns); ++k) {
          dot += rows < columns
                     ? m[static_cast<std::size_t>(i * columns + k)] * m[static_cast<std::size_t>(j * columns + k)]
                     : m[static_cast<std::size_t>(k * columns + i)] * m[static_cast<std::size_t>(k * columns + j)];
        }
        CHECK(std::abs(dot - (i == j ? 1 : 0)) < 1e-13);
      }
    }
  }
}

TEST_CASE("the forget gate starts open") {
  for (const float v : filled({"bias", {5}, Init::minus_ones})) CHECK(v == -1);
  const auto bias = filled({"bias", {12}, Init::lstm_bias});
  for (std::size_t i = 0; i < 12; ++i) CHECK(bias[i] == (i >= 3 && i < 6 ? 1 : 0));
}

TEST_CASE("a layout is filled entry by entry, gaps with zeros, float as double") {
  ParameterLayout layout;
  layout.entries.push_back({"a.kernel", {"kernel", {3, 5}, Init::glorot_uniform, 3, 5}, 0, 0});
  layout.entries.push_back({"b.kernel", {"kernel", {3, 5}, Init::glorot_uniform, 3, 5}, 1, 16});
  layout.entries.push_back({"b.gamma", {"gamma", {2}, Init::ones}, 1, 32});
  layout.size = 48;
  std::vector<double> a(48, -7), again(48, -7), other(48);
  std::vector<float> narrow(48, -7);
  initialize(layout, 5, a.data());
  initialize(layout, 5, again.data());
  initialize(layout, 6, other.data());
  initialize(layout, 5, narrow.data());
  CHECK(a == again);
  CHECK(a != other);
  CHECK(a[0] != a[16]);
  CHECK(a[15] == 0);
  CHECK(a[33] == 1);
  CHECK(a[34] == 0);
  for (std::size_t i = 0; i < 48; ++i) CHECK(narrow[i] == static_cast<float>(a[i]));
  CHECK_THROWS_AS(filled({"kernel", {3, 5}, Init::glorot_uniform}), Error);
}

}  // namespace serene
