// Dense: y = a(x W + b) for every valid frame. (B,T,C) -> (B,T,U); vectors are (B,1,C).
//
// Gradients: dz = a'(z) dy, dW += x^T dz, db += sum dz, dx = dz W^T.
// Without padding the batch is one product; the same frame gives the same bits either way.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/activation.h"
#include "serene/nn/layer.h"

namespace serene {

// Parameters: kernel (C,U), bias (U) unless use_bias is false.
template <class S>
class Dense final : public Layer<S> {
 public:
  // Throws Error(usage) when a size is below 1.
  Dense(Index channels, Index units, Activation activation = Activation::linear, bool use_bias = true);

  std::string type() const override { return "dense"; }
  std::string summary() const override;
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  Activation activation() const noexcept { return activation_; }
  bool use_bias() const noexcept { return use_bias_; }

 private:
  struct BackwardScratch;
  Index channels_, units_;
  Activation activation_;
  bool use_bias_;
};

extern template class Dense<float>;
extern template class Dense<double>;

}  // namespace serene
