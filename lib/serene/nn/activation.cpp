#include "serene/nn/activation.h"

#include <algorithm>
#include <cmath>

#include "serene/core/vector_math.h"
#include "serene/core/wide_loop.h"
#include "serene/nn/sequence_ops.h"
#include "serene/nn/softmax.h"

namespace serene {

namespace {

constexpr double leaky_slope = 0.3;
constexpr double inverse_sqrt_2 = 0.70710678118654752440;
constexpr double inverse_sqrt_2pi = 0.39894228040143267794;
constexpr double sqrt_2_over_pi = 0.79788456080286535588;
constexpr double gelu_cubic = 0.044715;
constexpr Index block = 256;  // elements worked on at a time through a buffer on the stack

// (1 + tanh(a)) / 2 = sigmoid(2 a), which is exact to the last bits where 1 + tanh(a) would cancel. z beyond the limit
// gives 0 or 1 exactly, so that z^3 need not overflow.
constexpr double gelu_limit = 22;

// 2 a for gelu_tanh.
template <class S>
S gelu_argument(S z) {
  const S c = std::min(std::max(z, S(-gelu_limit)), S(gelu_limit));
  return S(2 * sqrt_2_over_pi) * (c + S(gelu_cubic) * c * c * c);
}

// y may be x. Written so that a NaN stays one and is noticed.
template <class S>
void relu(Index n, const S* x, S* y) {
  wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) y[i] = x[i] < S(0) ? S(0) : x[i];
  });
}

// dz may be dy.
template <class S>
void relu_backward(Index n, const S* y, const S* dy, S* dz) {
  wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) {  // both operands are read first: a select, not a branch
      const S d = dy[i];
      dz[i] = y[i] > S(0) ? d : S(0);
    }
  });
}

// Calls f(first, count) over blocks of n elements.
template <class F>
void in_blocks(Index n, F&& f) {
  for (Index i = 0; i < n; i += block) f(i, std::min(block, n - i));
}

template <class S>
void gelu_tanh_forward(Index n, S* z) {
  S s[block];
  in_blocks(n, [&](Index at, Index count) {
    S* v = z + at;
    for (Index i = 0; i < count; ++i) s[i] = gelu_argument(v[i]);
    vec_sigmoid(count, s, s);
    for (Index i = 0; i < count; ++i) v[i] *= s[i];
  });
}

template <class S>
void gelu_tanh_backward(Index n, const S* z, const S* dy, S* dz) {
  S s[block];
  in_blocks(n, [&](Index at, Index count) {
    for (Index i = 0; i < count; ++i) s[i] = gelu_argument(z[at + i]);
    vec_sigmoid(count, s, s);
    for (Index i = 0; i < count; ++i) {
      const S v = z[at + i], c = std::min(std::max(v, S(-gelu_limit)), S(gelu_limit));
      const S slope = S(2 * sqrt_2_over_pi) * (S(1) + S(3 * gelu_cubic) * c * c);
      dz[at + i] = dy[at + i] * (s[i] + v * (s[i] * (S(1) - s[i])) * slope);
    }
  });
}

template <class S>
void swish_forward(Index n, S* z) {
  S s[block];
  in_blocks(n, [&](Index at, Index count) {
    vec_sigmoid(count, z + at, s);
    for (Index i = 0; i < count; ++i) z[at + i] *= s[i];
  });
}

template <class S>
void swish_backward(Index n, const S* z, const S* dy, S* dz) {
  S s[block];
  in_blocks(n, [&](Index at, Index count) {
    vec_sigmoid(count, z + at, s);
    for (Index i = 0; i < count; ++i) dz[at + i] = dy[at + i] * (s[i] + z[at + i] * s[i] * (S(1) - s[i]));
  });
}

template <class S>
void log_softmax_row(Index n, S* z) {
  const S top = *std::max_element(z, z + n);
  S e[block];
  double sum = 0;
  in_blocks(n, [&](Index at, Index count) {
    for (Index i = 0; i < count; ++i) e[i] = z[at + i] - top;
    vec_exp(count, e, e);
    sum += sum_over(count, [&](Index i) { return static_cast<double>(e[i]); });
  });
  const S shift = static_cast<S>(std::log(sum));
  for (Index c = 0; c < n; ++c) z[c] = (z[c] - top) - shift;
}

