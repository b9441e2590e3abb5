// model_strong with weights and input that all sides of a comparison share.
//
// The case is a folder: model.safetensors (a checkpoint), x.npy (batch, frames, features), its first sample first.npy
// (1, frames, features), labels.npy (batch), and gradients.safetensors: "loss" and every parameter's gradient in
// training mode without dropout, for the first kGradientBatch samples. Everything is a function of constants: two runs
// write the same bytes.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/model_builder.h"

namespace serene::bench {

constexpr Index kFeatures = 40, kClasses = 8, kFrames = 300, kBatch = 64, kGradientBatch = 16;

struct StrongModel {
  StrongModel();
  Model<float> model;
  std::vector<float> params;  // initial weights, spread out so that the classes differ
};

// (batch, frames, kFeatures): noise around a level that differs from sample to sample and feature to feature.
std::vector<float> strong_input(Index batch, Index frames);
// (batch), each class in turn.
std::vector<Index> strong_labels(Index batch);

// Floating point operations of a training step or of an inference, per sample: multiply-adds count twice, backward
// repeats every product twice, but for the gradient of the input.
double training_flops(const Model<float>& model, Index frames);
double inference_flops(const Model<float>& model, Index frames);

void write_case(const std::string& folder);

}  // namespace serene::bench
