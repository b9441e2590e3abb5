// A model: a chain of named layers with one flat parameter vector. Immutable; any number of executors, threads and
// calls share one. Built from JSON by model_builder.h.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "serene/core/arena.h"
#include "serene/nn/layer.h"

namespace serene {

template <class S>
struct NamedLayer {
  std::string name;  // unique within the model
  LayerPtr<S> layer;
};

template <class S>
class Model {
 public:
  // input_channels: features per frame, F. Throws Error(usage) when names repeat, there is no layer, or a layer cannot
  // take the output of the one before.
  Model(std::vector<NamedLayer<S>> layers, Index input_channels);

  Index layer_count() const noexcept { return static_cast<Index>(layers_.size()); }  // of the chain
  // Layer i and its name, 0 <= i < layer_count().
  const Layer<S>& layer(Index i) const noexcept { return *layers_[static_cast<std::size_t>(i)].layer; }
  const std::vector<NamedLayer<S>>& layers() const noexcept { return layers_; }
  const std::string& name(Index i) const noexcept { return layers_[static_cast<std::size_t>(i)].name; }
  Index input_channels() const noexcept { return input_channels_; }
  Index output_channels() const noexcept { return output_channels_; }

  const ParameterLayout& layout() const noexcept { return layout_; }
  // Trainable scalars and all scalars, gaps of the layout left out.
  Index trainable_count() const noexcept;
  Index parameter_count() const noexcept;
  // The tensors of layer i inside the flat vector `values` (layout().size scalars).
  template <class T>
  Params<T> params(Index i, T* values) const noexcept {
    return {values, offsets_.data() + first_[static_cast<std::size_t>(i)]};
  }

  // Output shape of every layer for an input (batch, time, input_channels()).
  std::vector<Shape> shapes(Shape in) const;

 private:
  std::vector<NamedLayer<S>> layers_;
  Index input_channels_;
  Index output_channels_ = 0;
  ParameterLayout layout_;
  std::vector<Index> offsets_;  // of every tensor, layer after layer
  std::vector<Index> first_;    // where a layer's tensors begin in offsets_
};

extern template class Model<float>;
extern template class Model<double>;

}  // namespace serene
