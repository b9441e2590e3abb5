#include "serene/nn/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "serene/core/wide_loop.h"
#include "serene/nn/grid.h"
#include "serene/nn/sequence_ops.h"
#include "serene/nn/slices.h"

namespace serene {

namespace {

constexpr Index kTile = 16;  // channels whose sums stay in registers

typedef double Sums __attribute__((vector_size(32)));

// Calls f(offset) for every valid frame of `width` scalars, in order.
template <class S, class F>
SERENE_WIDE inline void for_valid_frames(const SeqView<S>& x, Index width, const F& f) {
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index first = b * x.shape.time, frames = x.length(b);
    for (Index t = first; t < first + frames; ++t) f(t * width);
  }
}

template <class S>
Index valid_rows(const SeqView<S>& x, Index channels) {
  Index n = 0;
  for (Index b = 0; b < x.shape.batch; ++b) n += x.length(b);
  return n * (x.shape.channels / channels);
}

// By reference: a vector by value would make the ABI depend on the instruction set.
template <class S>
SERENE_WIDE inline void load(const S* from, Sums& to) {
  to = Sums{static_cast<double>(from[0]), static_cast<double>(from[1]), static_cast<double>(from[2]),
            static_cast<double>(from[3])};
}

// first[c] = sum of u and second[c] = sum of u v over the valid frames, where term(offset, c, u, v) gives four of each
// or one. The sums of a channel are added in the order of the frames, whatever the width.
// (Loops written out: accumulators that a lambda captures would live in memory.)
template <class S, class Term>
void sum_products(const SeqView<const S>& x, Index channels, double* first, double* second, const Term& term) {
  const Index batch = x.shape.batch, bins = x.shape.channels / channels, sample = x.shape.time * x.shape.channels;
  wide_loop([=]() SERENE_WIDE {
    Index c = 0;
    for (; c + kTile <= channels; c += kTile) {
      Sums a0{}, a1{}, a2{}, a3{}, b0{}, b1{}, b2{}, b3{};
      for (Index b = 0; b < batch; ++b) {
        const Index begin = b * sample, end = begin + x.length(b) * bins * channels;
        for (Index at = begin; at < end; at += channels) {
          term(at, c, a0, b0), term(at, c + 4, a1, b1), term(at, c + 8, a2, b2), term(at, c + 12, a3, b3);
        }
      }
      const Sums a[] = {a0, a1, a2, a3}, b[] = {b0, b1, b2, b3};
      std::memcpy(first + c, a, sizeof a), std::memcpy(second + c, b, sizeof b);
    }
    for (; c < channels; ++c) {
      double u = 0, v = 0;
      for (Index b = 0; b < batch; ++b) {
        const Index begin = b * sample, end = begin + x.length(b) * bins * channels;
        for (Index at = begin; at < end; at += channels) term(at, c, u, v);
      }
      first[c] = u, second[c] = v;
    }
  });
}

// Sums of x and x x.
template <class S>
struct MomentTerms {
  const S* x;

  SERENE_WIDE void operator()(Index at, Index c, Sums& sum, Sums& square) const {
    Sums v;
    load(x + at + c, v);
    sum += v, square += v * v;
  }
  SERENE_WIDE void operator()(Index at, Index c, double& sum, double& square) const {
    const auto v = static_cast<double>(x[at + c]);
    sum += v, square += v * v;
  }
};

// Sums of dy and dy (x - mean).
template <class S>
struct GradientTerms {
  const S *x, *dy, *mean;

  SERENE_WIDE void operator()(Index at, Index c, Sums& sum, Sums& product) const {
    Sums d, v, m;
    load(dy + at + c, d), load(x + at + c, v), load(mean + c, m);
    sum += d, product += d * (v - m);
  }
  SERENE_WIDE void operator()(Index at, Index c, double& sum, double& product) const {
    const auto d = static_cast<double>(dy[at + c]);
    sum += d, product += d * (static_cast<double>(x[at + c]) - static_cast<double>(mean[c]));
  }
};

// Repeats `channels` factors over the frequencies of a frame, so that loops run over whole frames.
template <class S>
void spread(S* factors, Index channels, Index width) {
  for (Index at = channels; at < width; at += channels) std::copy_n(factors, channels, factors + at);
}

}  // namespace

