#include "serene/io/onnx_layers.h"

#include <cmath>

#include "serene/core/error.h"
#include "serene/io/weight_order.h"
#include "serene/nn/batch_norm.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/conv2d.h"
#include "serene/nn/dense.h"
#include "serene/nn/depthwise_conv1d.h"
#include "serene/nn/dropout.h"
#include "serene/nn/gaussian_noise.h"
#include "serene/nn/highway.h"
#include "serene/nn/layer_norm.h"
#include "serene/nn/pooling.h"
#include "serene/nn/pooling2d.h"
#include "serene/nn/residual.h"
#include "serene/nn/squeeze_excitation.h"

namespace serene {
namespace {

using Attributes = std::vector<OnnxAttribute>;
using FloatParams = Params<const float>;

std::vector<Index> shape_of(const Layer<float>& layer, std::size_t i) { return layer.parameters()[i].shape; }

// A parameter in another order of its axes, as a constant of the graph.
std::string weights(OnnxGraph& g, const float* values, const std::vector<Index>& shape, const std::vector<int>& order) {
  std::vector<Index> new_shape;
  for (const int axis : order) new_shape.push_back(shape[static_cast<std::size_t>(axis)]);
  return g.constant("kernel", new_shape, values_at(values, transposed_places(shape, order)));
}

std::string vector_of(OnnxGraph& g, const char* name, const float* values, Index size) {
  return g.constant(name, {size}, std::span(values, static_cast<std::size_t>(size)));
}

// "same" is Keras' rule in both: ceil(n / stride) windows, the odd zero at the end. With a stride the zeros depend on
// the length, and SAME_UPPER leaves that to the runtime; not for dilated windows, see spread_out().
Attributes window_attributes(const Window& w) {
  Attributes a{{"kernel_shape", std::vector<Index>{w.size}}, {"strides", std::vector<Index>{w.stride}}};
  if (w.dilation > 1) a.push_back({"dilations", std::vector<Index>{w.dilation}});
  const Index around = w.extent() - 1;
  if (w.padding == Padding::causal) a.push_back({"pads", std::vector<Index>{around, 0}});
  if (w.padding == Padding::same && w.stride == 1)
    a.push_back({"pads", std::vector<Index>{around / 2, around - around / 2}});
  if (w.padding == Padding::same && w.stride > 1) a.push_back({"auto_pad", std::string("SAME_UPPER")});
  return a;
}

Attributes window_attributes(const Window2D& w) {
  Attributes a{{"kernel_shape", std::vector<Index>{w.time.size, w.frequency.size}},
               {"strides", std::vector<Index>{w.time.stride, w.frequency.stride}}};
  if (w.time.padding == Padding::same) a.push_back({"auto_pad", std::string("SAME_UPPER")});
  return a;
}

// A dilated, strided "same" window as a plain one with zeros between its taps.
std::vector<float> spread_out(Window& w, std::vector<Index>& shape, std::vector<float> kernel) {
  if (w.dilation == 1 || w.stride == 1 || w.padding != Padding::same) return kernel;
  const std::size_t row = static_cast<std::size_t>(shape[1] * shape[2]);
  std::vector<float> wide(static_cast<std::size_t>(w.extent()) * row, 0.0f);
  for (Index j = 0; j < w.size; ++j) {
    std::copy_n(kernel.begin() + j * static_cast<Index>(row), row,
                wide.begin() + j * w.dilation * static_cast<Index>(row));
  }
  shape[0] = w.extent();
  w.size = w.extent(), w.dilation = 1;
  return wide;
}

// Conv1D and DepthwiseConv1D: groups as many as channels, or one.
template <class Conv>
OnnxValue add_conv1d(OnnxGraph& g, const Conv& conv, FloatParams p, const OnnxValue& x, Index groups) {
  Window w = conv.window();
  std::vector<Index> shape = shape_of(conv, 0);
  const std::vector<float> kernel =
      spread_out(w, shape, std::vector<float>(p[0], p[0] + shape[0] * shape[1] * shape[2]));
  const bool depthwise = groups > 1;
  const Index filters = depthwise ? shape[1] : shape[2];
  const std::vector<int> order = depthwise ? std::vector<int>{1, 2, 0} : std::vector<int>{2, 1, 0};
  std::vector<std::string> inputs{in_axes(g, x, "bct").name, weights(g, kernel.data(), shape, order)};
  if (conv.use_bias()) inputs.push_back(vector_of(g, "bias", p[1], filters));
  Attributes attributes = window_attributes(w);
  if (depthwise) attributes.push_back({"group", groups});
  return onnx_activation(g, conv.activation(), OnnxValue{g.node("Conv", inputs, attributes), filters, "bct"});
}

// Frames (b,t,F M) as planes (b,M,t,F), and back.
std::string planes_of(OnnxGraph& g, const OnnxValue& x, const Grid& grid) {
  const std::string cells = g.node("Reshape", {in_axes(g, x, "btc").name, g.integers({0, 0, grid.bins, grid.maps})});
  return g.node("Transpose", {cells}, {{"perm", std::vector<Index>{0, 3, 1, 2}}});
}

OnnxValue frames_of(OnnxGraph& g, const std::string& planes, const Grid& grid, Activation activation) {
  std::string y = g.node("Transpose", {planes}, {{"perm", std::vector<Index>{0, 2, 3, 1}}});
  y = onnx_activation(g, activation, y, 3);
  return {g.node("Reshape", {y, g.integers({0, 0, grid.channels()})}), grid.channels()};
}

OnnxValue add_conv2d(OnnxGraph& g, const Conv2D<float>& conv, FloatParams p, const OnnxValue& x) {
  const Window2D w = conv.window();
  std::vector<std::string> inputs{planes_of(g, x, conv.in()), weights(g, p[0], shape_of(conv, 0), {3, 2, 0, 1})};
  if (conv.use_bias()) inputs.push_back(vector_of(g, "bias", p[1], conv.filters()));
  const Grid out{w.frequency.out_length(conv.in().bins), conv.filters()};
  return frames_of(g, g.node("Conv", inputs, window_attributes(w)), out, conv.activation());
}

const char* pool_operator(Pool kind) { return kind == Pool::max ? "MaxPool" : "AveragePool"; }

// With a stride beyond its size a "same" pooling may leave the last places of an axis unread. ONNX Runtime's poolings
// take that for padding below zero, so such places are cut off: behind (ceil(n / stride) - 1) stride + size.
std::string without_unread(OnnxGraph& g, const std::string& planes, const Window& w, Index axis) {
  if (w.padding != Padding::same || w.stride <= w.size) return planes;
  const std::string n = g.node("Shape", {planes}, {{"start", axis}, {"end", axis + 1}});
  const std::string windows = g.node("Div", {g.node("Sub", {n, g.integers({1})}), g.integers({w.stride})});
  const std::string end = g.node("Add", {g.node("Mul", {windows, g.integers({w.stride})}), g.integers({w.size})});
  return g.node("Slice", {planes, g.integers({0}), end, g.integers({axis})});
}

OnnxValue add_pooling2d(OnnxGraph& g, const Pooling2D<float>& pool, const OnnxValue& x) {
  const Window2D w = pool.window();
  std::string planes = without_unread(g, planes_of(g, x, pool.in()), w.time, 2);
  planes = without_unread(g, planes, w.frequency, 3);
  const std::string y = g.node(pool_operator(pool.kind()), {planes}, window_attributes(w));
  return frames_of(g, y, {w.frequency.out_length(pool.in().bins), pool.in().maps}, Activation::linear);
}

OnnxValue add_pooling1d(OnnxGraph& g, const Pooling1D<float>& pool, const OnnxValue& x) {
  const std::string planes = without_unread(g, in_axes(g, x, "bct").name, pool.window(), 2);
  return {g.node(pool_operator(pool.kind()), {planes}, window_attributes(pool.window())), x.channels, "bct"};
}

OnnxValue add_batch_norm(OnnxGraph& g, const BatchNorm<float>& norm, FloatParams p, const OnnxValue& x) {
  const Index maps = shape_of(norm, 0)[0];
  std::vector<float> scale, shift;
  for (Index c = 0; c < x.channels; ++c) {
    const Index m = c % maps;
    const double s = p[0][m] / std::sqrt(static_cast<double>(p[3][m]) + norm.epsilon());
    scale.push_back(static_cast<float>(s));
    shift.push_back(static_cast<float>(p[1][m] - s * p[2][m]));
  }
  return onnx_scale_shift(g, x, scale, shift);
}

OnnxValue add_layer_norm(OnnxGraph& g, const LayerNorm<float>& norm, FloatParams p, const OnnxValue& x) {
  const std::string gamma = vector_of(g, "gamma", p[0], x.channels), beta = vector_of(g, "beta", p[1], x.channels);
  const Attributes attributes{{"axis", Index{-1}}, {"epsilon", static_cast<float>(norm.epsilon())}};
  return {g.node("LayerNormalization", {in_axes(g, x, "btc").name, gamma, beta}, attributes), x.channels};
}

// Layers one behind the other; returns how many parameters they took.
int add_chain(OnnxGraph& g, const std::vector<NamedLayer<float>>& parts, FloatParams p, OnnxValue& x) {
  int first = 0;
  for (const NamedLayer<float>& part : parts) {
    x = add_onnx_layer(g, *part.layer, {p.base, p.offsets + first}, x);
    first += static_cast<int>(part.layer->parameters().size());
  }
  return first;
}

OnnxValue add_residual(OnnxGraph& g, const Residual<float>& block, FloatParams p, const OnnxValue& x) {
  OnnxValue along = x, beside = x;
  const int first = add_chain(g, block.parts(), p, along);
  if (block.shortcut() != nullptr) beside = add_onnx_layer(g, *block.shortcut(), {p.base, p.offsets + first}, x);
  OnnxValue sum{g.node("Add", {along.name, in_axes(g, beside, along.axes).name}), along.channels, along.axes};
  const auto* bend = dynamic_cast<const ActivationLayer<float>*>(block.final_activation().get());
  return bend == nullptr ? sum : onnx_activation(g, bend->activation(), sum);
}

// y = g h + (1 - g) x = x + g (h - x)
OnnxValue add_highway(OnnxGraph& g, const Highway<float>& block, FloatParams p, const OnnxValue& given) {
  const OnnxValue x = in_axes(g, given, "btc");
  OnnxValue h = x;
  const int first = add_chain(g, block.parts(), p, h);
  const OnnxValue gate = onnx_activation(g, Activation::sigmoid, onnx_linear(g, x, x.channels, p[first], p[first + 1]));
  const std::string change = g.node("Sub", {in_axes(g, h, "btc").name, x.name});
  return {g.node("Add", {x.name, g.node("Mul", {gate.name, change})}), x.channels};
}

OnnxValue add_squeeze_excitation(OnnxGraph& g, const SqueezeExcitation<float>& block, FloatParams p,
                                 const OnnxValue& given) {
  const OnnxValue x = in_axes(g, given, "btc");
  const Index units = shape_of(block, 1)[0];
  OnnxValue e = onnx_over_time(g, "ReduceMean", x);
  e = onnx_activation(g, Activation::relu, onnx_linear(g, e, units, p[0], p[1]));
  e = onnx_activation(g, Activation::sigmoid, onnx_linear(g, e, x.channels, p[2], p[3]));
  return {g.node("Mul", {x.name, e.name}), x.channels};
}

}  // namespace

OnnxValue add_onnx_layer(OnnxGraph& g, const Layer<float>& layer, FloatParams p, const OnnxValue& x) {
  const Layer<float>* const any = &layer;
  if (const auto* conv = dynamic_cast<const Conv1D<float>*>(any)) return add_conv1d(g, *conv, p, x, 1);
  if (const auto* conv = dynamic_cast<const DepthwiseConv1D<float>*>(any))
    return add_conv1d(g, *conv, p, x, x.channels);
  if (const auto* conv = dynamic_cast<const Conv2D<float>*>(any)) return add_conv2d(g, *conv, p, x);
  if (const auto* pool = dynamic_cast<const Pooling1D<float>*>(any)) return add_pooling1d(g, *pool, x);
  if (const auto* pool = dynamic_cast<const Pooling2D<float>*>(any)) return add_pooling2d(g, *pool, x);
  if (const auto* pool = dynamic_cast<const GlobalPooling1D<float>*>(any)) {
    return onnx_over_time(g, pool->kind() == Pool::max ? "ReduceMax" : "ReduceMean", x);
  }
  if (const auto* dense = dynamic_cast<const Dense<float>*>(any)) {
    const OnnxValue y = onnx_linear(g, x, shape_of(layer, 0)[1], p[0], dense->use_bias() ? p[1] : nullptr);
    return onnx_activation(g, dense->activation(), y);
  }
  if (const auto* norm = dynamic_cast<const BatchNorm<float>*>(any)) return add_batch_norm(g, *norm, p, x);
  if (const auto* norm = dynamic_cast<const LayerNorm<float>*>(any)) return add_layer_norm(g, *norm, p, x);
  if (const auto* bend = dynamic_cast<const ActivationLayer<float>*>(any)) {
    return onnx_activation(g, bend->activation(), x);
  }
  if (const auto* block = dynamic_cast<const Residual<float>*>(any)) return add_residual(g, *block, p, x);
  if (const auto* block = dynamic_cast<const Highway<float>*>(any)) return add_highway(g, *block, p, x);
  if (const auto* block = dynamic_cast<const SqueezeExcitation<float>*>(any)) {
    return add_squeeze_excitation(g, *block, p, x);
  }
  if (const auto* chain = dynamic_cast<const LayerChain<float>*>(any)) {
    OnnxValue y = x;
    add_chain(g, chain->parts(), p, y);
    return y;
  }
  const bool idle =
      dynamic_cast<const Dropout<float>*>(any) != nullptr || dynamic_cast<const GaussianNoise<float>*>(any) != nullptr;
  if (idle) return x;  // in a chain of one layer folding leaves them
  OnnxValue y;
  if (add_onnx_sequence_layer(g, layer, p, x, y)) return y;
  throw Error(ErrorCode::internal, "onnx", "no operators for a layer of type " + layer.type());
}

}  // namespace serene