// dz = dy - e^y sum dy
template <class S>
void log_softmax_row_backward(Index n, const S* y, const S* dy, S* dz) {
  const S sum = static_cast<S>(sum_over(n, [&](Index c) { return static_cast<double>(dy[c]); }));
  S e[block];
  in_blocks(n, [&](Index at, Index count) {
    vec_exp(count, y + at, e);
    for (Index i = 0; i < count; ++i) dz[at + i] = dy[at + i] - e[i] * sum;
  });
}

}  // namespace

const std::vector<std::string>& activation_names() {
  static const std::vector<std::string> names = {"linear",  "relu", "leaky_relu", "elu",   "gelu",    "gelu_tanh",
                                                 "sigmoid", "tanh", "softplus",   "swish", "softmax", "log_softmax"};
  return names;
}

const char* activation_name(Activation a) noexcept { return activation_names()[static_cast<std::size_t>(a)].c_str(); }

Activation parse_activation(const std::string& name) {
  const std::vector<std::string>& names = activation_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<Activation>(found - names.begin());
  std::string known;
  for (const std::string& n : names) known += (known.empty() ? "" : ", ") + n;
  throw Error(ErrorCode::usage, "", "unknown activation").expected(known).got(printable(name));
}

bool activation_needs_input(Activation a) noexcept {
  return a == Activation::gelu || a == Activation::gelu_tanh || a == Activation::swish;
}

template <class S>
void activate(Activation a, Index rows, Index channels, S* z) noexcept {
  const Index n = rows * channels;
  if (n == 0) return;
  switch (a) {
    case Activation::linear:
      break;
    case Activation::relu:
      relu(n, z, z);
      break;
    case Activation::leaky_relu:
      for (Index i = 0; i < n; ++i) z[i] = z[i] < S(0) ? S(leaky_slope) * z[i] : z[i];
      break;
    case Activation::elu:
      for (Index i = 0; i < n; ++i) z[i] = z[i] < S(0) ? std::expm1(z[i]) : z[i];
      break;
    case Activation::gelu:
      for (Index i = 0; i < n; ++i) z[i] = S(0.5) * z[i] * std::erfc(-z[i] * S(inverse_sqrt_2));
      break;
    case Activation::gelu_tanh:
      gelu_tanh_forward(n, z);
      break;
    case Activation::sigmoid:
      vec_sigmoid(n, z, z);
      break;
    case Activation::tanh:
      vec_tanh(n, z, z);
      break;
    case Activation::softplus:
      for (Index i = 0; i < n; ++i) z[i] = std::max(z[i], S(0)) + std::log1p(std::exp(-std::abs(z[i])));
      break;
    case Activation::swish:
      swish_forward(n, z);
      break;
    case Activation::softmax:
      for (Index r = 0; r < rows; ++r) softmax_row(channels, S(1), z + r * channels);
      break;
    case Activation::log_softmax:
      for (Index r = 0; r < rows; ++r) log_softmax_row(channels, z + r * channels);
      break;
  }
}

