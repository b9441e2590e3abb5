// Residual block (He, Zhang, Ren, Sun: Deep residual learning for image recognition, CVPR 2016):  y = act(F(x) + P(x)).
//
// F is a chain of layers. P is the identity, or a convolution of width 1 where F changes the channels or strides over
// time; act is an element-wise activation. Gradients: ds = act'(dy), dx = F'(ds) + P'(ds).
//
// Parameters are those of the parts, prefixed "<part name>.", then "shortcut." of a projection. When a part couples the
// batch, so does the block. The outputs of all parts live in `saved`, in both modes.
#pragma once

#include <array>

#include "serene/nn/activation.h"
#include "serene/nn/model.h"
#include "serene/nn/slices.h"

namespace serene {

template <class S>
class Residual final : public Layer<S> {
 public:
  static constexpr std::size_t kMostParts = 16;

  // Throws Error(usage) when F is empty, longer than kMostParts, does not take in_channels, a part is missing, or F
  // changes the length of a sequence in another way than by a stride. shortcut: nullptr chooses the identity or a
  // projection.
  Residual(Index in_channels, std::vector<NamedLayer<S>> parts, Activation activation = Activation::linear,
           LayerPtr<S> shortcut = nullptr);

  std::string type() const override { return "residual"; }
  std::string summary() const override;
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;  // throws Error(usage) when F(x) and P(x) do not fit together
  Index out_length(Index n) const override;
  bool couples_batch(Mode mode) const override;
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;
  void commit(const Frame<S>& f, Params<S> params) const noexcept override;

  const std::vector<NamedLayer<S>>& parts() const noexcept { return parts_; }
  const LayerPtr<S>& shortcut() const noexcept { return shortcut_; }          // nullptr: the identity
  const LayerPtr<S>& final_activation() const noexcept { return activation_; }  // nullptr: linear

 private:
  // One inner layer at work.
  struct Stage {
    const Layer<S>* layer = nullptr;
    int first_parameter = 0;
    Plan plan;
    const S* packed = nullptr;
    S* saved = nullptr;
    S* out = nullptr;          // nullptr: y of the block itself
    Index* lengths = nullptr;  // out lengths, when the batch has lengths
    Index key = 0;
  };
  struct Layout;
  template <class F>
  void for_layers(F&& f) const;
  void check_parts() const;
  LayerPtr<S> make_shortcut(Index in_channels) const;

  std::vector<NamedLayer<S>> parts_;  // F
  LayerPtr<S> shortcut_, activation_;
  std::vector<int> first_parameters_;  // of F's parts, the shortcut, the activation
};

extern template class Residual<float>;
extern template class Residual<double>;

}  // namespace serene
