// Residual block (He, Zhang, Ren, Sun: Deep residual learning for image recognition, CVPR 2016):  y = act(F(x) + P(x)).
//
// F is a chain of layers. P is the identity, or a convolution of width 1 where F changes the channels or strides over
// time, or a chain of layers given as the shortcut; act is an element-wise activation. Gradients: ds = act'(dy),
// dx = F'(ds) + P'(ds).
//
// Drop path (stochastic depth: Huang et al., Deep networks with stochastic depth, ECCV 2016; per sample and scaled as
// in Larsson et al., FractalNet, ICLR 2017): in training a sample goes without F with probability p,
//   y = act(k / (1 - p) F(x) + P(x)),   k = 0 with probability p, else 1;   in inference y = act(F(x) + P(x)).
// F is computed for every sample either way, so that batch statistics do not depend on k. k is a function of the sample
// (nn/sample_random.h) and of nothing else.
//
// Parameters are those of the parts, prefixed "<part name>.", then "shortcut." of P. The outputs of all parts live in
// `saved`, in both modes. Synchronisation points: those of F, then of P; in backward those of P come first.
#pragma once

#include "serene/nn/activation.h"
#include "serene/nn/layer_chain.h"

namespace serene {

template <class S>
class Residual final : public Layer<S> {
 public:
  // Throws Error(usage) when F is no chain (nn/layer_chain.h), does not take in_channels, drop_path is not within 0 to
  // below 1, or no projection fits F. shortcut: nullptr chooses the identity or a projection.
  Residual(Index in_channels, std::vector<NamedLayer<S>> parts, Activation activation = Activation::linear,
           LayerPtr<S> shortcut = nullptr, double drop_path = 0);

  std::string type() const override { return "residual"; }
  std::string summary() const override;
  std::vector<ParameterSpec> parameters() const override;
  // Throws Error(usage) when F(x) and P(x) differ in shape, or in valid frames for any length of x.
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index n) const override { return body_.out_length(n); }
  std::vector<Index> sync_points(Pass pass) const override;
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;
  void commit(const Frame<S>& f, Params<S> params) const noexcept override;

  const std::vector<NamedLayer<S>>& parts() const noexcept { return body_.parts(); }  // of F
  const LayerPtr<S>& shortcut() const noexcept { return shortcut_; }                  // nullptr: the identity
  const LayerPtr<S>& final_activation() const noexcept { return activation_; }        // nullptr: linear
  double drop_path() const noexcept { return drop_path_; }

 private:
  struct Layout;
  LayerPtr<S> make_shortcut(Index in_channels) const;
  bool suspends() const { return body_sync_.backward.points + shortcut_sync_.backward.points > 0; }
  void backward_begin(Params<const S> p, SeqView<const S> y, SeqView<const S> dy, const Layout& at,
                      Params<S> grads) const noexcept;
  bool drops(Mode mode) const { return mode == Mode::training && drop_path_ > 0; }
  void draw_branch_scales(Index batch, const Frame<S>& f, S* scales) const noexcept;
  Params<const S> shortcut_params(Params<const S> p) const noexcept { return {p.base, p.offsets + shortcut_first_}; }

  LayerChain<S> body_;  // F
  LayerPtr<S> shortcut_, activation_;
  LayerSync body_sync_, shortcut_sync_;
  double drop_path_;
  int shortcut_first_;  // index of the shortcut's first parameter
};

extern template class Residual<float>;
extern template class Residual<double>;

}  // namespace serene
