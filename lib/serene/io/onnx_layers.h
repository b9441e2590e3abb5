// Each layer as nodes of ONNX. (serene's formulas stand in the headers of nn/; the operators' in ONNX' Operators.md.)
//
// All frames count: lengths within a batch do not exist in the exported graph.
#pragma once

#include "serene/io/onnx_ops.h"
#include "serene/nn/layer.h"

namespace serene {

// Adds the layer in inference and returns its output. p: the layer's parameters. Throws Error(internal) for a layer
// that this file does not know.
OnnxValue add_onnx_layer(OnnxGraph& g, const Layer<float>& layer, Params<const float> p, const OnnxValue& x);

// The part of it that knows recurrent layers and attention (onnx_sequence.cpp); false for another layer.
bool add_onnx_sequence_layer(OnnxGraph& g, const Layer<float>& layer, Params<const float> p, const OnnxValue& x,
                             OnnxValue& y);

}  // namespace serene
