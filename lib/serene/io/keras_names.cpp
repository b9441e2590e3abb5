#include "serene/io/keras_names.h"

#include <algorithm>
#include <map>
#include <set>

#include "serene/core/error.h"
#include "serene/core/json.h"
#include "serene/nn/bidirectional.h"

namespace serene {
namespace {

using Path = std::vector<std::string>;

// serene's type, Keras' class in snake case, and our parameters in the order of Keras' "vars".
struct KerasLayer {
  const char* type;
  const char* keras;
  std::vector<std::string> parameters;
};

const KerasLayer* keras_layer(const std::string& type) {
  static const std::vector<KerasLayer> table = {
      {"dense", "dense", {"kernel", "bias"}},
      {"conv1d", "conv1d", {"kernel", "bias"}},
      {"conv2d", "conv2d", {"kernel", "bias"}},
      {"depthwise_conv1d", "depthwise_conv1d", {"kernel", "bias"}},
      {"separable_conv1d", "separable_conv1d", {"depthwise.kernel", "pointwise.kernel", "pointwise.bias"}},
      {"lstm", "lstm", {"kernel", "recurrent", "bias"}},
      {"gru", "gru", {"kernel", "recurrent", "bias"}},
      {"bidirectional", "bidirectional", {"kernel", "recurrent", "bias"}},
      {"batch_norm", "batch_normalization", {"gamma", "beta", "moving_mean", "moving_variance"}},
      {"layer_norm", "layer_normalization", {"gamma", "beta"}},
      {"multi_head_attention", "multi_head_attention", {"kernel", "bias"}}};
  const auto found = std::find_if(table.begin(), table.end(), [&](const KerasLayer& k) { return k.type == type; });
  return found == table.end() ? nullptr : &*found;
}

Path parts_of(const std::string& path) {
  Path parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at) parts.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

bool holds(const Path& path, const std::string& part) {
  return std::find(path.begin(), path.end(), part) != path.end();
}

// A dataset: the layer whose it is, and where below it it stands.
struct Dataset {
  std::string full;  // its path in the file
  std::string layer;
  Path below;
};

// Everything in the file that is a weight.
std::vector<Dataset> datasets_of(const SafeTensors& arrays) {
  std::vector<Dataset> list;
  for (const std::string& name : arrays.names()) {
    Path path = parts_of(name);
    const std::string root = path.empty() ? "" : path.front();
    if (root.starts_with("optimizer") || holds(path, "seed_generator")) continue;
    if (root == "layers" || root == "model_weights") path.erase(path.begin());
    if (path.size() < 2) throw Error(ErrorCode::input, printable(name), "a dataset outside of all layers");
    list.push_back({name, path.front(), Path(path.begin() + 1, path.end())});
  }
  return list;
}

// Which half of a bidirectional layer, or which projection of an attention, the path leads into: "fw_", "query_".
// The legacy names end in the variable's, its layer's and so on stand before it; Keras 3 has names of attributes.
std::string prefix_of(const std::string& type, const Path& below) {
  for (std::size_t i = below.size() - 1; i-- > 0;) {  // from the end: a layer may itself be called "forward_..."
    std::string part = below[i];
    if (part.starts_with("_")) part.erase(0, 1);
    if (type == "bidirectional" && part.starts_with("forward_")) return "fw_";
    if (type == "bidirectional" && part.starts_with("backward_")) return "bw_";
    if (type != "multi_head_attention") continue;
    for (const char* which : {"query", "key", "value"}) {
      if (part == which || part == std::string(which) + "_dense") return std::string(which) + "_";
    }
    if (part == "attention_output" || part == "output_dense") return "output_";
  }
  return "";
}

// serene's name of a parameter for what the file calls "kernel:0" or "vars/0"; "" when there is none.
std::string parameter_of(const std::string& type, const Path& below) {
  const KerasLayer& known = *keras_layer(type);
  std::string name = below.back();
  if (name.ends_with(":0")) name.resize(name.size() - 2);
  const std::string prefix = prefix_of(type, below);
  if (below.size() >= 2 && below[below.size() - 2] == "vars") {
    const bool digit = name.size() == 1 && name[0] >= '0' && name[0] <= '9';
    const auto place = digit ? static_cast<std::size_t>(name[0] - '0') : known.parameters.size();
    return place < known.parameters.size() ? prefix + known.parameters[place] : "";
  }
  static const std::map<std::string, std::string> legacy = {{"recurrent_kernel", "recurrent"},
                                                            {"depthwise_kernel", "kernel"}};
  static const std::map<std::string, std::string> separable = {
      {"depthwise_kernel", "depthwise.kernel"}, {"pointwise_kernel", "pointwise.kernel"}, {"bias", "pointwise.bias"}};
  const auto& renamed = type == "separable_conv1d" ? separable : legacy;
  const auto found = renamed.find(name);
  return prefix + (found == renamed.end() ? name : found->second);
}

// What the file calls each layer that has weights: its own name, or its class and how many came before.
std::vector<std::string> layer_names(const Model<float>& model, const std::set<std::string>& in_file) {
  std::vector<std::string> own, counted;
  std::map<std::string, int> count;
  for (const NamedLayer<float>& l : model.layers()) {
    const KerasLayer* known = keras_layer(l.layer->type());
    const bool weights = !l.layer->parameters().empty();
    if (weights && known == nullptr) {
      throw Error(ErrorCode::input, l.name, "Keras has no layer of type " + l.layer->type());
    }
    own.push_back(weights ? l.name : "");
    const int before = known != nullptr ? count[known->keras]++ : 0;
    counted.push_back(!weights ? "" : known->keras + (before > 0 ? "_" + std::to_string(before) : ""));
  }
  const auto all_there = [&](const std::vector<std::string>& names) {
    return std::all_of(names.begin(), names.end(),
                       [&](const std::string& n) { return n.empty() || in_file.count(n) != 0; });
  };
  return !all_there(own) && all_there(counted) ? counted : own;
}

// One layer's parameters from its datasets.
void read_layer(const SafeTensors& arrays, const Model<float>& model, Index layer, const std::vector<Dataset>& datasets,
                std::vector<float>& params) {
  const std::string& name = model.name(layer);
  std::map<std::string, const Dataset*> by_parameter;
  for (const Dataset& d : datasets) {
    const std::string parameter = parameter_of(model.layer(layer).type(), d.below);
    if (!by_parameter.emplace(parameter, &d).second) {
      throw Error(ErrorCode::input, name, "two tensors for " + printable(parameter)).got(printable(d.full));
    }
  }
  const Index* offsets = model.params<const float>(layer, nullptr).offsets;
  for (const ParameterSpec& spec : model.layer(layer).parameters()) {
    const auto found = by_parameter.find(spec.name);
    if (found == by_parameter.end()) throw Error(ErrorCode::input, name, "the file has no " + spec.name + " for it");
    const std::string& full = found->second->full;
    if (arrays.info(full).shape != spec.shape) {
      throw Error(ErrorCode::input, name, "wrong shape of " + spec.name)
          .expected(Json(spec.shape).dump())
          .got(Json(arrays.info(full).shape).dump());
    }
    const auto values = arrays.get<float>(full);
    std::copy(values.begin(), values.end(), params.begin() + *offsets++);
    by_parameter.erase(found);
  }
  if (by_parameter.empty()) return;
  throw Error(ErrorCode::input, name, "a tensor that the layer does not have")
      .got(printable(by_parameter.begin()->second->full));
}

}  // namespace

std::vector<float> params_from_keras(const SafeTensors& arrays, const Model<float>& model) {
  std::map<std::string, std::vector<Dataset>> by_layer;
  for (Dataset& d : datasets_of(arrays)) by_layer[d.layer].push_back(std::move(d));
  std::set<std::string> in_file;
  for (const auto& [name, datasets] : by_layer) in_file.insert(name);
  const std::vector<std::string> names = layer_names(model, in_file);
  std::vector<float> params(static_cast<std::size_t>(model.layout().size), 0.0f);
  for (Index i = 0; i < model.layer_count(); ++i) {
    const std::string& name = names[static_cast<std::size_t>(i)];
    if (name.empty()) continue;
    const auto found = by_layer.find(name);
    if (found == by_layer.end()) throw Error(ErrorCode::input, model.name(i), "the file has no such layer");
    read_layer(arrays, model, i, found->second, params);
    by_layer.erase(found);
  }
  if (!by_layer.empty()) {
    throw Error(ErrorCode::input, printable(by_layer.begin()->first), "a layer that the model does not have");
  }
  return params;
}

}  // namespace serene
