// Whole models and batches for the tests of model, builder and executor.
#pragma once

#include <limits>
#include <string>
#include <vector>

#include "serene/core/json.h"
#include "serene/core/random.h"
#include "serene/core/types.h"
#include "serene/nn/init.h"
#include "serene/nn/model.h"

namespace serene::test {

inline Json model_strong_graph() {
  return read_json_file(std::string(SERENE_SOURCE_DIR) + "/configs/model_strong.json").at("model");
}

// A graph that holds every layer type of the builder but the other ways to end a sequence; `ending` is one of those.
inline Json every_layer_graph(const std::string& ending) {
  Json graph = parse_json(R"({"layers": [
    {"type": "max_pooling2d", "name": "tallest", "pool_size": [2, 2], "strides": 1, "padding": "same"},
    {"type": "conv2d", "name": "plane", "filters": 3, "kernel_size": [3, 2], "padding": "same", "activation": "tanh"},
    {"type": "batch_norm", "name": "maps", "channels": 3},
    {"type": "average_pooling2d", "name": "smooth", "pool_size": 2, "strides": 1},
    {"type": "conv1d", "name": "conv", "filters": 6, "kernel_size": 3, "padding": "same", "activation": "gelu"},
    {"type": "spatial_dropout1d", "name": "channels_out", "rate": 0.3},
    {"type": "residual", "name": "block", "activation": "elu", "layers": [
      {"type": "conv1d", "name": "wide", "filters": 8, "kernel_size": 3, "padding": "same"},
      {"type": "batch_norm", "name": "norm"},
      {"type": "activation", "name": "bend", "activation": "swish"}]},
    {"type": "average_pooling1d", "name": "halve", "pool_size": 2, "strides": 2, "padding": "same"},
    {"type": "layer_norm", "name": "norm"},
    {"type": "gaussian_noise", "name": "hiss", "stddev": 0.2},
    {"type": "depthwise_conv1d", "name": "each", "kernel_size": 3, "padding": "same"},
    {"type": "residual", "name": "drop", "drop_path": 0.2, "shortcut": [
        {"type": "conv1d", "name": "beside", "filters": 6, "kernel_size": 1, "activation": "tanh"},
        {"type": "dropout", "name": "thin", "rate": 0.2}], "layers": [
      {"type": "separable_conv1d", "name": "both", "filters": 6, "kernel_size": 3, "padding": "same"},
      {"type": "squeeze_excitation", "name": "weigh", "reduction": 2}]},
    {"type": "separable_conv1d", "name": "halves", "filters": 6, "kernel_size": 3, "padding": "same",
     "activation": "relu"},
    {"type": "squeeze_excitation", "name": "weigh", "units": 2},
    {"type": "highway", "name": "gated", "layers": [
      {"type": "lstm", "name": "lstm", "units": 6, "return_sequences": true}]},
    {"type": "multi_head_attention", "name": "heads", "num_heads": 2, "key_dim": 3},
    {"type": "bidirectional", "name": "both", "layer": {"type": "lstm", "units": 3, "return_sequences": true}},
    {"type": "max_pooling1d", "name": "largest", "pool_size": 2, "strides": 1, "padding": "same"},
    {"type": "gru", "name": "gru", "units": 5, "return_sequences": true},
    {"type": "self_attention", "name": "look"},
    {"type": "bidirectional", "name": "both_gru", "layer": {"type": "gru", "units": 2, "return_sequences": true}},
    {"type": "lstm", "name": "lstm", "units": 5, "return_sequences": true}]})",
                          "every layer");
  Json& layers = graph["layers"];
  if (ending.starts_with("a")) {  // the two attention poolings
    layers.push_back({{"type", ending}, {"name", "end"}, {"units", 4}});
  } else if (ending == "gru") {
    layers.push_back({{"type", "gru"}, {"name", "end"}, {"units", 4}, {"return_sequences", false}});
  } else {
    layers.push_back({{"type", ending}, {"name", "end"}});
  }
  layers.push_back({{"type", "dense"}, {"name", "mix"}, {"units", 6}, {"activation", "leaky_relu"}});
  layers.push_back({{"type", "batch_norm"}, {"name", "whole_batch"}});
  layers.push_back({{"type", "dropout"}, {"name", "out"}, {"rate", 0.25}});
  layers.push_back({{"type", "dense"}, {"name", "logits"}, {"units", "classes"}});
  return graph;
}

inline const std::vector<std::string>& endings() {
  static const std::vector<std::string> all = {"global_average_pooling1d", "global_max_pooling1d",
                                               "additive_attention_pooling", "attentive_statistics_pooling", "gru"};
  return all;
}

// Normal values in the valid frames, which depend on (seed, sample, frame) but not on the batch's time; `padding`
// elsewhere.
template <class S>
struct TestBatch {
  Shape shape;
  std::vector<Index> lengths;
  std::vector<S> x;

  TestBatch(std::uint64_t seed, Index time, Index channels, std::vector<Index> valid,
            S padding = std::numeric_limits<S>::quiet_NaN())
      : shape{static_cast<Index>(valid.size()), time, channels},
        lengths(std::move(valid)),
        x(static_cast<std::size_t>(shape.size()), padding) {
    for (Index b = 0; b < shape.batch; ++b) {
      Random random(seed, Purpose::test, static_cast<std::uint64_t>(b));
      S* row = x.data() + b * time * channels;
      for (Index i = 0; i < lengths[static_cast<std::size_t>(b)] * channels; ++i)
        row[i] = static_cast<S>(random.normal());
    }
  }
  SeqView<const S> view() const { return {x.data(), shape, lengths.data()}; }
};

// Initialised weights, with biases, gammas and moving statistics moved away from their trivial starts.
template <class S>
std::vector<S> test_params(const Model<S>& model, std::uint64_t seed) {
  std::vector<S> params(static_cast<std::size_t>(model.layout().size));
  initialize<S>(model.layout(), seed, params.data());
  for (std::size_t i = 0; i < model.layout().entries.size(); ++i) {
    const ParameterEntry& e = model.layout().entries[i];
    if (e.spec.init != Init::zeros && e.spec.init != Init::ones) continue;
    Random random(seed, Purpose::test, 1000 + i);
    for (Index k = 0; k < e.spec.size(); ++k)
      params[static_cast<std::size_t>(e.offset + k)] += static_cast<S>(random.uniform(-0.2, 0.2));
  }
  return params;
}

template <class S>
std::vector<S> normal_vector(std::uint64_t seed, Index n) {
  Random random(seed, Purpose::test, 7);
  std::vector<S> v(static_cast<std::size_t>(n));
  for (S& value : v) value = static_cast<S>(random.normal());
  return v;
}

}  // namespace serene::test
