#include "serene/io/onnx_ops.h"

#include <cmath>
#include <numbers>

namespace serene {
namespace {

std::string swish(OnnxGraph& g, const std::string& x) { return g.node("Mul", {x, g.node("Sigmoid", {x})}); }

// x (1 + s) / 2
std::string half_gated(OnnxGraph& g, const std::string& x, const std::string& s) {
  return g.node("Mul", {g.node("Mul", {x, g.scalar(0.5f)}), g.node("Add", {s, g.scalar(1)})});
}

std::string gelu(OnnxGraph& g, const std::string& x) {
  const float inverse_root = static_cast<float>(std::numbers::sqrt2 / 2);
  return half_gated(g, x, g.node("Erf", {g.node("Mul", {x, g.scalar(inverse_root)})}));
}

std::string gelu_tanh(OnnxGraph& g, const std::string& x) {
  const float root = static_cast<float>(std::sqrt(2 / std::numbers::pi));
  const std::string cube = g.node("Mul", {x, g.node("Mul", {x, x})});
  const std::string sum = g.node("Add", {x, g.node("Mul", {cube, g.scalar(0.044715f)})});
  return half_gated(g, x, g.node("Tanh", {g.node("Mul", {sum, g.scalar(root)})}));
}

}  // namespace

OnnxValue in_axes(OnnxGraph& g, const OnnxValue& x, const std::string& axes) {
  if (x.axes == axes) return x;
  std::vector<Index> order;
  for (const char a : axes) order.push_back(x.axis(a));
  return {g.node("Transpose", {x.name}, {{"perm", order}}), x.channels, axes};
}

OnnxValue onnx_linear(OnnxGraph& g, const OnnxValue& x, Index units, const float* kernel, const float* bias) {
  const auto size = static_cast<std::size_t>(x.channels * units);
  const std::string weights = g.constant("kernel", {x.channels, units}, std::span(kernel, size));
  std::string y = g.node("MatMul", {in_axes(g, x, "btc").name, weights});
  if (bias != nullptr) {
    y = g.node("Add", {y, g.constant("bias", {units}, std::span(bias, static_cast<std::size_t>(units)))});
  }
  return {y, units};
}

std::string onnx_activation(OnnxGraph& g, Activation a, const std::string& x, Index channel_axis) {
  switch (a) {
    case Activation::linear:
      return x;
    case Activation::relu:
      return g.node("Relu", {x});
    case Activation::leaky_relu:
      return g.node("LeakyRelu", {x}, {{"alpha", 0.3f}});
    case Activation::elu:
      return g.node("Elu", {x}, {{"alpha", 1.0f}});
    case Activation::gelu:
      return gelu(g, x);
    case Activation::gelu_tanh:
      return gelu_tanh(g, x);
    case Activation::sigmoid:
      return g.node("Sigmoid", {x});
    case Activation::tanh:
      return g.node("Tanh", {x});
    case Activation::softplus:
      return g.node("Softplus", {x});
    case Activation::swish:
      return swish(g, x);
    case Activation::softmax:
      return g.node("Softmax", {x}, {{"axis", channel_axis}});
    case Activation::log_softmax:
      return g.node("LogSoftmax", {x}, {{"axis", channel_axis}});
  }
  return x;
}

OnnxValue onnx_scale_shift(OnnxGraph& g, const OnnxValue& x, std::span<const float> scale,
                           std::span<const float> shift) {
  const std::string scales = g.constant("scale", {x.channels}, scale),
                    shifts = g.constant("shift", {x.channels}, shift);
  return {g.node("Add", {g.node("Mul", {in_axes(g, x, "btc").name, scales}), shifts}), x.channels};
}

OnnxValue onnx_over_time(OnnxGraph& g, const std::string& op, const OnnxValue& x) {
  const std::vector<Index> axes{x.axis('t')};
  return {g.node(op, {x.name}, {{"axes", axes}, {"keepdims", Index{1}}}), x.channels, x.axes};
}

}  // namespace serene
