// Self-attention without weights (Vaswani et al., NeurIPS 2017, with q = k = v = x). x and y (B,T,C), L valid frames:
//
//   P (T,L) = softmax_rows(x x' / sqrt(C)) over the valid frames,  y = P x
//   dx = dS x + dS' x + P' dy,  dS = P (dP - rowsum(dP P)) / sqrt(C),  dP = dy x'
//
// Padded frames are never keys. They are queries only with mask_queries = false, as in Keras without a mask on the
// output: then y and dx of padded frames hold what attention gives for the padding of x.
#pragma once

#include "serene/nn/layer.h"

namespace serene {

struct SelfAttentionOptions {
  bool mask_queries = true;  // padded frames of y are zero
};

template <class S>
class SelfAttention final : public Layer<S> {
 public:
  explicit SelfAttention(SelfAttentionOptions options = {}) : options_(options) {}  // no parameters

  std::string type() const override { return "self_attention"; }
  std::string summary() const override {
    return options_.mask_queries ? "scaled dot product" : "scaled dot product, all queries";
  }
  Plan plan(Shape in, Mode mode) const override;  // throws Error(usage) when there are no channels
  double multiply_adds(Shape in) const override;

  // The weights of sample b after a forward pass in training mode: (T,T), rows are queries; zero for padded keys, and
  // for padded queries that are masked.
  static const S* weights(const Frame<S>& f, Shape in, Index b) { return f.saved + b * in.time * in.time; }

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

 private:
  SelfAttentionOptions options_;
};

extern template class SelfAttention<float>;
extern template class SelfAttention<double>;

}  // namespace serene
