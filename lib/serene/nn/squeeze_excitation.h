// Squeeze and excitation (Hu, Shen, Sun: Squeeze-and-excitation networks, CVPR 2018): scales every channel of a sample
// by a number between 0 and 1 that all channels together decide. (B,T,C) -> (B,T,C), L valid frames, U units:
//
//   m = (1/L) sum_t x_t      e = sigmoid(relu(m W1 + b1) W2 + b2)      y_t = x_t e
//
// Gradients: de = sum_t dy_t x_t, then dm by the two dense layers;  dx_t = dy_t e + dm / L.
// A sample without valid frames gives zeros.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/layer_chain.h"
#include "serene/nn/pooling.h"

namespace serene {

// Parameters: "reduce.kernel" W1 (C,U), "reduce.bias" b1 (U), "expand.kernel" W2 (U,C), "expand.bias" b2 (C).
template <class S>
class SqueezeExcitation final : public Layer<S> {
 public:
  // Throws Error(usage) unless both sizes are positive.
  SqueezeExcitation(Index channels, Index units);

  std::string type() const override { return "squeeze_excitation"; }
  std::string summary() const override { return std::to_string(units_) + " units"; }
  std::vector<ParameterSpec> parameters() const override { return excite_.parameters(); }
  Plan plan(Shape in, Mode mode) const override;
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override { return excite_.packed_weights_size(packing); }
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override {
    excite_.pack_weights(p, packing, packed);
  }
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

 private:
  struct Saved;
  struct Scratch;

  Index channels_, units_;
  GlobalPooling1D<S> squeeze_;
  LayerChain<S> excite_;  // over (B,1,C)
};

extern template class SqueezeExcitation<float>;
extern template class SqueezeExcitation<double>;

}  // namespace serene
