// Builds a model from the JSON of a config or checkpoint: the only way from text to layers.
//
//   {"layers": [{"type": "conv1d", "name": "conv1", "filters": 128, "kernel_size": 7, "padding": "same", "activation":
//   "relu"}, ...]}
//
// The types and their keys (with defaults) stand in configs/README.md. "units": "classes" takes the number of labels. A
// layer without a name is called <type>_<place>. Unknown types and keys, wrong types and shapes that do not fit throw
// Error naming the path.
#pragma once

#include <string>

#include "serene/core/json.h"
#include "serene/nn/model.h"

namespace serene {

// input_channels: values a frame; classes: number of labels; path: place of `model` for errors. Without a layer whose
// output has `classes` channels and one frame at the end, the model cannot classify, and Error(usage) says so.
template <class S>
Model<S> build_model(const Json& model, Index input_channels, Index classes, const std::string& path = "model");

extern template Model<float> build_model<float>(const Json&, Index, Index, const std::string&);
extern template Model<double> build_model<double>(const Json&, Index, Index, const std::string&);

}  // namespace serene
