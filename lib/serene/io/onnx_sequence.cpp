// Recurrent layers and attention as nodes of ONNX.
#include <cmath>

#include "serene/io/onnx_layers.h"
#include "serene/io/weight_order.h"
#include "serene/nn/attention.h"
#include "serene/nn/attention_pooling.h"
#include "serene/nn/bidirectional.h"
#include "serene/nn/multi_head_attention.h"

namespace serene {
namespace {

using FloatParams = Params<const float>;
using Recurrent = RecurrentLayer<float>;

// Weights of one or two directions one behind the other, in ONNX' order of the gates: i,o,f,c and z,r,h.
struct DirectionWeights {
  std::vector<float> kernel, recurrent, bias;

  void add(const Recurrent& layer, FloatParams p, Index channels) {
    const Index units = layer.options().units;
    const bool lstm = layer.type() == "lstm";
    const std::vector<int> order = lstm ? std::vector<int>{0, 3, 1, 2} : std::vector<int>{0, 1, 2};
    const auto gates = [&](const float* values, Index rows) {
      return values_at(values, gate_places(rows, units, order));
    };
    append(kernel, gates(p[0], channels));
    append(recurrent, gates(p[1], units));
    append(bias, gates(p[2], 1));
    // The second half is added beside the recurrent product: Keras' LSTM has none, the GRU's is row 1 of its bias.
    append(bias, lstm ? std::vector<float>(static_cast<std::size_t>(4 * units), 0.0f) : gates(p[2] + 3 * units, 1));
  }

 private:
  static void append(std::vector<float>& to, const std::vector<float>& values) {
    to.insert(to.end(), values.begin(), values.end());
  }
};

// LSTM or GRU: the states (time, directions, batch, units), or the last of each direction (directions, batch, units).
std::string add_recurrent_node(OnnxGraph& g, const Recurrent& layer, const DirectionWeights& w, const OnnxValue& x,
                               const std::string& direction) {
  const Index units = layer.options().units, directions = direction == "bidirectional" ? 2 : 1;
  const bool lstm = layer.type() == "lstm";
  const Index columns = (lstm ? 4 : 3) * units;
  const std::vector<std::string> inputs{in_axes(g, x, "tbc").name,
                                        g.constant("kernel", {directions, columns, x.channels}, w.kernel),
                                        g.constant("recurrent", {directions, columns, units}, w.recurrent),
                                        g.constant("bias", {directions, 2 * columns}, w.bias)};
  std::vector<OnnxAttribute> attributes{{"hidden_size", units}, {"direction", direction}};
  if (!lstm) attributes.push_back({"linear_before_reset", Index{1}});
  return g.node(lstm ? "LSTM" : "GRU", inputs, attributes, layer.options().return_sequences ? 0 : 1);
}

OnnxValue add_recurrent(OnnxGraph& g, const Recurrent& layer, FloatParams p, const OnnxValue& x) {
  DirectionWeights w;
  w.add(layer, p, x.channels);
  std::string y = add_recurrent_node(g, layer, w, x, layer.options().go_backwards ? "reverse" : "forward");
  // The last state (1, batch, units) reads as a sequence of one frame.
  if (layer.options().return_sequences) y = g.node("Squeeze", {y, g.integers({1})});
  return {y, layer.options().units, "tbc"};
}

OnnxValue add_bidirectional(OnnxGraph& g, const Bidirectional<float>& both, FloatParams p, const OnnxValue& x) {
  const auto& forward = static_cast<const Recurrent&>(both.forward_layer());
  const auto& backward = static_cast<const Recurrent&>(both.backward_layer());
  DirectionWeights w;
  w.add(forward, p, x.channels);
  w.add(backward, {p.base, p.offsets + forward.parameters().size()}, x.channels);
  const Index channels = 2 * forward.options().units;
  const std::string states = add_recurrent_node(g, forward, w, x, "bidirectional");
  const bool sequence = forward.options().return_sequences;
  const std::vector<Index> order = sequence ? std::vector<Index>{2, 0, 1, 3} : std::vector<Index>{1, 0, 2};
  const std::string by_sample = g.node("Transpose", {states}, {{"perm", order}});
  const std::string shape =
      g.integers(sequence ? std::vector<Index>{0, 0, channels} : std::vector<Index>{0, 1, channels});
  return {g.node("Reshape", {by_sample, shape}), channels};
}

// softmax over the keys of (queries keys' scale), times the values; the last two axes of each are (time, dimensions),
// those of `keys` (dimensions, time).
std::string attend(OnnxGraph& g, const std::string& queries, const std::string& keys, const std::string& values,
                   Index dimensions) {
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(dimensions)));
  const std::string scores = g.node("MatMul", {g.node("Mul", {queries, g.scalar(scale)}), keys});
  return g.node("MatMul", {g.node("Softmax", {scores}, {{"axis", Index{-1}}}), values});
}

