#include "serene/nn/depthwise_conv1d.h"

#include <algorithm>

#include "serene/nn/row_products.h"
#include "serene/nn/sequence_ops.h"

namespace serene {
namespace {

// The i in [first, last) of [0, count) for which 0 <= start + i step < n; step >= 1.
struct Inside {
  Index first, last;
};

SERENE_WIDE inline Inside inside(Index start, Index step, Index count, Index n) {
  const Index first = start >= 0 ? 0 : (step - 1 - start) / step;
  const Index last = start >= n ? 0 : (n - 1 - start) / step + 1;
  return {first < count ? first : count, last < count ? last : count};
}

// y[o] = base + sum_j x[o stride + j step + start] w_j for the frames of x that exist; base: nullptr for 0.
// w_step: -channels with w at the last tap turns the kernel around.
template <class S>
void slide(const S* x, Index n, Index channels, Index stride, Index step, Index start, const S* w, Index w_step,
           Index taps, const S* base, S* y, Index out) noexcept {
  wide_loop([=]() SERENE_WIDE {
    for (Index o = 0; o < out; ++o) {
      S* to = y + o * channels;
      for (Index c = 0; c < channels; ++c) to[c] = base != nullptr ? base[c] : S(0);
      const Index begin = o * stride + start;
      const Inside j = inside(begin, step, taps, n);
      if (j.first >= j.last) continue;
      add_row_products(j.last - j.first, channels, x + (begin + j.first * step) * channels, step * channels,
                       w + j.first * w_step, w_step, to);
    }
  });
}

}  // namespace

template <class S>
DepthwiseConv1D<S>::DepthwiseConv1D(Index channels, Window window, Activation activation, bool use_bias)
    : channels_(channels), window_(window), activation_(activation), use_bias_(use_bias) {
  window.check("depthwise_conv1d");
  if (channels < 1) throw Error(ErrorCode::usage, "depthwise_conv1d", "no input channels");
}

template <class S>
std::string DepthwiseConv1D<S>::summary() const {
  std::string text = "kernel " + std::to_string(window_.size);
  if (window_.stride != 1) text += ", stride " + std::to_string(window_.stride);
  if (window_.dilation != 1) text += ", dilation " + std::to_string(window_.dilation);
  return text + ", " + padding_name(window_.padding) + ", " + activation_name(activation_) +
         (use_bias_ ? "" : ", no bias");
}

template <class S>
std::vector<ParameterSpec> DepthwiseConv1D<S>::parameters() const {
  const Index k = window_.size;
  std::vector<ParameterSpec> specs = {{"kernel", {k, channels_, 1}, Init::glorot_uniform, k, k, true, true}};
  if (use_bias_) specs.push_back({"bias", {channels_}, Init::zeros, 0, 0, true, false});
  return specs;
}

template <class S>
Plan DepthwiseConv1D<S>::plan(Shape in, Mode mode) const {
  if (in.channels != channels_) {
    throw Error(ErrorCode::usage, "depthwise_conv1d", "wrong number of input channels")
        .expected(std::to_string(channels_))
        .got(std::to_string(in.channels));
  }
  Plan plan;
  plan.out = {in.batch, window_.out_length(in.time), channels_};
  if (mode == Mode::training) {
    plan.scratch = plan.out.time * channels_;  // dz of one sample: no shorter one has more output frames
    if (activation_needs_input(activation_)) plan.saved = plan.out.size();
  }
  return plan;
}

template <class S>
double DepthwiseConv1D<S>::multiply_adds(Shape in) const {
  return static_cast<double>(window_.out_length(in.time)) * static_cast<double>(window_.size * channels_);
}

template <class S>
void DepthwiseConv1D<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y,
                                 const Frame<S>& f) const noexcept {
  const bool keep = f.mode == Mode::training && activation_needs_input(activation_);
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n);
    S* to = y.sample(b);
    if (out > 0) {
      slide(x.sample(b), n, channels_, window_.stride, window_.dilation, -window_.left(n), p[0], channels_,
            window_.size, use_bias_ ? p[1] : nullptr, to, out);
      if (keep) std::copy_n(to, out * channels_, f.saved + (to - y.data));
      activate(activation_, out, channels_, to);
    }
    zero_frames(y, b, out);
  }
}

template <class S>
void DepthwiseConv1D<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy,
                                  SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const bool saved_input = activation_needs_input(activation_);
  S* dz = f.scratch;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n);
    if (out > 0) {
      const Index at = y.sample(b) - y.data;
      finish_activation_backward(activation_, out, channels_, saved_input ? f.saved + at : nullptr, y.data + at,
                                 dy.data + at, dz, use_bias_ ? grads[1] : nullptr);
      kernel_gradient(x.sample(b), n, out, dz, grads[0]);
      if (dx.data != nullptr) input_gradient(dz, n, out, p[0], dx.sample(b));
    }
    if (dx.data != nullptr) zero_frames(dx, b, out > 0 ? n : 0);
  }
}

template <class S>
void DepthwiseConv1D<S>::kernel_gradient(const S* x, Index n, Index out, const S* dz, S* dw) const noexcept {
  const Index channels = channels_, left = window_.left(n), stride = window_.stride, dilation = window_.dilation,
              taps = window_.size;
  wide_loop([=]() SERENE_WIDE {
    for (Index j = 0; j < taps; ++j) {
      const Index start = j * dilation - left;
      const Inside o = inside(start, stride, out, n);
      if (o.first >= o.last) continue;
      add_row_products(o.last - o.first, channels, x + (start + o.first * stride) * channels, stride * channels,
                       dz + o.first * channels, channels, dw + j * channels);
    }
  });
}

template <class S>
void DepthwiseConv1D<S>::input_gradient(const S* dz, Index n, Index out, const S* kernel, S* dx) const noexcept {
  const Index channels = channels_, left = window_.left(n), stride = window_.stride, dilation = window_.dilation,
              taps = window_.size;
  if (stride == 1) {  // dx[t] = sum_j dz[t + left - j d] w[j]: the same walk with the kernel turned around
    slide(dz, out, channels, 1, dilation, left - (taps - 1) * dilation, kernel + (taps - 1) * channels, -channels, taps,
          static_cast<const S*>(nullptr), dx, n);
    return;
  }
  std::fill_n(dx, n * channels, S(0));
  wide_loop([=]() SERENE_WIDE {
    for (Index o = 0; o < out; ++o) {
      const Index begin = o * stride - left;
      const Inside j = inside(begin, dilation, taps, n);
      for (Index i = j.first; i < j.last; ++i)
        add_row_products(1, channels, dz + o * channels, 0, kernel + i * channels, 0,
                         dx + (begin + i * dilation) * channels);
    }
  });
}

template class DepthwiseConv1D<float>;
template class DepthwiseConv1D<double>;

}  // namespace serene
