#include "serene/audio/delta.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "serene/core/error.h"

namespace serene {
namespace {

// Solves the small symmetric positive system a x = b in place by elimination with pivoting; the answer is left in b.
void solve(std::vector<std::vector<double>>& a, std::vector<double>& b) {
  const std::size_t n = b.size();
  for (std::size_t col = 0; col < n; ++col) {
    std::size_t best = col;
    for (std::size_t r = col + 1; r < n; ++r) {
      if (std::abs(a[r][col]) > std::abs(a[best][col])) best = r;
    }
    std::swap(a[col], a[best]);
    std::swap(b[col], b[best]);
    for (std::size_t r = 0; r < n; ++r) {
      if (r == col) continue;
      const double f = a[r][col] / a[col][col];
      for (std::size_t c = col; c < n; ++c) a[r][c] -= f * a[col][c];
      b[r] -= f * b[col];
    }
  }
  for (std::size_t i = 0; i < n; ++i) b[i] /= a[i][i];
}

}  // namespace

std::vector<double> delta_weights(Index width, int order) {
  if (width < 3 || width % 2 == 0 || width > 9999 || order < 1 || order > 4 || order >= width) {
    throw Error(ErrorCode::usage, "delta", "out of range")
        .expected("odd width from 3 to 9999, order from 1 to 4 and below width")
        .got("width " + std::to_string(width) + ", order " + std::to_string(order));
  }
  const Index half = width / 2;
  const std::size_t terms = static_cast<std::size_t>(order) + 1;
  std::vector<std::vector<double>> gram(terms, std::vector<double>(terms));
  for (std::size_t i = 0; i < terms; ++i) {
    for (std::size_t j = 0; j < terms; ++j) {
      for (Index n = -half; n <= half; ++n) gram[i][j] += std::pow(static_cast<double>(n), static_cast<double>(i + j));
    }
  }
  // The derivative of order `order` of a polynomial of that degree is its leading coefficient times order!.
  std::vector<double> pick(terms, 0.0);
  pick.back() = 1;
  for (int k = 2; k <= order; ++k) pick.back() *= k;
  solve(gram, pick);
  std::vector<double> weights;
  for (Index n = -half; n <= half; ++n) {
    double w = 0;
    for (std::size_t i = 0; i < terms; ++i) w += pick[i] * std::pow(static_cast<double>(n), static_cast<double>(i));
    weights.push_back(w);
  }
  return weights;
}

template <class S>
FrameMatrix<S> delta(const FrameMatrix<S>& x, Index width, int order) {
  const std::vector<double> weights = delta_weights(width, order);
  if (x.frames < width) {
    throw Error(ErrorCode::input, "delta", "too few frames")
        .expected("at least " + std::to_string(width))
        .got(std::to_string(x.frames));
  }
  FrameMatrix<S> out(x.frames, x.dim);
  for (Index t = 0; t < x.frames; ++t) {
    const Index first = std::clamp<Index>(t - width / 2, 0, x.frames - width);
    for (Index d = 0; d < x.dim; ++d) {
      double sum = 0;
      for (Index n = 0; n < width; ++n) sum += weights[static_cast<std::size_t>(n)] * x.row(first + n)[d];
      out.row(t)[d] = static_cast<S>(sum);
    }
  }
  return out;
}

template FrameMatrix<float> delta(const FrameMatrix<float>&, Index, int);
template FrameMatrix<double> delta(const FrameMatrix<double>&, Index, int);

}  // namespace serene
