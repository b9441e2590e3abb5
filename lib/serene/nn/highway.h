// Highway block (Srivastava, Greff, Schmidhuber: Training very deep networks, NeurIPS 2015): a learned gate mixes the
// input with what a chain of layers F makes of it. (B,T,C) -> (B,T,C)
//
//   h = F(x)      g = sigmoid(x W + b)      y = g h + (1 - g) x
//
// F keeps the shape: an LSTM of C units that returns its states makes a gated residual LSTM (Zhang et al.: Highway long
// short-term memory RNNs, ICASSP 2016). b starts at -1, so that the block begins near the identity.
//
// Gradients: dh = dy g, dg = dy (h - x);  dx = dy (1 - g) + F'(dh) + gate'(dg).
#pragma once

#include <string>
#include <vector>

#include "serene/nn/dense.h"
#include "serene/nn/layer_chain.h"

namespace serene {

// Parameters: those of F's parts, prefixed "<part name>.", then "gate.kernel" W (C,C) and "gate.bias" b (C).
template <class S>
class Highway final : public Layer<S> {
 public:
  // Throws Error(usage) when F is no chain (nn/layer_chain.h) or channels is below 1.
  Highway(Index channels, std::vector<NamedLayer<S>> parts);

  std::string type() const override { return "highway"; }
  std::string summary() const override { return inner_.summary() + ", gated"; }
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;  // throws Error(usage) when F changes shape or length
  std::vector<Index> sync_points(Pass pass) const override { return inner_.sync_points(pass); }
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;
  void commit(const Frame<S>& f, Params<S> params) const noexcept override;

  const std::vector<NamedLayer<S>>& parts() const noexcept { return inner_.parts(); }  // of F

 private:
  struct Layout;
  // Gradients of the gate; dx is then that through the gate.
  void backward_gate(Params<const S> p, SeqView<const S> x, SeqView<const S> dy, SeqView<S> dx, const Layout& at,
                     Params<S> grads) const noexcept;
  Params<const S> gate_params(Params<const S> p) const noexcept { return {p.base, p.offsets + gate_first_}; }

  Index channels_;
  LayerChain<S> inner_;  // F
  LayerSync sync_;       // of F
  Dense<S> gate_;
  int gate_first_;  // index of the gate's first parameter
};

extern template class Highway<float>;
extern template class Highway<double>;

}  // namespace serene
