#include "serene/nn/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "serene/core/wide_loop.h"
#include "serene/nn/grid.h"
#include "serene/nn/sequence_ops.h"
#include "serene/nn/slices.h"

namespace serene {

namespace {

constexpr Index block = 64;  // channels whose sums lie on the stack at a time

// Calls f(offset) for every row of `channels` scalars in the valid frames, in order.
template <class S, class F>
SERENE_WIDE inline void for_valid_rows_of(const SeqView<S>& x, Index channels, const F& f) {
  const Index bins = x.shape.channels / channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index first = b * x.shape.time * bins, rows = x.length(b) * bins;
    for (Index r = first; r < first + rows; ++r) f(r * channels);
  }
}

template <class S>
Index valid_rows(const SeqView<S>& x, Index channels) {
  Index n = 0;
  for (Index b = 0; b < x.shape.batch; ++b) n += x.length(b);
  return n * (x.shape.channels / channels);
}

// Mean and biased variance of every channel, in two passes; zeros without frames.
template <class S>
void batch_statistics(const SeqView<const S>& x, Index channels, S* mean, S* variance) {
  const double scale = 1.0 / static_cast<double>(std::max<Index>(valid_rows(x, channels), 1));
  for (Index first = 0; first < channels; first += block) {
    const Index count = std::min(block, channels - first);
    double sums[block] = {}, parts[block] = {};
    double *const sum = sums, *const squares = parts;
    wide_loop([=]() SERENE_WIDE {
      for_valid_rows_of(x, channels, [=](Index at) SERENE_WIDE {
        const S* row = x.data + at + first;
#pragma GCC ivdep
        for (Index c = 0; c < count; ++c) sum[c] += static_cast<double>(row[c]);
      });
    });
    for (Index c = 0; c < count; ++c) sum[c] *= scale;
    wide_loop([=]() SERENE_WIDE {
      for_valid_rows_of(x, channels, [=](Index at) SERENE_WIDE {
        const S* row = x.data + at + first;
#pragma GCC ivdep
        for (Index c = 0; c < count; ++c) {
          const double d = static_cast<double>(row[c]) - sum[c];
          squares[c] += d * d;
        }
      });
    });
    for (Index c = 0; c < count; ++c) {
      mean[first + c] = static_cast<S>(sum[c]);
      variance[first + c] = static_cast<S>(squares[c] * scale);
    }
  }
}

// sum += dy, product += dy (x - mean) over the valid frames, for `count` channels from `first`.
template <class S>
void gradient_sums(const SeqView<const S>& x, const S* dy, Index channels, Index first, Index count, const S* mean,
                   double* sum, double* product) {
  wide_loop([=]() SERENE_WIDE {
    for_valid_rows_of(x, channels, [=](Index at) SERENE_WIDE {
      const S *d = dy + at + first, *v = x.data + at + first, *m = mean + first;
#pragma GCC ivdep
      for (Index c = 0; c < count; ++c) {
        sum[c] += static_cast<double>(d[c]);
        product[c] += static_cast<double>(d[c]) * (static_cast<double>(v[c]) - static_cast<double>(m[c]));
      }
    });
  });
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
  // saved: mean, variance, and whether there was a frame at all. scratch: factors per channel.
  return {in, mode == Mode::training ? 2 * part_size(channels_) + 16 : 0, 4 * part_size(channels_)};
}

template <class S>
void BatchNorm<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const S *mean = p[2], *variance = p[3];
  if (f.mode == Mode::training) {
    Slices<S> saved(f.saved);
    S *batch_mean = saved.take(channels_), *batch_variance = saved.take(channels_);
    batch_statistics(x, channels_, batch_mean, batch_variance);
    *saved.take(1) = valid_rows(x, channels_) > 0 ? S(1) : S(0);
    mean = batch_mean;
    variance = batch_variance;
  }
  S* scale = f.scratch;
  const S *gamma = p[0], *beta = p[1];
  for (Index c = 0; c < channels_; ++c) {
    scale[c] = static_cast<S>(static_cast<double>(gamma[c]) / std::sqrt(static_cast<double>(variance[c]) + epsilon_));
  }
  const Index channels = channels_;
  wide_loop([=]() SERENE_WIDE {
    for_valid_rows_of(x, channels, [=](Index at) SERENE_WIDE {
      const S* from = x.data + at;
      S* to = y.data + at;
#pragma GCC ivdep
      for (Index c = 0; c < channels; ++c) to[c] = (from[c] - mean[c]) * scale[c] + beta[c];
    });
  });
  zero_padding(y, x);
}

template <class S>
void BatchNorm<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy, SeqView<S> dx,
                            const Frame<S>& f, Params<S> grads) const noexcept {
  const bool training = f.mode == Mode::training;
  const S* mean = training ? f.saved : p[2];
  const S* variance = training ? f.saved + part_size(channels_) : p[3];
  Slices<S> parts(f.scratch);
  // dx = a (dy - shift - (x - mean) slope)
  S *a = parts.take(channels_), *shift = parts.take(channels_), *slope = parts.take(channels_);
  const double per_frame = 1.0 / static_cast<double>(std::max<Index>(valid_rows(x, channels_), 1));

  for (Index first = 0; first < channels_; first += block) {
    const Index count = std::min(block, channels_ - first);
    double sum[block] = {}, product[block] = {};  // of dy, of dy (x - mean)
    gradient_sums(x, dy.data, channels_, first, count, mean, sum, product);
    for (Index i = 0; i < count; ++i) {
      const Index c = first + i;
      const double inverse = 1 / std::sqrt(static_cast<double>(variance[c]) + epsilon_);
      grads[0][c] += static_cast<S>(product[i] * inverse);
      grads[1][c] += static_cast<S>(sum[i]);
      a[c] = static_cast<S>(static_cast<double>(p[0][c]) * inverse);
      shift[c] = training ? static_cast<S>(sum[i] * per_frame) : S(0);
      slope[c] = training ? static_cast<S>(product[i] * per_frame * inverse * inverse) : S(0);
    }
  }
  if (dx.data == nullptr) return;
  const Index channels = channels_;
  wide_loop([=]() SERENE_WIDE {
    for_valid_rows_of(x, channels, [=](Index at) SERENE_WIDE {
      const S *d = dy.data + at, *v = x.data + at;
      S* to = dx.data + at;
#pragma GCC ivdep
      for (Index c = 0; c < channels; ++c) to[c] = a[c] * ((d[c] - shift[c]) - (v[c] - mean[c]) * slope[c]);
    });
  });
  zero_padding(dx, x);
}

template <class S>
void BatchNorm<S>::commit(const Frame<S>& f, Params<S> p) const noexcept {
  if (f.mode != Mode::training) return;
  Slices<S> saved(f.saved);
  const S* batch[] = {saved.take(channels_), saved.take(channels_)};
  if (*saved.take(1) == S(0)) return;
  for (int i = 0; i < 2; ++i) {
    S* moving = p[2 + i];
    for (Index c = 0; c < channels_; ++c) {
      moving[c] = static_cast<S>(static_cast<double>(moving[c]) * momentum_ +
                                 static_cast<double>(batch[i][c]) * (1 - momentum_));
    }
  }
}

template class BatchNorm<float>;
template class BatchNorm<double>;

}  // namespace serene
