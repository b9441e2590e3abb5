#include "serene/nn/attention.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"
#include "serene/nn/multi_head_attention.h"

using namespace serene;

namespace {

using Matrix = std::vector<std::vector<double>>;

// softmax_rows(scale q k') v, one scalar at a time.
Matrix naive_attention(const Matrix& q, const Matrix& k, const Matrix& v, double scale) {
  Matrix out;
  for (const auto& row : q) {
    std::vector<double> e, y(v[0].size());
    double sum = 0;
    for (const auto& other : k) {
      double dot = 0;
      for (std::size_t c = 0; c < row.size(); ++c) dot += row[c] * other[c];
      e.push_back(std::exp(scale * dot));
      sum += e.back();
    }
    for (std::size_t j = 0; j < v.size(); ++j)
      for (std::size_t c = 0; c < y.size(); ++c) y[c] += e[j] / sum * v[j][c];
    out.push_back(y);
  }
  return out;
}

Matrix rows_of(const double* x, Index n, Index channels) {
  Matrix m;
  for (Index t = 0; t < n; ++t) m.emplace_back(x + t * channels, x + (t + 1) * channels);
  return m;
}

std::vector<double> flat(const Matrix& m) {
  std::vector<double> all;
  for (const auto& row : m) all.insert(all.end(), row.begin(), row.end());
  return all;
}

// x W + b for columns [first, first + count) of a kernel with `columns` columns.
Matrix naive_dense(const Matrix& x, const double* w, const double* b, Index columns, Index first, Index count) {
  Matrix out;
  for (const auto& row : x) {
    std::vector<double> y;
    for (Index j = first; j < first + count; ++j) {
      double sum = b != nullptr ? b[j] : 0;
      for (std::size_t c = 0; c < row.size(); ++c) sum += row[c] * w[static_cast<Index>(c) * columns + j];
      y.push_back(sum);
    }
    out.push_back(y);
  }
  return out;
}

}  // namespace

TEST_CASE("self_attention: suite") {
  for (const Index channels : {3, 17}) {
    test::run_layer_suite(
        "self_attention", [](auto s) { return std::make_shared<const SelfAttention<decltype(s)>>(); },
        {.channels = channels, .reference = [](Params<const double>, const double* x, Index n, Index c) {
           const Matrix rows = rows_of(x, n, c);
           return flat(naive_attention(rows, rows, rows, 1 / std::sqrt(static_cast<double>(c))));
         }});
  }
}

TEST_CASE("self_attention: all queries see the valid keys alone") {
  const SelfAttention<double> layer({.mask_queries = false});
  LayerRunner<double> run(layer, {2, 6, 3}, Mode::training, {4, 0});
  run.randomize(1);
  run.poison();
  run.forward();
  const Matrix keys = rows_of(run.x.data(), 4, 3);
  const auto expected = flat(naive_attention(rows_of(run.x.data(), 6, 3), keys, keys, 1 / std::sqrt(3.0)));
  for (Index i = 0; i < 18; ++i)
    CHECK(run.y[i] == doctest::Approx(expected[static_cast<std::size_t>(i)]).epsilon(1e-12));
  for (Index i = 18; i < 36; ++i) CHECK(run.y[i] == 0);

  run.poison_scratch();
  run.backward();
  const std::vector<double> dx(run.dx.data(), run.dx.data() + run.dx.size());
  GradientReport report;
  check_gradient(
      "x", {run.x.data(), 36}, dx,
      [&] {
        run.forward();
        double sum = 0;
        for (Index i = 0; i < run.y.size(); ++i) sum += run.y[i] * run.dy[i];
        return sum;
      },
      report);
  CHECK_MESSAGE(report.below(1e-6), report.worst << " at " << report.worst_at);
}

TEST_CASE("self_attention: weights are rows of probabilities over the valid frames") {
  const SelfAttention<float> layer;
  LayerRunner<float> run(layer, {2, 5, 4}, Mode::training, {3, 5});
  run.randomize(4);
  run.poison();
  run.forward();
  const float* weights = SelfAttention<float>::weights(run.frame, run.in(), 0);
  for (Index i = 0; i < 5; ++i) {
    float sum = 0;
    for (Index j = 0; j < 5; ++j) {
      sum += weights[i * 5 + j];
      if (j >= 3) CHECK(weights[i * 5 + j] == 0);
    }
    CHECK(sum == doctest::Approx(i < 3 ? 1 : 0).epsilon(1e-6));
  }
}

TEST_CASE("self_attention: large scores do not overflow") {
  const SelfAttention<float> layer;
  LayerRunner<float> run(layer, {1, 4, 2}, Mode::training);
  run.x.fill(1e4f);
  run.x[3] = -1e4f;
  run.poison();
  run.dy.fill(1);
  run.x.fill(1e4f);
  run.forward();
  run.backward();
  for (Index i = 0; i < run.y.size(); ++i) {
    CHECK(run.y[i] == doctest::Approx(1e4));
    CHECK(std::isfinite(run.dx[i]));
  }
}

TEST_CASE("multi_head_attention: suite") {
  for (const bool use_bias : {true, false}) {
    const MultiHeadAttentionOptions options{.heads = 2, .key_dim = 3, .use_bias = use_bias};
    const auto reference = [=](Params<const double> p, const double* x, Index n, Index c) {
      const auto kernel = [&](int part) { return p[use_bias ? 2 * part : part]; };
      const auto bias = [&](int part) { return use_bias ? p[2 * part + 1] : nullptr; };
      const Matrix rows = rows_of(x, n, c);
      Matrix heads(static_cast<std::size_t>(n));
      for (Index h = 0; h < 2; ++h) {
        const auto part = [&](int i) { return naive_dense(rows, kernel(i), bias(i), 6, h * 3, 3); };
        const Matrix a = naive_attention(part(0), part(1), part(2), 1 / std::sqrt(3.0));
        for (std::size_t t = 0; t < heads.size(); ++t) heads[t].insert(heads[t].end(), a[t].begin(), a[t].end());
      }
      return flat(naive_dense(heads, kernel(3), bias(3), c, 0, c));
    };
    test::run_layer_suite(use_bias ? "multi_head_attention" : "multi_head_attention, no bias",
                          [&](auto s) { return std::make_shared<const MultiHeadAttention<decltype(s)>>(5, options); },
                          {.channels = 5, .reference = reference});
  }
  CHECK_THROWS_AS(MultiHeadAttention<float>(4, {.heads = 0}), Error);
  CHECK_THROWS_AS(MultiHeadAttention<float>(4, {}).plan({1, 2, 3}, Mode::inference), Error);
}