template <class S>
void activate_backward(Activation a, Index rows, Index channels, const S* z, const S* y, const S* dy, S* dz) noexcept {
  const Index n = rows * channels;
  if (n == 0) return;
  switch (a) {
    case Activation::linear:
      if (dz != dy) std::copy_n(dy, n, dz);
      break;
    case Activation::relu:
      relu_backward(n, y, dy, dz);
      break;
    case Activation::leaky_relu:
      for (Index i = 0; i < n; ++i) {
        const S d = dy[i], less = S(leaky_slope) * d;
        dz[i] = y[i] > S(0) ? d : less;
      }
      break;
    case Activation::elu:
      for (Index i = 0; i < n; ++i) {
        const S d = dy[i], less = d * (y[i] + S(1));
        dz[i] = y[i] > S(0) ? d : less;
      }
      break;
    case Activation::gelu:  // Phi(z) + z phi(z)
      for (Index i = 0; i < n; ++i) {
        const S phi = S(inverse_sqrt_2pi) * std::exp(S(-0.5) * z[i] * z[i]);
        dz[i] = dy[i] * (S(0.5) * std::erfc(-z[i] * S(inverse_sqrt_2)) + z[i] * phi);
      }
      break;
    case Activation::gelu_tanh:
      gelu_tanh_backward(n, z, dy, dz);
      break;
    case Activation::sigmoid:
      for (Index i = 0; i < n; ++i) dz[i] = dy[i] * y[i] * (S(1) - y[i]);
      break;
    case Activation::tanh:
      for (Index i = 0; i < n; ++i) dz[i] = dy[i] * (S(1) - y[i] * y[i]);
      break;
    case Activation::softplus:  // sigmoid(z) = 1 - e^-y
      for (Index i = 0; i < n; ++i) dz[i] = dy[i] * -std::expm1(-y[i]);
      break;
    case Activation::swish:
      swish_backward(n, z, dy, dz);
      break;
    case Activation::softmax:
      for (Index r = 0; r < n; r += channels) softmax_row_backward(channels, S(1), y + r, dy + r, dz + r);
      break;
    case Activation::log_softmax:
      for (Index r = 0; r < n; r += channels) log_softmax_row_backward(channels, y + r, dy + r, dz + r);
      break;
  }
}

template <class S>
void finish_activation(Activation a, Index rows, Index channels, S* y, S* pre) noexcept {
  if (a == Activation::linear || a == Activation::relu) return;  // the epilogue did it
  if (pre != nullptr) std::copy_n(y, rows * channels, pre);
  activate(a, rows, channels, y);
}

template <class S>
void finish_activation_backward(Activation a, Index rows, Index channels, const S* pre, const S* y, const S* dy, S* dz,
                                S* dbias) noexcept {
  if (a == Activation::relu && dbias != nullptr) {
    wide_loop([=]() SERENE_WIDE {
      for (Index r = 0; r < rows; ++r) {
        const Index at = r * channels;
#pragma GCC ivdep
        for (Index c = 0; c < channels; ++c) {
          const S up = dy[at + c], d = y[at + c] > S(0) ? up : S(0);
          dz[at + c] = d;
          dbias[c] += d;
        }
      }
    });
    return;
  }
  activate_backward(a, rows, channels, pre, y, dy, dz);
  for (Index r = 0; dbias != nullptr && r < rows; ++r) {
    const S* row = dz + r * channels;
    for (Index c = 0; c < channels; ++c) dbias[c] += row[c];
  }
}

template <class S>
Plan ActivationLayer<S>::plan(Shape in, Mode) const {
  return {in, 0, 0};
}

template <class S>
void ActivationLayer<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>&) const noexcept {
  const Index channels = x.shape.channels;
  for_valid_rows(x, [&](Index first, Index rows) {
    const S* from = x.data + first * channels;
    S* to = y.data + first * channels;
    if (activation_ == Activation::relu) return relu(rows * channels, from, to);
    std::copy_n(from, rows * channels, to);
    activate(activation_, rows, channels, to);
  });
  zero_padding(y, x);
}

template <class S>
void ActivationLayer<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy,
                                  SeqView<S> dx, const Frame<S>&, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  const Index channels = x.shape.channels;
  for_valid_rows(x, [&](Index first, Index rows) {
    const Index at = first * channels;
    activate_backward(activation_, rows, channels, x.data + at, y.data + at, dy.data + at, dx.data + at);
  });
  zero_padding(dx, x);
}

#define SERENE_INSTANTIATE(S)                                                                                        \
  template void activate(Activation, Index, Index, S*) noexcept;                                                     \
  template void activate_backward(Activation, Index, Index, const S*, const S*, const S*, S*) noexcept;              \
  template void finish_activation(Activation, Index, Index, S*, S*) noexcept;                                        \
  template void finish_activation_backward(Activation, Index, Index, const S*, const S*, const S*, S*, S*) noexcept; \
  template class ActivationLayer<S>;
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

}  // namespace serene
