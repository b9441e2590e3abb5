#include "serene/io/torch_names.h"

#include <set>

#include "serene/core/error.h"
#include "serene/core/json.h"
#include "serene/io/weight_order.h"
#include "serene/nn/bidirectional.h"
#include "serene/nn/highway.h"
#include "serene/nn/residual.h"

namespace serene {
namespace {

// Walks the layers and collects their tensors.
class TorchNames {
 public:
  // offsets: of the layer's parameters in the flat vector. prefix: "conv1." or "block.conv.".
  void add(const Layer<float>& layer, const std::string& prefix, const Index* offsets);

  std::vector<TorchTensor> tensors;

 private:
  using Order = std::vector<int>;

  // A parameter with its axes in another order and, if given, another shape.
  void transposed(const std::string& name, std::vector<Index> shape, const Order& order, Index offset) {
    std::vector<Index> new_shape;
    for (const int axis : order) new_shape.push_back(shape[static_cast<std::size_t>(axis)]);
    push(name, new_shape, transposed_places(shape, order), offset);
  }
  void vector(const std::string& name, Index size, Index offset) { transposed(name, {size}, {0}, offset); }
  // Linear(rows, columns) from a kernel (rows, columns) and, with_bias, the parameter behind it.
  void linear(const std::string& prefix, Index rows, Index columns, bool with_bias, const Index* offsets) {
    transposed(prefix + "weight", {rows, columns}, {1, 0}, offsets[0]);
    if (with_bias) vector(prefix + "bias", columns, offsets[1]);
  }
  void push(const std::string& name, std::vector<Index> shape, std::vector<Index> places, Index offset,
            bool added = false) {
    for (Index& place : places) place += offset;
    tensors.push_back({name, std::move(shape), std::move(places), added});
  }

