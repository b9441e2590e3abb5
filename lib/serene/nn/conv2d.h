// Conv2D (cross-correlation over time and frequency) of frames that are grids (nn/grid.h): (B,T,F M) -> (B,T',F' N)
//
//   y[t,f,n] = a(b[n] + sum_ijm x[t s + i - left, f r + j - left_f, m] W[i,j,m,n])      s, r: strides
//
// with Keras' window rules on both axes (window.h); along time they follow from the sample's own length, so padding
// never shows. A sample is copied once between zeros (not at all where no window leaves it). The windows of one frame
// of that plane are overlapping rows of J M scalars (J: width of the kernel), r M apart, so the layer is one product
// for each of the I times of the kernel, without im2col:
//   Z = sum_i A_i (.,JM) W_i (JM,N),  dW_i += A_i^T dZ,
//   dx = the same correlation over dZ between zeros with the kernel turned around (with strides, dZ spread out by
//   them).
// Neighbouring frames share the zeros between them, so that dW_i takes many frames in one product.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/activation.h"
#include "serene/nn/grid.h"
#include "serene/nn/layer.h"

namespace serene {

// Parameters: kernel (I,J,M,N), bias (N) unless use_bias is false.
template <class S>
class Conv2D final : public Layer<S> {
 public:
  // Throws Error(usage) for sizes out of range, causal or dilated windows, or a kernel wider than the frequencies.
  Conv2D(Grid in, Index filters, Window2D window, Activation activation = Activation::linear, bool use_bias = true);

  std::string type() const override { return "conv2d"; }
  std::string summary() const override;
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index n) const override { return time_.out_length(n); }
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  Grid in() const noexcept { return in_; }
  Index filters() const noexcept { return filters_; }
  Window2D window() const noexcept { return {time_, frequency_}; }  // along time and frequency
  Activation activation() const noexcept { return activation_; }
  bool use_bias() const noexcept { return use_bias_; }

 private:
  template <class T>
  struct Packed;
  struct Scratch;
  const S* padded_input(const S* x, Index n, Index out, S* plane) const noexcept;
  void add_kernel_gradient(const S* plane, const S* dz, Index out, const Scratch& s, Precision precision,
                           S* grad) const noexcept;
  void spread(const S* dz, Index n, Index out, S* plane) const noexcept;
  void input_gradient(const S* plane, Index n, const Packed<const S>& packed, S* dx) const noexcept;

  // Rows of one piece of the kernel: the products of forward take them one time after the other.
  Index piece_rows() const { return frequency_.size * in_.maps; }
  bool strided() const { return time_.stride > 1 || frequency_.stride > 1; }
  // Zero frames and bins in front of dZ in its plane.
  Index back_frames(Index n) const { return time_.size - 1 - time_.left(n); }
  Index back_bins() const { return frequency_.size - 1 - left_; }
  // Scalars of the plane of dZ for n frames of x.
  Index back_size(Index n) const { return ((n + time_.size - 1) * back_width_ + back_bins()) * filters_; }
  // Frames of dZ that one product for dW takes.
  Index block_frames() const;

  Grid in_;
  Index filters_;
  Window time_, frequency_;
  Activation activation_;
  bool use_bias_;
  Index out_bins_, left_;     // left_: zero bins in front of a frame
  Index width_, back_width_;  // bins of a frame in the planes of x and of dZ
};

extern template class Conv2D<float>;
extern template class Conv2D<double>;

}  // namespace serene
