// Multi-head self-attention (Vaswani et al., NeurIPS 2017) with the layouts of Keras' MultiHeadAttention. x and y
// (B,T,D), H heads of K dimensions; for each head, with L valid frames as keys:
//
//   q = x Wq + bq,  k = x Wk + bk,  v = x Wv + bv        Wq, Wk, Wv (D,H,K), bq, bk, bv (H,K)
//   P = softmax_rows(q k' / sqrt(K)),  a = P v           (scaled_dot_product.h)
//   y = concat_heads(a) Wo + bo                          Wo (H,K,D), bo (D)
//
// Gradients as in scaled_dot_product.h; that of bk is zero, because softmax does not see it.
// Padded frames are never keys; they are queries only with mask_queries = false, as in Keras (see attention.h).
#pragma once

#include "serene/nn/layer.h"

namespace serene {

struct MultiHeadAttentionOptions {
  Index heads = 1;
  Index key_dim = 1;
  bool use_bias = true;
  bool mask_queries = true;
};

template <class S>
class MultiHeadAttention final : public Layer<S> {
 public:
  // Throws Error(usage) unless in_channels, heads and key_dim are positive.
  MultiHeadAttention(Index in_channels, MultiHeadAttentionOptions options);

  std::string type() const override { return "multi_head_attention"; }
  std::string summary() const override;
  // query_kernel, query_bias, key_kernel, key_bias, value_kernel, value_bias, output_kernel, output_bias; without
  // biases four.
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;

  // The weights of one head of sample b after a forward pass in training mode: (T,T), rows are queries; zero for padded
  // keys, and for padded queries that are masked.
  const S* weights(const Frame<S>& f, Shape in, Index b, Index head) const {
    return f.saved + (b * options_.heads + head) * in.time * in.time;
  }

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

 private:
  template <class T>
  struct Packed;
  struct Rows;
  struct BackwardScratch;
  enum Part { query, key, value, output };
  int kernel(Part part) const { return options_.use_bias ? 2 * part : part; }
  int bias(Part part) const { return 2 * part + 1; }
  Index width() const { return options_.heads * options_.key_dim; }
  SeqView<const S> query_view(SeqView<const S> x) const {
    return {x.data, x.shape, options_.mask_queries ? x.lengths : nullptr};
  }
  // Rows and columns of a part's kernel.
  Index rows_of(Part part) const { return part == output ? width() : in_channels_; }
  Index columns_of(Part part) const { return part == output ? in_channels_ : width(); }
  void project(Params<const S> p, Part part, SeqView<const S> x, S* y, const Frame<S>& f) const noexcept;
  void project_backward(Part part, SeqView<const S> x, const S* dy, S* dx, bool add, const BackwardScratch& s,
                        const Frame<S>& f, Params<S> grads) const noexcept;

  Index in_channels_;
  MultiHeadAttentionOptions options_;
};

extern template class MultiHeadAttention<float>;
extern template class MultiHeadAttention<double>;

}  // namespace serene
