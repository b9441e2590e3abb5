#include "serene/nn/dropout.h"

#include <algorithm>
#include <cstdio>

#include "serene/nn/sample_random.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

template <class S>
void apply_keep_mask(Index n, const S* x, const S* keep, double rate, S* y) noexcept {
  const S scale = static_cast<S>(1 / (1 - rate));
  for (Index i = 0; i < n; ++i) {
    const S scaled = x[i] * scale;
    y[i] = keep[i] != S(0) ? scaled : S(0);
  }
}

template <class S>
Dropout<S>::Dropout(double rate, DropoutKind kind) : rate_(rate), kind_(kind) {
  if (!(rate >= 0 && rate < 1)) {
    throw Error(ErrorCode::usage, type(), "rate out of range").expected("0 <= rate < 1").got(std::to_string(rate));
  }
}

template <class S>
Dropout<S> Dropout<S>::with_mask(std::vector<S> keep) const {
  Dropout copy = *this;
  copy.mask_ = std::move(keep);
  return copy;
}

template <class S>
std::string Dropout<S>::summary() const {
  char text[40];
  std::snprintf(text, sizeof text, "rate %g", rate_);
  return text;
}

template <class S>
Plan Dropout<S>::plan(Shape in, Mode mode) const {
  if (!mask_.empty() && static_cast<Index>(mask_.size()) < in.batch * drawn(in)) {
    throw Error(ErrorCode::usage, type(), "mask too small").expected(std::to_string(in.batch * drawn(in)));
  }
  return {in, active(mode) ? in.batch * drawn(in) : 0, 0};
}

// keep (n) for a sample, given by its number in the batch. An element is dropped when its 32 bits lie below rate 2^32.
template <class S>
void Dropout<S>::draw(Index sample, Index n, Index stride, const Frame<S>& f, S* keep) const noexcept {
  if (!mask_.empty()) {
    std::copy_n(mask_.data() + sample * stride, n, keep);
    return;
  }
  Random random = sample_random(f, f.key, sample);
  const auto threshold = static_cast<std::uint32_t>(std::min(rate_ * 4294967296.0, 4294967295.0));
  for (Index i = 0; i < n; ++i) keep[i] = random.bits() >= threshold ? S(1) : S(0);
}

template <class S>
void Dropout<S>::apply(SeqView<const S> x, SeqView<const S> lengths_of, SeqView<S> y,
                       const Frame<S>& f) const noexcept {
  const Index channels = x.shape.channels, stride = drawn(x.shape);
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = lengths_of.length(b);
    if (!active(f.mode)) {
      std::copy_n(x.sample(b), n * channels, y.sample(b));
    } else if (kind_ == DropoutKind::element) {
      apply_keep_mask(n * channels, x.sample(b), f.saved + b * stride, rate_, y.sample(b));
    } else {
      for (Index t = 0; t < n; ++t)
        apply_keep_mask(channels, x.frame(b, t), f.saved + b * stride, rate_, y.frame(b, t));
    }
    zero_frames(y, b, n);
  }
}

template <class S>
void Dropout<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Index stride = drawn(x.shape);
  for (Index b = 0; b < x.shape.batch && active(f.mode); ++b) {
    const Index n = kind_ == DropoutKind::element ? x.length(b) * x.shape.channels : stride;
    draw(f.first_sample + b, n, stride, f, f.saved + b * stride);
  }
  apply(x, x, y, f);
}

template <class S>
void Dropout<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy, SeqView<S> dx,
                          const Frame<S>& f, Params<S>) const noexcept {
  if (dx.data != nullptr) apply(dy, x, dx, f);
}

template void apply_keep_mask(Index, const float*, const float*, double, float*) noexcept;
template void apply_keep_mask(Index, const double*, const double*, double, double*) noexcept;
template class Dropout<float>;
template class Dropout<double>;

}  // namespace serene