OnnxValue add_self_attention(OnnxGraph& g, const OnnxValue& given) {
  const OnnxValue x = in_axes(g, given, "btc");
  return {attend(g, x.name, in_axes(g, x, "bct").name, x.name, x.channels), x.channels};
}

OnnxValue add_multi_head_attention(OnnxGraph& g, const MultiHeadAttention<float>& layer, FloatParams p,
                                   const OnnxValue& given) {
  const OnnxValue x = in_axes(g, given, "btc");
  const auto specs = layer.parameters();
  const bool bias = specs.size() == 8;
  const Index heads = specs[0].shape[1], dimensions = specs[0].shape[2], width = heads * dimensions;
  const auto kernel = [&](int part) { return p[bias ? 2 * part : part]; };
  const auto bias_of = [&](int part) { return bias ? p[2 * part + 1] : nullptr; };
  const auto project = [&](int part, const std::vector<Index>& order) {
    const std::string y = onnx_linear(g, x, width, kernel(part), bias_of(part)).name;
    return g.node("Transpose", {g.node("Reshape", {y, g.integers({0, 0, heads, dimensions})})}, {{"perm", order}});
  };
  const std::string queries = project(0, {0, 2, 1, 3}), keys = project(1, {0, 2, 3, 1});
  const std::string values = project(2, {0, 2, 1, 3});
  std::string a = attend(g, queries, keys, values, dimensions);
  a = g.node("Transpose", {a}, {{"perm", std::vector<Index>{0, 2, 1, 3}}});
  a = g.node("Reshape", {a, g.integers({0, 0, width})});
  return onnx_linear(g, {a, width}, x.channels, kernel(3), bias_of(3));
}

OnnxValue add_attention_pooling(OnnxGraph& g, const Layer<float>& layer, FloatParams p, const OnnxValue& given,
                                bool statistics) {
  const OnnxValue x = in_axes(g, given, "btc");
  const Index units = layer.parameters()[1].shape[0];
  const OnnxValue u = onnx_activation(g, Activation::tanh, onnx_linear(g, x, units, p[0], p[1]));
  const std::string scores = onnx_linear(g, u, 1, p[2], nullptr).name;
  const std::string a =
      g.node("Transpose", {g.node("Softmax", {scores}, {{"axis", Index{1}}})}, {{"perm", std::vector<Index>{0, 2, 1}}});
  const std::string mean = g.node("MatMul", {a, x.name});
  if (!statistics) return {mean, x.channels};
  constexpr float variance_floor = 1e-12f;  // as in nn/attention_pooling.cpp
  const std::string d = g.node("Sub", {x.name, mean});
  const std::string variance = g.node("MatMul", {a, g.node("Mul", {d, d})});
  const std::string deviation = g.node("Sqrt", {g.node("Max", {variance, g.scalar(variance_floor)})});
  return {g.node("Concat", {mean, deviation}, {{"axis", Index{2}}}), 2 * x.channels};
}

}  // namespace

bool add_onnx_sequence_layer(OnnxGraph& g, const Layer<float>& layer, FloatParams p, const OnnxValue& x, OnnxValue& y) {
  const Layer<float>* const any = &layer;
  if (const auto* recurrent = dynamic_cast<const Recurrent*>(any)) {
    y = add_recurrent(g, *recurrent, p, x);
  } else if (const auto* both = dynamic_cast<const Bidirectional<float>*>(any)) {
    y = add_bidirectional(g, *both, p, x);
  } else if (dynamic_cast<const SelfAttention<float>*>(any) != nullptr) {
    y = add_self_attention(g, x);
  } else if (const auto* heads = dynamic_cast<const MultiHeadAttention<float>*>(any)) {
    y = add_multi_head_attention(g, *heads, p, x);
  } else if (dynamic_cast<const AdditiveAttentionPooling<float>*>(any) != nullptr) {
    y = add_attention_pooling(g, layer, p, x, false);
  } else if (dynamic_cast<const AttentiveStatisticsPooling<float>*>(any) != nullptr) {
    y = add_attention_pooling(g, layer, p, x, true);
  } else {
    return false;
  }
  return true;
}

}  // namespace serene
