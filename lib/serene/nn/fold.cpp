#include "serene/nn/fold.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <utility>

#include "serene/nn/batch_norm.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/conv2d.h"
#include "serene/nn/dense.h"
#include "serene/nn/depthwise_conv1d.h"
#include "serene/nn/dropout.h"
#include "serene/nn/gaussian_noise.h"
#include "serene/nn/highway.h"
#include "serene/nn/residual.h"

namespace serene {
namespace {

// Values of one parameter: those of the model until they change.
template <class S>
class Tensor {
 public:
  Tensor(const S* values, Index size) : from_(values), size_(size) {}
  explicit Tensor(std::vector<double> values) : size_(static_cast<Index>(values.size())), changed_(std::move(values)) {}

  double at(Index i) const {
    return changed_.empty() ? static_cast<double>(from_[i]) : changed_[static_cast<std::size_t>(i)];
  }
  Index size() const { return size_; }
  std::vector<double>& change() {
    if (changed_.empty()) changed_.assign(from_, from_ + size_);
    return changed_;
  }
  bool changed() const { return !changed_.empty(); }
  const S* place() const { return from_; }
  void write(S* to) const {
    if (!changed()) std::copy_n(from_, size_, to);  // to may overlap: it is never behind from_
    for (const double value : changed_) *to++ = static_cast<S>(value);
  }

 private:
  const S* from_ = nullptr;
  Index size_;
  std::vector<double> changed_;
};

// A layer on its way into the folded model, with its parameters in the layer's own order.
template <class S>
struct Link {
  std::string name;
  LayerPtr<S> layer;
  std::vector<Tensor<S>> tensors;
};

template <class S>
using Chain = std::vector<Link<S>>;

// A dense or convolution layer: y = a(sum of rows of x times kernel (rows, outputs) + bias).
struct Linear {
  Index inputs, outputs;
  Activation activation;
  bool bias;
  bool pads;                // some products take zeros from beyond the ends
  bool grid = false;        // several vectors of outputs in a frame
  bool by_channel = false;  // output c takes input c alone, with column c of the kernel
};

template <class S>
std::optional<Linear> linear_of(const Layer<S>& layer) {
  if (const auto* dense = dynamic_cast<const Dense<S>*>(&layer)) {
    const auto kernel = layer.parameters()[0].shape;
    return Linear{kernel[0], kernel[1], dense->activation(), dense->use_bias(), false};
  }
  if (const auto* conv = dynamic_cast<const Conv1D<S>*>(&layer)) {
    const auto kernel = layer.parameters()[0].shape;
    const bool pads = conv->window().padding != Padding::valid;
    return Linear{kernel[1], kernel[2], conv->activation(), conv->use_bias(), pads};
  }
  if (const auto* conv = dynamic_cast<const Conv2D<S>*>(&layer)) {
    const Window2D w = conv->window();
    const bool pads = w.time.padding != Padding::valid || w.frequency.padding != Padding::valid;
    return Linear{conv->in().maps, conv->filters(), conv->activation(), conv->use_bias(), pads, true};
  }
  if (const auto* conv = dynamic_cast<const DepthwiseConv1D<S>*>(&layer)) {
    const Index channels = layer.parameters()[0].shape[1];
    const bool pads = conv->window().padding != Padding::valid;
    return Linear{channels, channels, conv->activation(), conv->use_bias(), pads, false, true};
  }
  return std::nullopt;
}

template <class S>
LayerPtr<S> remade(const Layer<S>& layer, const Linear& l) {
  if (const auto* conv = dynamic_cast<const Conv1D<S>*>(&layer)) {
    return std::make_shared<Conv1D<S>>(l.inputs, l.outputs, conv->window(), l.activation, l.bias);
  }
  if (const auto* conv = dynamic_cast<const Conv2D<S>*>(&layer)) {
    return std::make_shared<Conv2D<S>>(conv->in(), l.outputs, conv->window(), l.activation, l.bias);
  }
  if (const auto* conv = dynamic_cast<const DepthwiseConv1D<S>*>(&layer)) {
    return std::make_shared<DepthwiseConv1D<S>>(l.inputs, conv->window(), l.activation, l.bias);
  }
  return std::make_shared<Dense<S>>(l.inputs, l.outputs, l.activation, l.bias);
}

// Kernel and bias, to be changed; a layer without a bias gets one.
template <class S>
std::pair<std::vector<double>&, std::vector<double>&> open_linear(Link<S>& link, Linear l) {
  if (!l.bias) {
    l.bias = true;
    link.layer = remade(*link.layer, l);
    link.tensors.emplace_back(std::vector<double>(static_cast<std::size_t>(l.outputs)));
  }
  return {link.tensors[0].change(), link.tensors[1].change()};
}

// One pair for each statistic of a batch norm; channel c of a frame takes that of c % size.
struct ScaleShift {
  std::vector<double> scale, shift;