template <class S>
BatchNorm<S>::BatchNorm(Index inputs, double momentum, double epsilon, Index channels)
    : inputs_(inputs),
      channels_(grid_of("batch_norm", inputs, channels == 0 ? inputs : channels).maps),
      momentum_(momentum),
      epsilon_(epsilon) {
  if (!(momentum >= 0 && momentum <= 1)) {
    throw Error(ErrorCode::usage, "batch_norm", "momentum out of range").expected("0..1").got(std::to_string(momentum));
  }
  if (!(epsilon > 0))
    throw Error(ErrorCode::usage, "batch_norm", "epsilon must be above 0").got(std::to_string(epsilon));
}

template <class S>
std::string BatchNorm<S>::summary() const {
  char text[64];
  std::snprintf(text, sizeof text, "momentum %g, epsilon %g", momentum_, epsilon_);
  return text + (channels_ == inputs_ ? "" : ", " + std::to_string(channels_) + " maps");
}

template <class S>
std::vector<ParameterSpec> BatchNorm<S>::parameters() const {
  return {{"gamma", {channels_}, Init::ones, 0, 0, true, false},
          {"beta", {channels_}, Init::zeros, 0, 0, true, false},
          {"moving_mean", {channels_}, Init::zeros, 0, 0, false, false},
          {"moving_variance", {channels_}, Init::ones, 0, 0, false, false}};
}

template <class S>
Plan BatchNorm<S>::plan(Shape in, Mode mode) const {
  if (in.channels != inputs_) {
    throw Error(ErrorCode::usage, "batch_norm", "wrong number of input channels")
        .expected(std::to_string(inputs_))
        .got(std::to_string(in.channels));
  }
  // saved: mean and variance. scratch: factors of a frame, or, for backward in inference, its sums.
  const Index sums = (1 + 2 * channels_) * static_cast<Index>(sizeof(double) / sizeof(S));
  return {in, mode == Mode::training ? 2 * part_size(channels_) : 0, std::max(4 * part_size(inputs_), sums)};
}

// Of a whole batch, from the totals of forward's point: {N, sums of x, sums of x x}. Zeros without a frame.
template <class S>
struct BatchNorm<S>::Statistics {
  Statistics(const double* totals, Index channel_count)
      : frames(std::max(totals[0], 1.0)), sums(totals + 1), squares(totals + 1 + channel_count) {}
  double mean(Index c) const { return sums[c] / frames; }
  double variance(Index c) const { return std::max(squares[c] / frames - mean(c) * mean(c), 0.0); }

  double frames;
  const double *sums, *squares;
};

template <class S>
void BatchNorm<S>::normalise(Params<const S> p, SeqView<const S> x, SeqView<S> y, const S* mean, const S* variance,
                             const Frame<S>& f) const noexcept {
  Slices<S> parts(f.scratch);
  S *shift = parts.take(inputs_), *scale = parts.take(inputs_), *beta = parts.take(inputs_);
  for (Index c = 0; c < channels_; ++c) {
    const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + epsilon_);
    shift[c] = mean[c], scale[c] = static_cast<S>(static_cast<double>(p[0][c]) * inverse), beta[c] = p[1][c];
  }
  for (S* factors : {shift, scale, beta}) spread(factors, channels_, inputs_);
  const Index width = inputs_;
  wide_loop([=]() SERENE_WIDE {
    for_valid_frames(x, width, [=](Index at) SERENE_WIDE {
      const S* from = x.data + at;
      S* to = y.data + at;
#pragma GCC ivdep
      for (Index c = 0; c < width; ++c) to[c] = (from[c] - shift[c]) * scale[c] + beta[c];
    });
  });
  zero_padding(y, x);
}

