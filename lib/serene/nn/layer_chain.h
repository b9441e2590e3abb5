// Layers one behind the other, as one layer: y = f_n(... f_2(f_1(x))). What residual and highway blocks, squeeze and
// excitation and separable convolutions are made of. (B,T,C) -> the last layer's output.
//
// Parameters are those of the parts, prefixed "<part name>.". The outputs between the parts live in `saved`, in both
// modes; their gradients too when a part has synchronisation points, else in scratch. Part i draws its random numbers
// under the key (key of the chain + 1) 1024 + i, so that no two layers of a model share numbers.
#pragma once

#include <array>

#include "serene/nn/layer.h"
#include "serene/nn/model.h"
#include "serene/nn/phases.h"

namespace serene {

// Spreads the keys inside a block away from those of the layers of a model, which count from 0. place < 1024.
constexpr std::uint64_t inner_key(std::uint64_t outer, std::uint64_t place) { return (outer + 1) * 1024 + place; }

template <class S>
class LayerChain final : public Layer<S> {
 public:
  static constexpr std::size_t kMostParts = 16;

  // type: what type() says and errors name. Throws Error(usage) when there is no part, more than kMostParts, or one is
  // missing.
  explicit LayerChain(std::vector<NamedLayer<S>> parts, std::string type = "chain");

  std::string type() const override { return type_; }
  std::string summary() const override;  // "conv1d > batch_norm"
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index n) const override;
  std::vector<Index> sync_points(Pass pass) const override;
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;
  void commit(const Frame<S>& f, Params<S> params) const noexcept override;

  const std::vector<NamedLayer<S>>& parts() const noexcept { return parts_; }

 private:
  // One part at work.
  struct Stage {
    const Layer<S>* layer = nullptr;
    int first_parameter = 0;
    Plan plan;
    const S* packed = nullptr;
    S* saved = nullptr;
    S* out = nullptr;          // nullptr for the last part: y of the chain
    Index* lengths = nullptr;  // valid frames of `out`, when the batch has lengths
  };
  struct Layout;

  std::vector<NamedLayer<S>> parts_;
  std::vector<int> first_parameters_;
  std::vector<LayerSync> sync_;  // of the parts
  bool suspends_ = false;        // a part has points in backward
  std::string type_;
};

extern template class LayerChain<float>;
extern template class LayerChain<double>;

}  // namespace serene