  bool divides(Index channels) const { return channels % static_cast<Index>(scale.size()) == 0; }
};

template <class S>
ScaleShift scale_shift_of(const Link<S>& link) {
  const double epsilon = static_cast<const BatchNorm<S>&>(*link.layer).epsilon();
  const Tensor<S>&gamma = link.tensors[0], &beta = link.tensors[1], &mean = link.tensors[2],
        &variance = link.tensors[3];
  ScaleShift out;
  for (Index c = 0; c < gamma.size(); ++c) {
    out.scale.push_back(gamma.at(c) / std::sqrt(variance.at(c) + epsilon));
    out.shift.push_back(beta.at(c) - out.scale.back() * mean.at(c));
  }
  return out;
}

template <class S>
void fold_into_outputs(Link<S>& link, const Linear& l, const ScaleShift& norm) {
  auto [kernel, bias] = open_linear(link, l);
  const auto outputs = static_cast<std::size_t>(l.outputs), maps = norm.scale.size();
  for (std::size_t i = 0; i < kernel.size(); ++i) kernel[i] *= norm.scale[i % outputs % maps];
  for (std::size_t o = 0; o < outputs; ++o) bias[o] = bias[o] * norm.scale[o % maps] + norm.shift[o % maps];
}

template <class S>
void fold_into_inputs(Link<S>& link, const Linear& l, const ScaleShift& norm) {
  auto [kernel, bias] = open_linear(link, l);
  const auto inputs = static_cast<std::size_t>(l.inputs), outputs = static_cast<std::size_t>(l.outputs);
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const std::size_t c = (l.by_channel ? i % outputs : i / outputs % inputs) % norm.scale.size();
    bias[i % outputs] += norm.shift[c] * kernel[i];
    kernel[i] *= norm.scale[c];
  }
}

template <class S>
bool has_effect(const Layer<S>& layer) {
  if (dynamic_cast<const Dropout<S>*>(&layer) != nullptr) return false;
  if (dynamic_cast<const GaussianNoise<S>*>(&layer) != nullptr) return false;
  const auto* bend = dynamic_cast<const ActivationLayer<S>*>(&layer);
  return bend == nullptr || bend->activation() != Activation::linear;
}

template <class S>
void drop_idle_layers(Chain<S>& chain) {
  for (std::size_t i = 0; i < chain.size();) {
    if (has_effect(*chain[i].layer) || chain.size() == 1) {
      ++i;
    } else {
      chain.erase(chain.begin() + static_cast<Index>(i));
    }
  }
}

template <class S>
void fold_norms(Chain<S>& chain) {
  for (std::size_t i = 0; i < chain.size();) {
    bool folded = false;
    if (dynamic_cast<const BatchNorm<S>*>(chain[i].layer.get()) != nullptr) {
      const auto before = i > 0 ? linear_of(*chain[i - 1].layer) : std::nullopt;
      const auto after = i + 1 < chain.size() ? linear_of(*chain[i + 1].layer) : std::nullopt;
      const ScaleShift norm = scale_shift_of(chain[i]);
      if (before && before->activation == Activation::linear && norm.divides(before->outputs)) {
        fold_into_outputs(chain[i - 1], *before, norm);
        folded = true;
      } else if (after && !after->pads && norm.divides(after->inputs)) {
        fold_into_inputs(chain[i + 1], *after, norm);
        folded = true;
      }
    }
    if (folded) {
      chain.erase(chain.begin() + static_cast<Index>(i));
    } else {
      ++i;
    }
  }
}

template <class S>
void join_activations(Chain<S>& chain) {
  for (std::size_t i = 1; i < chain.size();) {
    const auto* bend = dynamic_cast<const ActivationLayer<S>*>(chain[i].layer.get());
    auto before = linear_of(*chain[i - 1].layer);
    const bool over_frame =
        bend != nullptr && (bend->activation() == Activation::softmax || bend->activation() == Activation::log_softmax);
    if (bend == nullptr || !before || before->activation != Activation::linear || (before->grid && over_frame)) {
      ++i;
      continue;
    }
    before->activation = bend->activation();
    chain[i - 1].layer = remade(*chain[i - 1].layer, *before);
    chain.erase(chain.begin() + static_cast<Index>(i));
  }
}

template <class S>
void fold_chain(Chain<S>& chain, Index input_channels);

// The parts of a block as links named "<prefix><part>"; takes their tensors from the front of `tensors`.
template <class S>
Chain<S> links_of(const std::vector<NamedLayer<S>>& parts, const std::string& prefix, std::vector<Tensor<S>>& tensors) {
  Chain<S> chain;
  for (const NamedLayer<S>& part : parts) {
    const auto end = tensors.begin() + static_cast<Index>(part.layer->parameters().size());
    chain.push_back(
        {prefix + part.name, part.layer, {std::make_move_iterator(tensors.begin()), std::make_move_iterator(end)}});
    tensors.erase(tensors.begin(), end);
  }
  return chain;
}

// Folds the parts of a block, whose tensors move from the front of `tensors` to the end of `folded`.
template <class S>
std::vector<NamedLayer<S>> fold_parts(const std::vector<NamedLayer<S>>& parts, Index input_channels,
                                      std::vector<Tensor<S>>& tensors, std::vector<Tensor<S>>& folded) {
  Chain<S> chain = links_of(parts, "", tensors);
  fold_chain(chain, input_channels);
  std::vector<NamedLayer<S>> layers;
  for (Link<S>& link : chain) {
    layers.push_back({link.name, link.layer});
    std::move(link.tensors.begin(), link.tensors.end(), std::back_inserter(folded));
  }
  return layers;
}

// A block's parameters are those of its parts, one after the other, then those of its shortcut or gate.
template <class S>
void fold_block(Link<S>& link, Index input_channels) {
  const LayerPtr<S> layer = link.layer;
  std::vector<Tensor<S>> folded;
  if (const auto* block = dynamic_cast<const Residual<S>*>(layer.get())) {
    auto parts = fold_parts(block->parts(), input_channels, link.tensors, folded);
    LayerPtr<S> shortcut = block->shortcut();
    if (const auto* chain = dynamic_cast<const LayerChain<S>*>(shortcut.get())) {
      auto beside = fold_parts(chain->parts(), input_channels, link.tensors, folded);
      shortcut = std::make_shared<LayerChain<S>>(std::move(beside), chain->type());
    }
    const auto* bend = dynamic_cast<const ActivationLayer<S>*>(block->final_activation().get());
    link.layer = std::make_shared<Residual<S>>(input_channels, std::move(parts),
                                               bend != nullptr ? bend->activation() : Activation::linear, shortcut);
  } else if (const auto* highway = dynamic_cast<const Highway<S>*>(layer.get())) {
    auto parts = fold_parts(highway->parts(), input_channels, link.tensors, folded);
    link.layer = std::make_shared<Highway<S>>(input_channels, std::move(parts));
  } else {
    return;
  }
  std::move(link.tensors.begin(), link.tensors.end(), std::back_inserter(folded));
  link.tensors = std::move(folded);
}

// A chain inside a chain becomes its parts, so that they meet their neighbours.
template <class S>
void open_chains(Chain<S>& chain) {
  for (std::size_t i = 0; i < chain.size();) {
    const LayerPtr<S> layer = chain[i].layer;
    const auto* inner = dynamic_cast<const LayerChain<S>*>(layer.get());
    if (inner == nullptr) {
      ++i;
      continue;
    }
    Chain<S> links = links_of(inner->parts(), chain[i].name + ".", chain[i].tensors);
    const auto at = chain.erase(chain.begin() + static_cast<Index>(i));
    chain.insert(at, std::make_move_iterator(links.begin()), std::make_move_iterator(links.end()));
  }
}

template <class S>
void fold_chain(Chain<S>& chain, Index input_channels) {
  constexpr Index frames = 1 << 14;  // as the builder's probe: no sensible chain runs out of them
  Shape shape{1, frames, input_channels};
  open_chains(chain);
  for (Link<S>& link : chain) {
    const Shape in = shape;
    shape = link.layer->plan(in, Mode::inference).out;
    fold_block(link, in.channels);
  }
  drop_idle_layers(chain);
  fold_norms(chain);
  join_activations(chain);
}

// The tensors in the order of `layout`. Layers that vanish make room, so what has not changed mostly moves towards the
// front of `params`; only added biases can need more than that.
template <class S>
std::vector<S> laid_out(const ParameterLayout& layout, const std::vector<const Tensor<S>*>& tensors,
                        std::vector<S> params) {
  bool fits = static_cast<std::size_t>(layout.size) <= params.size();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    fits = fits && (tensors[i]->changed() || layout.entries[i].offset <= tensors[i]->place() - params.data());
  }
  std::vector<S> fresh(fits ? 0 : static_cast<std::size_t>(layout.size));
  S* const to = fits ? params.data() : fresh.data();
  for (const bool changed : {false, true}) {  // first what has to be read from where it may be written
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i]->changed() == changed) tensors[i]->write(to + layout.entries[i].offset);
    }
  }
  if (!fits) return fresh;
  params.resize(static_cast<std::size_t>(layout.size));
  for (std::size_t i = 0; i < tensors.size(); ++i) {  // gaps hold zeros
    const Index end = i + 1 < tensors.size() ? layout.entries[i + 1].offset : layout.size;
    std::fill(params.begin() + layout.entries[i].offset + tensors[i]->size(), params.begin() + end, S{0});
  }
  return params;
}

}  // namespace

