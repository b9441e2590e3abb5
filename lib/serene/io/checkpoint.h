// A trained model in one file: weights, graph, feature config, labels, normaliser, and a few inputs with the
// probabilities they must give. Written atomically; read strictly; replayed when read.
//
// Form: safetensors. Tensors "conv1.kernel", ... (F32, Keras layouts), "normalizer.mean", "normalizer.scale",
// "example.<i>.features" (F32) and "example.<i>.probabilities" (F64), and, for resuming, "state.<name>" (F32).
// Metadata: format, sha256 (of all the rest) and the JSON texts model, features, head (labels, input_channels,
// max_frames, temperature and, where they differ from the usual, windows, uncertain_below, standardised), notes, state.
// Several models in one file: ensemble.h.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "serene/audio/normalizer.h"
#include "serene/core/json.h"
#include "serene/io/clip_views.h"
#include "serene/io/clip_windows.h"
#include "serene/nn/inference_model.h"
#include "serene/nn/model.h"

namespace serene {

// An input and what the model answers: (frames, F) features, not yet normalised.
struct CheckpointExample {
  Index frames = 0;
  std::vector<float> features;
  std::vector<double> probabilities;
};

struct Checkpoint {
  Json model;                       // {"layers": [...]}, see nn/model_builder.h
  Json features;                    // the complete feature config
  Index input_channels = 0;         // F
  std::vector<std::string> labels;  // class i is labels[i]
  Normalizer normalizer;
  Index max_frames = 0;                      // longer clips are cut to windows of so many frames; 0: never
  LongClips long_clips = LongClips::middle;  // which windows
  ClipViews views;                           // how often a clip is heard; live calls hear it once
  double temperature = 1;                    // probabilities = softmax(logits / temperature)
  double uncertain_below = 0;  // an answer whose best probability is less is better called uncertain; 0: none is
  bool per_speaker = false;    // trained on features standardised per speaker; the normaliser is that of all of them
  std::vector<float> params;   // flat, in the layout of the model
  std::vector<CheckpointExample> examples;
  std::map<std::string, std::string> notes;  // name, protocol, seed, licence of the data, intended use, version, ...

  // Only in a training run's "last": everything that a resumed run needs.
  std::map<std::string, std::vector<float>> state;
  Json state_json;

  ClipCut cut() const noexcept { return {max_frames, long_clips}; }  // how clips longer than max_frames are taken
};

struct CheckpointOptions {
  bool replay = true;            // run the examples and compare
  bool allow_nonfinite = false;  // accept NaN or infinity in weights
};

// Throws Error naming the file on failure; the old file stays.
void write_checkpoint(const std::string& path, const Checkpoint& checkpoint);

// Throws Error(input) naming the file and the reason: not safetensors, not a checkpoint, a checksum that differs, a
// graph that cannot be built, tensors missing, superfluous or of another shape, an example whose probabilities differ
// by more than 1e-4.
Checkpoint read_checkpoint(const std::string& path, const CheckpointOptions& options = {});

// softmax(logits / temperature) in double.
std::vector<double> probabilities_of(std::span<const float> logits, double temperature);
// The same into `out`, of the same size, without allocating. Logits that are not finite may give NaN.
void probabilities_of(std::span<const float> logits, double temperature, std::span<double> out) noexcept;

// Probabilities of one clip: (frames, F) features, not normalised. `inference` is made of the checkpoint's model and
// weights; of the checkpoint, labels, normaliser, max_frames, long_clips, views and temperature are read. Deterministic; for
// many clips use an Executor. Thread-safe. Throws Error when the size is wrong, a pass would take more than 4 GiB, or
// the answer is not finite.
std::vector<double> classify(const Checkpoint& checkpoint, const InferenceModel<float>& inference, Index frames,
                             std::span<const float> features);
// The same for a single question: folds and packs the checkpoint's weights first. model: build_model_of(checkpoint).
std::vector<double> classify(const Checkpoint& checkpoint, const Model<float>& model, Index frames,
                             std::span<const float> features);

// Runs the first `most` of the checkpoint's examples through `inference` (of full precision). Throws Error(input) that
// names the first one whose probabilities are not those stored with it.
void replay_examples(const Checkpoint& checkpoint, const InferenceModel<float>& inference, std::size_t most);

// The model that the checkpoint's graph describes. Throws Error(input).
Model<float> build_model_of(const Checkpoint& checkpoint);

}  // namespace serene
