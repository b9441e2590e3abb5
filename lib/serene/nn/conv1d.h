// Conv1D (cross-correlation over time): y[o] = a(b + sum_j x[o s + j d - left] W[j]). (B,T,C) -> (B,T',F); see
// window.h.
//
// The geometry of a sample follows from its own length, so padding never shows. A sample is copied once between zero
// frames; for d = 1 the windows of k C scalars are overlapping rows of that copy, s C apart, and the layer is one
// matrix product:
//   Z (T',F) = A (T', kC) W (kC, F),  dW += A^T dZ,
//   dx = one product of overlapping rows of dZ with the kernel flipped in time and transposed (s = d = 1),
//   else dx[o s + j d - left] += (dZ W^T)[o, j].
// For d > 1, Z is the sum of k products.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/activation.h"
#include "serene/nn/layer.h"
#include "serene/nn/window.h"

namespace serene {

// Parameters: kernel (k,C,F), bias (F) unless use_bias is false.
template <class S>
class Conv1D final : public Layer<S> {
 public:
  // Throws Error(usage) for sizes out of range.
  Conv1D(Index channels, Index filters, Window window, Activation activation = Activation::linear,
         bool use_bias = true);

  std::string type() const override { return "conv1d"; }
  std::string summary() const override;
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index n) const override { return window_.out_length(n); }
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  const Window& window() const noexcept { return window_; }
  Activation activation() const noexcept { return activation_; }
  bool use_bias() const noexcept { return use_bias_; }

 private:
  template <class T>
  struct Packed;
  struct Scratch;
  const S* padded_input(const S* x, Index n, Index out, S* rows) const noexcept;
  void pack_input_gradient(const S* kernel, const Packing& packing, const Packed<S>& to) const noexcept;
  void input_gradient(S* dz, Index n, Index out, const S* packed, S* columns, S* dx) const noexcept;

  // Products of a forward pass, and the rows of the kernel that each of them takes.
  Index pieces() const { return window_.dilation == 1 ? 1 : window_.size; }
  Index piece_rows() const { return window_.size * channels_ / pieces(); }
  // dx is one product (else: a product and a scattering sum).
  bool dense_windows() const { return window_.stride == 1 && window_.dilation == 1; }

  Index channels_, filters_;
  Window window_;
  Activation activation_;
  bool use_bias_;
};

extern template class Conv1D<float>;
extern template class Conv1D<double>;

}  // namespace serene