template <class S>
Folded<S> fold(const Model<S>& model, std::vector<S> params) {
  if (static_cast<Index>(params.size()) != model.layout().size) {
    throw Error(ErrorCode::internal, "fold", "parameters of another model")
        .expected(std::to_string(model.layout().size))
        .got(std::to_string(params.size()));
  }
  Chain<S> chain;
  for (const NamedLayer<S>& layer : model.layers()) chain.push_back({layer.name, layer.layer, {}});
  for (const ParameterEntry& e : model.layout().entries) {
    chain[static_cast<std::size_t>(e.layer)].tensors.emplace_back(params.data() + e.offset, e.spec.size());
  }
  fold_chain(chain, model.input_channels());
  std::vector<NamedLayer<S>> layers;
  for (const Link<S>& link : chain) layers.push_back({link.name, link.layer});
  Folded<S> out{Model<S>(std::move(layers), model.input_channels()), {}};
  std::vector<const Tensor<S>*> tensors;
  for (const Link<S>& link : chain) {
    for (const Tensor<S>& tensor : link.tensors) tensors.push_back(&tensor);
  }
  out.params = laid_out(out.model.layout(), tensors, std::move(params));
  return out;
}

template Folded<float> fold(const Model<float>&, std::vector<float>);
template Folded<double> fold(const Model<double>&, std::vector<double>);

}  // namespace serene
