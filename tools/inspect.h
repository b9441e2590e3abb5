// Tables about models for the terminal.
#pragma once

#include <string>

#include "serene/core/json.h"
#include "serene/nn/model.h"

namespace serene::cli {

// Layers with output shape, parameters and multiply-adds for one clip of `frames` frames, totals and memory.
std::string describe_model(const Model<float>& model, Index frames);
Json model_to_json(const Model<float>& model, Index frames);

}  // namespace serene::cli
