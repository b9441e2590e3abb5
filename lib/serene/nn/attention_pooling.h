// Attention that removes time. x (B,T,C), L valid frames, A attention units, W (C,A), b (A), v (A):
//
//   u_t = tanh(x_t W + b),  e_t = u_t . v,  a = softmax over the L frames of e
//
//   AdditiveAttentionPooling     y (B,1,C)  = mu = sum a_t x_t
//       (Bahdanau et al., ICLR 2015; Mirsamadi et al., ICASSP 2017)
//   AttentiveStatisticsPooling   y (B,1,2C) = concat(mu, sigma)
//       (Okabe, Koshinaka, Shinoda, Interspeech 2018)
//       sigma = sqrt(max(var, 1e-12)),  var = sum a_t (x_t - mu)^2, channel by channel
//
// Backward, with g = dL/dmu and w = dL/dvar = dL/dsigma / (2 sigma), 0 where the floor holds (var does not change with
// mu to first order, because sum a_t (x_t - mu) = 0):
//   da_t = g . x_t + w . (x_t - mu)^2      de = a (da - sum a da)      dz_t = de_t v (1 - u_t^2)
//   dx_t = a_t (g + 2 w (x_t - mu)) + dz_t W'      dW = sum x_t' dz_t      db = sum dz_t      dv = sum de_t u_t
//
// A sample without valid frames gives zeros.
#pragma once

#include "serene/nn/layer.h"

namespace serene {

// Both poolings; use one of the two classes below. Parameters: W, b, v.
template <class S>
class AttentionPooling : public Layer<S> {
 public:
  std::string summary() const override { return std::to_string(units_) + " attention units"; }
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index) const override { return 1; }
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;

  // a (B,T) after a forward pass in training mode; zero for padded frames.
  static const S* weights(const Frame<S>& f) { return f.saved; }

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

 protected:
  // Throws Error(usage) unless in_channels and units are positive.
  AttentionPooling(Index in_channels, Index units, bool statistics);

 private:
  struct Rows;
  struct BackwardScratch;
  void pool_backward(SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx, const Rows& rows,
                     const BackwardScratch& s) const noexcept;

  Index in_channels_, units_;
  bool statistics_;
};

template <class S>
class AdditiveAttentionPooling final : public AttentionPooling<S> {
 public:
  // Throws Error(usage) unless both sizes are positive.
  AdditiveAttentionPooling(Index in_channels, Index units) : AttentionPooling<S>(in_channels, units, false) {}
  std::string type() const override { return "additive_attention_pooling"; }
};

template <class S>
class AttentiveStatisticsPooling final : public AttentionPooling<S> {
 public:
  // Throws Error(usage) unless both sizes are positive.
  AttentiveStatisticsPooling(Index in_channels, Index units) : AttentionPooling<S>(in_channels, units, true) {}
  std::string type() const override { return "attentive_statistics_pooling"; }
};

extern template class AttentionPooling<float>;
extern template class AttentionPooling<double>;

}  // namespace serene