template <class S>
void BatchNorm<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  if (f.mode == Mode::inference) return normalise(p, x, y, p[2], p[3], f);
  if (f.phase == 0) {
    f.partial[0] = static_cast<double>(valid_rows(x, channels_));
    sum_products(x, channels_, f.partial + 1, f.partial + 1 + channels_, MomentTerms<S>{x.data});
    return;
  }
  Slices<S> saved(f.saved);
  S *mean = saved.take(channels_), *variance = saved.take(channels_);
  const Statistics batch(f.totals, channels_);
  for (Index c = 0; c < channels_; ++c) {
    mean[c] = static_cast<S>(batch.mean(c)), variance[c] = static_cast<S>(batch.variance(c));
  }
  normalise(p, x, y, mean, variance, f);
}

// dx = a (dy - shift - (x - mean) slope)
template <class S>
void BatchNorm<S>::input_gradient(Params<const S> p, SeqView<const S> x, SeqView<const S> dy, SeqView<S> dx,
                                  const S* batch_mean, const S* variance, const Frame<S>& f) const noexcept {
  Slices<S> parts(f.scratch);
  S *mean = parts.take(inputs_), *a = parts.take(inputs_), *shift = parts.take(inputs_), *slope = parts.take(inputs_);
  const bool training = f.mode == Mode::training;
  const double per_frame = training ? 1 / std::max(f.totals[0], 1.0) : 0;
  for (Index c = 0; c < channels_; ++c) {
    const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + epsilon_);
    mean[c] = batch_mean[c];
    a[c] = static_cast<S>(static_cast<double>(p[0][c]) * inverse);
    shift[c] = training ? static_cast<S>(f.totals[1 + c] * per_frame) : S(0);
    slope[c] = training ? static_cast<S>(f.totals[1 + channels_ + c] * per_frame * inverse * inverse) : S(0);
  }
  for (S* factors : {mean, a, shift, slope}) spread(factors, channels_, inputs_);
  const Index width = inputs_;
  wide_loop([=]() SERENE_WIDE {
    for_valid_frames(x, width, [=](Index at) SERENE_WIDE {
      const S *d = dy.data + at, *v = x.data + at;
      S* to = dx.data + at;
#pragma GCC ivdep
      for (Index c = 0; c < width; ++c) to[c] = a[c] * ((d[c] - shift[c]) - (v[c] - mean[c]) * slope[c]);
    });
  });
  zero_padding(dx, x);
}

template <class S>
void BatchNorm<S>::parameter_gradients(SeqView<const S> x, SeqView<const S> dy, const S* mean, const S* variance,
                                       double* sums, Params<S> grads) const noexcept {
  double *sum = sums + 1, *product = sum + channels_;
  sums[0] = static_cast<double>(valid_rows(x, channels_));
  sum_products(x, channels_, sum, product, GradientTerms<S>{x.data, dy.data, mean});
  for (Index c = 0; c < channels_; ++c) {
    grads[0][c] += static_cast<S>(product[c] / std::sqrt(static_cast<double>(variance[c]) + epsilon_));
    grads[1][c] += static_cast<S>(sum[c]);
  }
}

template <class S>
void BatchNorm<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy, SeqView<S> dx,
                            const Frame<S>& f, Params<S> grads) const noexcept {
  const bool training = f.mode == Mode::training;
  const S* mean = training ? f.saved : p[2];
  const S* variance = training ? f.saved + part_size(channels_) : p[3];
  if (f.phase == 0) {
    double* sums = training ? f.partial : reinterpret_cast<double*>(f.scratch);
    parameter_gradients(x, dy, mean, variance, sums, grads);
    if (training) return;
  }
  if (dx.data != nullptr) input_gradient(p, x, dy, dx, mean, variance, f);
}

template <class S>
void BatchNorm<S>::commit(const Frame<S>& f, Params<S> p) const noexcept {
  if (f.mode != Mode::training || f.totals[0] == 0) return;
  const Statistics batch(f.totals, channels_);
  const auto move = [&](S& moving, double value) {
    moving = static_cast<S>(static_cast<double>(moving) * momentum_ + value * (1 - momentum_));
  };
  for (Index c = 0; c < channels_; ++c) {
    move(p[2][c], batch.mean(c));
    move(p[3][c], batch.variance(c));
  }
}

template class BatchNorm<float>;
template class BatchNorm<double>;

}  // namespace serene
