#include "serene/nn/layer_norm.h"

#include <cmath>
#include <cstdio>

#include "serene/nn/sequence_ops.h"

namespace serene {

namespace {

struct Moments {
  double mean, inverse;  // inverse = 1 / sqrt(variance + epsilon)
};

template <class S>
Moments frame_moments(Index n, const S* x, double epsilon) {
  const double scale = 1.0 / static_cast<double>(n);
  const double mean = scale * sum_over(n, [&](Index c) { return static_cast<double>(x[c]); });
  const double variance = scale * sum_over(n, [&](Index c) {
                            const double d = static_cast<double>(x[c]) - mean;
                            return d * d;
                          });
  return {mean, 1 / std::sqrt(variance + epsilon)};
}

}  // namespace

template <class S>
LayerNorm<S>::LayerNorm(Index channels, double epsilon) : channels_(channels), epsilon_(epsilon) {
  if (channels < 1) throw Error(ErrorCode::usage, "layer_norm", "no input channels");
  if (!(epsilon > 0))
    throw Error(ErrorCode::usage, "layer_norm", "epsilon must be above 0").got(std::to_string(epsilon));
}

template <class S>
std::string LayerNorm<S>::summary() const {
  char text[40];
  std::snprintf(text, sizeof text, "epsilon %g", epsilon_);
  return text;
}

template <class S>
std::vector<ParameterSpec> LayerNorm<S>::parameters() const {
  return {{"gamma", {channels_}, Init::ones, 0, 0, true, false}, {"beta", {channels_}, Init::zeros, 0, 0, true, false}};
}

template <class S>
Plan LayerNorm<S>::plan(Shape in, Mode) const {
  if (in.channels != channels_) {
    throw Error(ErrorCode::usage, "layer_norm", "wrong number of input channels")
        .expected(std::to_string(channels_))
        .got(std::to_string(in.channels));
  }
  return {in, 0, 0};
}

template <class S>
void LayerNorm<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>&) const noexcept {
  const S *gamma = p[0], *beta = p[1];
  for_valid_rows(x, [&](Index first, Index rows) {
    for (Index r = first; r < first + rows; ++r) {
      const S* from = x.data + r * channels_;
      S* to = y.data + r * channels_;
      const Moments m = frame_moments(channels_, from, epsilon_);
      const S mean = static_cast<S>(m.mean), inverse = static_cast<S>(m.inverse);
      for (Index c = 0; c < channels_; ++c) to[c] = (from[c] - mean) * inverse * gamma[c] + beta[c];
    }
  });
  zero_padding(y, x);
}

template <class S>
void LayerNorm<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy, SeqView<S> dx,
                            const Frame<S>&, Params<S> grads) const noexcept {
  const S* gamma = p[0];
  S *dgamma = grads[0], *dbeta = grads[1];
  const double scale = 1.0 / static_cast<double>(channels_);
  for_valid_rows(x, [&](Index first, Index rows) {
    for (Index r = first; r < first + rows; ++r) {
      const S *from = x.data + r * channels_, *d = dy.data + r * channels_;
      const Moments m = frame_moments(channels_, from, epsilon_);  // cheaper than keeping them
      const S mean = static_cast<S>(m.mean), inverse = static_cast<S>(m.inverse);
      for (Index c = 0; c < channels_; ++c) {
        dgamma[c] += d[c] * ((from[c] - mean) * inverse);
        dbeta[c] += d[c];
      }
      if (dx.data == nullptr) continue;
      const auto g = [&](Index c) { return static_cast<double>(gamma[c]) * static_cast<double>(d[c]); };
      const double sum = sum_over(channels_, g);
      const double product =
          sum_over(channels_, [&](Index c) { return g(c) * (static_cast<double>(from[c]) - m.mean); });
      const S shift = static_cast<S>(sum * scale), slope = static_cast<S>(product * scale * m.inverse * m.inverse);
      S* to = dx.data + r * channels_;
      for (Index c = 0; c < channels_; ++c) to[c] = inverse * ((gamma[c] * d[c] - shift) - (from[c] - mean) * slope);
    }
  });
  if (dx.data != nullptr) zero_padding(dx, x);
}

template class LayerNorm<float>;
template class LayerNorm<double>;

}  // namespace serene
