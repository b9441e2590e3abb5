#include "serene/nn/init.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "serene/core/error.h"
#include "serene/core/random.h"

namespace serene {

namespace {

// Standard deviation of the standard normal distribution cut at +-2.
constexpr double cut_normal_deviation = 0.87962566103423978;

double cut_normal(Random& random) {
  double value;
  do {
    value = random.normal();
  } while (std::abs(value) > 2);
  return value;
}

double dot(const double* a, const double* b, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// `count` orthonormal vectors of `length` >= count numbers, one after the other.
std::vector<double> orthonormal_vectors(Index count, Index length, Random& random) {
  std::vector<double> all(static_cast<std::size_t>(count * length));
  for (Index i = 0; i < count; ++i) {
    double* v = all.data() + i * length;
    double norm = 0;
    do {  // a vector that all but lies in the span of the others is drawn again
      for (Index j = 0; j < length; ++j) v[j] = random.normal();
      for (int pass = 0; pass < 2; ++pass) {  // the second pass removes what rounding left
        for (Index other = 0; other < i; ++other) {
          const double* u = all.data() + other * length;
          const double share = dot(u, v, length);
          for (Index j = 0; j < length; ++j) v[j] -= share * u[j];
        }
      }
      norm = std::sqrt(dot(v, v, length));
    } while (norm < 1e-6);
    for (Index j = 0; j < length; ++j) v[j] /= norm;
  }
  return all;
}

template <class S>
void fill_orthogonal(const ParameterSpec& spec, Random& random, S* values) {
  const Index columns = spec.shape.empty() ? 1 : spec.shape.back();
  const Index rows = columns > 0 ? spec.size() / columns : 0;
  const bool wide = rows < columns;
  const std::vector<double> vectors = orthonormal_vectors(std::min(rows, columns), std::max(rows, columns), random);
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < columns; ++c) {
      values[r * columns + c] =
          static_cast<S>(vectors[static_cast<std::size_t>(wide ? r * columns + c : c * rows + r)]);
    }
  }
}

}  // namespace

template <class S>
void initialize_tensor(const ParameterSpec& spec, std::uint64_t seed, std::uint64_t index, S* values) {
  const Index n = spec.size();
  Random random(seed, Purpose::init, index);
  const auto positive = [&](Index fan) {
    if (fan < 1) throw Error(ErrorCode::internal, spec.name, "a parameter without fan_in or fan_out");
    return static_cast<double>(fan);
  };
  switch (spec.init) {
    case Init::zeros:
      std::fill_n(values, n, S(0));
      break;
    case Init::ones:
      std::fill_n(values, n, S(1));
      break;
    case Init::glorot_uniform: {
      const double a = std::sqrt(6 / positive(spec.fan_in + spec.fan_out));
      for (Index i = 0; i < n; ++i) values[i] = static_cast<S>(random.uniform(-a, a));
      break;
    }
    case Init::he_normal: {
      const double deviation = std::sqrt(2 / positive(spec.fan_in)) / cut_normal_deviation;
      for (Index i = 0; i < n; ++i) values[i] = static_cast<S>(deviation * cut_normal(random));
      break;
    }
    case Init::orthogonal:
      fill_orthogonal(spec, random, values);
      break;
    case Init::lstm_bias:
      std::fill_n(values, n, S(0));
      std::fill_n(values + n / 4, n / 4, S(1));
      break;
    case Init::minus_ones:
      std::fill_n(values, n, S(-1));
      break;
  }
}

template <class S>
void initialize(const ParameterLayout& layout, std::uint64_t seed, S* params) {
  std::fill_n(params, layout.size, S(0));
  for (std::size_t i = 0; i < layout.entries.size(); ++i) {
    initialize_tensor(layout.entries[i].spec, seed, i, params + layout.entries[i].offset);
  }
}

template void initialize_tensor(const ParameterSpec&, std::uint64_t, std::uint64_t, float*);
template void initialize_tensor(const ParameterSpec&, std::uint64_t, std::uint64_t, double*);
template void initialize(const ParameterLayout&, std::uint64_t, float*);
template void initialize(const ParameterLayout&, std::uint64_t, double*);

}  // namespace serene
