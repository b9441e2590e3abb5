#include "support/strong_model.h"

#include <cmath>
#include <filesystem>

#include "serene/audio/feature_config.h"
#include "serene/io/checkpoint.h"
#include "serene/io/npy.h"
#include "serene/io/safetensors.h"
#include "serene/nn/executor.h"
#include "serene/nn/init.h"
#include "serene/nn/loss.h"
#include "support/machine.h"
#include "support/measure.h"
#include "support/passes.h"

namespace serene::bench {
namespace {

// Fresh weights answer nearly the same for every class, which would hide a wrong peer: moving statistics that are not
// 0 and 1 and a larger last kernel spread the probabilities.
void spread_out(const ParameterLayout& layout, std::vector<float>& params) {
  unsigned seed = 11;
  for (const ParameterEntry& entry : layout.entries) {
    float* values = params.data() + entry.offset;
    const std::vector<float> n = noise(static_cast<std::size_t>(entry.spec.size()), seed++);
    for (std::size_t i = 0; i < n.size(); ++i) {
      if (entry.name == "bn.moving_mean") values[i] = 0.02f * n[i];
      if (entry.name == "bn.moving_variance") values[i] = 0.05f + 0.04f * n[i];
      if (entry.name == "dense2.kernel") values[i] *= 3.0f;
      if (entry.spec.name == "bias") values[i] += 0.05f * n[i];
    }
  }
}

// The graph as a checkpoint keeps it: the number of classes written out.
Json graph(bool dropout) {
  Json model = model_strong();
  for (Json& layer : model["layers"]) {
    if (layer.value("units", Json()) == Json("classes")) layer["units"] = kClasses;
    if (!dropout && layer["type"] == "dropout") layer["rate"] = 0.0;
  }
  return model;
}

double flops(const Model<float>& model, Index frames, int first, int others) {
  double sum = 0;
  Shape shape{1, frames, kFeatures};
  for (Index i = 0; i < model.layer_count(); ++i) {
    sum += (i == 0 ? first : others) * model.layer(i).multiply_adds(shape);
    shape = model.layer(i).plan(shape, Mode::training).out;
  }
  return sum;
}

void write_gradients(const std::string& path, const std::vector<float>& params) {
  const Model<float> model = build_model<float>(graph(false), kFeatures, kClasses);
  TrainingPass pass(model, params, kGradientBatch, kFrames, 1, Precision::full);
  const double loss = pass.gradients();
  SafeTensorsWriter writer;
  const float value[1] = {static_cast<float>(loss)};
  writer.add("loss", {1}, std::span<const float>(value));
  for (const ParameterEntry& entry : model.layout().entries) {
    if (!entry.spec.trainable) continue;
    writer.add(
        entry.name, entry.spec.shape,
        pass.gradient().subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(entry.spec.size())));
  }
  writer.write(path);
}

}  // namespace

StrongModel::StrongModel()
    : model(build_model<float>(graph(true), kFeatures, kClasses)),
      params(static_cast<std::size_t>(model.layout().size)) {
  initialize<float>(model.layout(), 1, params.data());
  spread_out(model.layout(), params);
}

std::vector<float> strong_input(Index batch, Index frames) {
  std::vector<float> x = noise(static_cast<std::size_t>(batch * frames * kFeatures), 5);
  for (Index b = 0; b < batch; ++b) {
    for (Index i = 0; i < frames * kFeatures; ++i) {
      const double level = 1.2 * std::sin(0.37 * static_cast<double>((b + 1) * (i % kFeatures + 1)));
      x[static_cast<std::size_t>(b * frames * kFeatures + i)] += static_cast<float>(level);
    }
  }
  return x;
}

std::vector<Index> strong_labels(Index batch) {
  std::vector<Index> labels(static_cast<std::size_t>(batch));
  for (Index b = 0; b < batch; ++b) labels[static_cast<std::size_t>(b)] = b % kClasses;
  return labels;
}

double training_flops(const Model<float>& model, Index frames) { return flops(model, frames, 4, 6); }
double inference_flops(const Model<float>& model, Index frames) { return flops(model, frames, 2, 2); }

void write_case(const std::string& folder) {
  std::filesystem::create_directories(folder);
  const StrongModel strong;
  Checkpoint checkpoint;
  checkpoint.model = graph(true);
  checkpoint.features = to_json(feature_preset("mfcc-40"));
  checkpoint.input_channels = kFeatures;
  for (Index k = 0; k < kClasses; ++k) checkpoint.labels.push_back("class" + std::to_string(k));
  checkpoint.max_frames = kFrames;
  checkpoint.params = strong.params;
  write_checkpoint(folder + "/model.safetensors", checkpoint);
  write_npy(folder + "/x.npy", {kBatch, kFrames, kFeatures}, std::span<const float>(strong_input(kBatch, kFrames)));
  write_npy(folder + "/first.npy", {1, kFrames, kFeatures}, std::span<const float>(strong_input(1, kFrames)));
  std::vector<float> labels;
  for (const Index label : strong_labels(kBatch)) labels.push_back(static_cast<float>(label));
  write_npy(folder + "/labels.npy", {kBatch}, std::span<const float>(labels));
  write_gradients(folder + "/gradients.safetensors", strong.params);
}

}  // namespace serene::bench
