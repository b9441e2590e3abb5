// Gated recurrent unit (Cho et al., EMNLP 2014) in the form of Keras and cuDNN that applies the reset gate after the
// recurrent product (reset_after). x (B,T,C), y (B,T,U) or (B,1,U), kernel W (C,3U), recurrent R (U,3U), bias (2,3U):
// row 0 is b, row 1 is d; columns in the order z,r,n.
//
//   z = sigmoid(x_t W_z + b_z + h_{t-1} R_z + d_z)        q = h_{t-1} R_n + d_n
//   r = sigmoid(x_t W_r + b_r + h_{t-1} R_r + d_r)        n = tanh(x_t W_n + b_n + r q)
//   h_t = z h_{t-1} + (1 - z) n
//
// Backward, with e = gradients of the sums with W, s = those of the sums with R, dh = dy_t + dh_{t+1} z_{t+1} + s_{t+1}
// R':
//   e_z = s_z = dh (h_{t-1} - n) z (1-z)     e_n = dh (1-z) (1-n^2)     s_n = e_n r     e_r = s_r = e_n q r (1-r)
//   dW = sum x_t' e_t    dR = sum h_{t-1}' s_t    db = sum e_t    dd = sum s_t    dx_t = e_t W'
#pragma once

#include "serene/nn/recurrent.h"

namespace serene {

template <class S>
class Gru final : public RecurrentLayer<S> {
 public:
  // Throws Error(usage) unless in_channels and units are positive.
  Gru(Index in_channels, RecurrentOptions options);

  std::vector<ParameterSpec> parameters() const override;  // kernel, recurrent, bias
  Plan plan(Shape in, Mode mode) const override;

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

 private:
  using RecurrentLayer<S>::in_channels_;
  using RecurrentLayer<S>::options_;
  struct Saved;
  struct ForwardScratch;
  struct BackwardScratch;
};

extern template class Gru<float>;
extern template class Gru<double>;

}  // namespace serene