  int chain(const std::vector<NamedLayer<float>>& parts, const std::string& prefix, const Index* offsets);
  void recurrent(const RecurrentLayer<float>& layer, const std::string& prefix, const std::string& suffix,
                 const Index* offsets);
  bool block(const Layer<float>& layer, const std::string& prefix, const Index* offsets);
  void attention_heads(const Layer<float>& layer, const std::string& prefix, const Index* offsets);
};

int TorchNames::chain(const std::vector<NamedLayer<float>>& parts, const std::string& prefix, const Index* offsets) {
  int first = 0;
  for (const NamedLayer<float>& part : parts) {
    add(*part.layer, prefix + part.name + ".", offsets + first);
    first += static_cast<int>(part.layer->parameters().size());
  }
  return first;
}

void TorchNames::recurrent(const RecurrentLayer<float>& layer, const std::string& prefix, const std::string& suffix,
                           const Index* offsets) {
  const bool lstm = layer.type() == "lstm";
  const Order order = lstm ? Order{0, 1, 2, 3} : Order{1, 0, 2};
  const Index inputs = layer.parameters()[0].shape[0], units = layer.options().units;
  const Index columns = units * static_cast<Index>(order.size());
  const auto bias = gate_places(1, units, order);
  push(prefix + "weight_ih_l0" + suffix, {columns, inputs}, gate_places(inputs, units, order), offsets[0]);
  push(prefix + "weight_hh_l0" + suffix, {columns, units}, gate_places(units, units, order), offsets[1]);
  push(prefix + "bias_ih_l0" + suffix, {columns}, bias, offsets[2]);
  push(prefix + "bias_hh_l0" + suffix, {columns}, bias, offsets[2] + (lstm ? 0 : columns), lstm);
}

void TorchNames::attention_heads(const Layer<float>& layer, const std::string& prefix, const Index* offsets) {
  const auto specs = layer.parameters();
  const bool bias = specs.size() == 8;
  const Index channels = specs[0].shape[0], width = specs[0].shape[1] * specs[0].shape[2];
  const char* const parts[] = {"query.", "key.", "value.", "output."};
  for (int part = 0; part < 4; ++part) {
    const Index rows = part == 3 ? width : channels, columns = part == 3 ? channels : width;
    linear(prefix + parts[part], rows, columns, bias, offsets + (bias ? 2 * part : part));
  }
}

// Layers that hold others; false for one that does not.
bool TorchNames::block(const Layer<float>& layer, const std::string& prefix, const Index* offsets) {
  if (const auto* inner = dynamic_cast<const LayerChain<float>*>(&layer)) {
    chain(inner->parts(), prefix, offsets);
  } else if (const auto* residual = dynamic_cast<const Residual<float>*>(&layer)) {
    const int first = chain(residual->parts(), prefix, offsets);
    if (residual->shortcut() != nullptr) add(*residual->shortcut(), prefix + "shortcut.", offsets + first);
  } else if (const auto* highway = dynamic_cast<const Highway<float>*>(&layer)) {
    const int first = chain(highway->parts(), prefix, offsets);
    const Index channels = layer.parameters()[static_cast<std::size_t>(first)].shape[0];
    linear(prefix + "gate.", channels, channels, true, offsets + first);
  } else if (const auto* both = dynamic_cast<const Bidirectional<float>*>(&layer)) {
    const auto& forward = static_cast<const RecurrentLayer<float>&>(both->forward_layer());
    recurrent(forward, prefix, "", offsets);
    recurrent(static_cast<const RecurrentLayer<float>&>(both->backward_layer()), prefix, "_reverse",
              offsets + forward.parameters().size());
  } else {
    return false;
  }
  return true;
}

void TorchNames::add(const Layer<float>& layer, const std::string& prefix, const Index* offsets) {
  const auto specs = layer.parameters();
  if (specs.empty() || block(layer, prefix, offsets)) return;
  const std::string type = layer.type();
  const auto& shape = specs[0].shape;
  const bool bias = specs.size() > 1;
  const auto convolution = [&](const Order& order) {
    transposed(prefix + "weight", shape, order, offsets[0]);
    if (bias) vector(prefix + "bias", specs[1].shape[0], offsets[1]);
  };
  if (type == "dense") return linear(prefix, shape[0], shape[1], bias, offsets);
  if (type == "conv1d") return convolution({2, 1, 0});
  if (type == "depthwise_conv1d") return convolution({1, 2, 0});
  if (type == "conv2d") return convolution({3, 2, 0, 1});
  if (type == "lstm" || type == "gru") {
    return recurrent(static_cast<const RecurrentLayer<float>&>(layer), prefix, "", offsets);
  }
  if (type == "multi_head_attention") return attention_heads(layer, prefix, offsets);
  if (type == "batch_norm" || type == "layer_norm") {
    const char* const names[] = {"weight", "bias", "running_mean", "running_var"};
    for (std::size_t i = 0; i < specs.size(); ++i) vector(prefix + names[i], shape[0], offsets[i]);
    return;
  }
  if (type.ends_with("_pooling")) {
    linear(prefix + "attention.", shape[0], shape[1], true, offsets);
    return linear(prefix + "score.", shape[1], 1, false, offsets + 2);
  }
  if (type == "squeeze_excitation") {
    linear(prefix + "reduce.", shape[0], shape[1], true, offsets);
    return linear(prefix + "expand.", shape[1], shape[0], true, offsets + 2);
  }
  throw Error(ErrorCode::internal, prefix, "no PyTorch names for a layer of type " + type);
}

}  // namespace

std::vector<TorchTensor> torch_tensors(const Model<float>& model) {
  TorchNames names;
  for (Index i = 0; i < model.layer_count(); ++i) {
    names.add(model.layer(i), model.name(i) + ".", model.params<const float>(i, nullptr).offsets);
  }
  return std::move(names.tensors);
}

void add_torch_tensors(const Model<float>& model, std::span<const float> params, SafeTensorsWriter& out) {
  for (const TorchTensor& t : torch_tensors(model)) {
    const auto values = t.added ? std::vector<float>(t.places.size(), 0.0f) : values_at(params.data(), t.places);
    out.add(t.name, t.shape, std::span<const float>(values));
  }
}

std::vector<float> params_from_torch(const SafeTensors& file, const Model<float>& model) {
  const auto names = file.names();
  std::set<std::string> unread(names.begin(), names.end());
  std::vector<float> params(static_cast<std::size_t>(model.layout().size), 0.0f);
  for (const TorchTensor& t : torch_tensors(model)) {
    if (!file.has(t.name)) throw Error(ErrorCode::input, t.name, "the file lacks this tensor of the model");
    if (file.info(t.name).shape != t.shape) {
      throw Error(ErrorCode::input, t.name, "wrong shape")
          .expected(Json(t.shape).dump())
          .got(Json(file.info(t.name).shape).dump());
    }
    const auto values = file.get<float>(t.name);
    for (std::size_t i = 0; i < values.size(); ++i) {
      float& to = params[static_cast<std::size_t>(t.places[i])];
      if (!t.added) to = values[i];
      else if (values[i] != 0) to += values[i];  // a zero leaves every bit, that of -0 too
    }
    unread.erase(t.name);
  }
  std::erase_if(unread, [](const std::string& name) { return name.ends_with(".num_batches_tracked"); });
  if (!unread.empty())
    throw Error(ErrorCode::input, printable(*unread.begin()), "a tensor that the model does not have");
  return params;
}

}  // namespace serene
