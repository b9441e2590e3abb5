// Depthwise convolution over time: every channel with a kernel of its own (Keras' DepthwiseConv1D with a depth
// multiplier of 1; the first half of a separable convolution: Chollet, Xception, CVPR 2017).
//
//   y[o,c] = a(b[c] + sum_j x[o s + j d - left, c] w[j,c])       (B,T,C) -> (B,T',C); see window.h for T' and left
//
// Gradients, with dz = a'(z) dy:
//   dw[j,c] += sum_o x[o s + j d - left, c] dz[o,c]     db[c] += sum_o dz[o,c]
//   dx[t,c]  = sum over all (o, j) with o s + j d - left = t of dz[o,c] w[j,c]
//
// The geometry of a sample follows from its own length, so padding never shows. Frames beyond the ends of a sample are
// left out of the sums instead of being copied in as zeros. There is no matrix product here: all precisions are the
// full one.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/activation.h"
#include "serene/nn/layer.h"
#include "serene/nn/window.h"

namespace serene {

// Parameters: kernel (k,C,1), bias (C) unless use_bias is false. The kernel starts as one of k inputs and k outputs
// (Keras counts the inputs of all channels, which makes the first outputs all but vanish).
template <class S>
class DepthwiseConv1D final : public Layer<S> {
 public:
  // Throws Error(usage) for sizes out of range.
  DepthwiseConv1D(Index channels, Window window, Activation activation = Activation::linear, bool use_bias = true);

  std::string type() const override { return "depthwise_conv1d"; }
  std::string summary() const override;
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index n) const override { return window_.out_length(n); }
  double multiply_adds(Shape in) const override;
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  const Window& window() const noexcept { return window_; }
  Activation activation() const noexcept { return activation_; }
  bool use_bias() const noexcept { return use_bias_; }

 private:
  void kernel_gradient(const S* x, Index n, Index out, const S* dz, S* dw) const noexcept;
  void input_gradient(const S* dz, Index n, Index out, const S* kernel, S* dx) const noexcept;

  Index channels_;
  Window window_;
  Activation activation_;
  bool use_bias_;
};

extern template class DepthwiseConv1D<float>;
extern template class DepthwiseConv1D<double>;

}  // namespace serene
