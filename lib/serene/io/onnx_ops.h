// The vocabulary in which the layers speak ONNX: values with named axes, products, activations, moments over time.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "serene/io/onnx_graph.h"
#include "serene/nn/activation.h"

namespace serene {

// A value of the graph: its axes are b (batch), t (time) and c (channels) in the order of `axes`. Convolutions want
// "bct", recurrent layers "tbc", everything else "btc"; a value stays as it is until somebody wants it otherwise.
struct OnnxValue {
  std::string name;
  Index channels = 0;
  std::string axes = "btc";

  Index axis(char which) const { return static_cast<Index>(axes.find(which)); }  // place of an axis; -1: none
};

// The value with its axes in another order; the same value where nothing changes.
OnnxValue in_axes(OnnxGraph& g, const OnnxValue& x, const std::string& axes);

// x (b,t,c) W + bias, with W (c, units) row-major; bias may be nullptr.
OnnxValue onnx_linear(OnnxGraph& g, const OnnxValue& x, Index units, const float* kernel, const float* bias);

// Element by element, or over axis `channel_axis`.
std::string onnx_activation(OnnxGraph& g, Activation a, const std::string& x, Index channel_axis);
inline OnnxValue onnx_activation(OnnxGraph& g, Activation a, const OnnxValue& x) {
  return {onnx_activation(g, a, x.name, x.axis('c')), x.channels, x.axes};
}

// x scale + shift, a pair for each channel; in axes btc.
OnnxValue onnx_scale_shift(OnnxGraph& g, const OnnxValue& x, std::span<const float> scale,
                           std::span<const float> shift);

// Mean or maximum (ReduceMean, ReduceMax) over time: (b,1,c).
OnnxValue onnx_over_time(OnnxGraph& g, const std::string& op, const OnnxValue& x);

}  // namespace serene
