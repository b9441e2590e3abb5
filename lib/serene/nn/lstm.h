// Long short-term memory (Hochreiter, Schmidhuber: Long short-term memory, Neural Computation 9, 1997; forget gate of
// Gers, Schmidhuber, Cummins 2000), with Keras' gates and layouts. x (B,T,C), y (B,T,U) or (B,1,U), kernel W (C,4U),
// recurrent R (U,4U), bias b (4U), columns in the order i,f,g,o.
//
//   i = sigmoid(x_t W_i + h_{t-1} R_i + b_i)        c_t = f c_{t-1} + i g
//   f = sigmoid(x_t W_f + h_{t-1} R_f + b_f)        h_t = o tanh(c_t)
//   g =    tanh(x_t W_g + h_{t-1} R_g + b_g)
//   o = sigmoid(x_t W_o + h_{t-1} R_o + b_o)
//
// Backward, with dh = dy_t + da_{t+1} R', dc = dc_{t+1} f_{t+1} + dh o (1 - tanh(c_t)^2), a = the sums inside the
// gates:
//   da_i = dc g i (1-i)    da_f = dc c_{t-1} f (1-f)    da_g = dc i (1-g^2)    da_o = dh tanh(c_t) o (1-o)
//   dW = sum x_t' da_t     dR = sum h_{t-1}' da_t       db = sum da_t          dx_t = da_t W'
//
// Speed: W meets all frames of the call in one product; R meets all samples of the call in one product per step; dW, dR
// and dx are products over all frames at once. What happens between the products is one kernel (recurrent_kernels.h).
#pragma once

#include "serene/nn/recurrent.h"

namespace serene {

// States of all samples of a call, each (B,U). A null pointer stands for zeros when read and for "not wanted" when
// written.
template <class S>
struct LstmState {
  S* h = nullptr;
  S* c = nullptr;
};

template <class S>
class Lstm final : public RecurrentLayer<S> {
 public:
  // Throws Error(usage) unless in_channels and units are positive.
  Lstm(Index in_channels, RecurrentOptions options);

  std::vector<ParameterSpec> parameters() const override;  // kernel, recurrent, bias
  Plan plan(Shape in, Mode mode) const override;

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override {
    forward_from(p, x, y, f, {}, {});
  }
  void backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override {
    backward_from(x, y, dy, dx, f, grads, {}, {});
  }

  // The same with a given initial state, and the state after each sample's last visited frame. `final` may be
  // `initial`.
  void forward_from(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f, LstmState<const S> initial,
                    LstmState<S> final) const noexcept;
  // d_final: gradient that reaches the final state directly; d_initial is overwritten.
  void backward_from(SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx, const Frame<S>& f,
                     Params<S> grads, LstmState<const S> d_final, LstmState<S> d_initial) const noexcept;

 private:
  using RecurrentLayer<S>::in_channels_;
  using RecurrentLayer<S>::options_;
  struct Saved;
  struct ForwardScratch;
  struct BackwardScratch;
};

extern template class Lstm<float>;
extern template class Lstm<double>;

}  // namespace serene
