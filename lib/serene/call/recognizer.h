// A trained model ready to recognise: checkpoint, packed weights and features in one immutable object, shared by all
// calls. const means thread-safe.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serene/audio/feature_config.h"
#include "serene/audio/features.h"
#include "serene/io/checkpoint.h"
#include "serene/nn/inference_model.h"

namespace serene {

struct Recognition {
  std::vector<double> probabilities;  // per label; they sum to 1
  int label = 0;                      // place of the largest
  Index frames = 0;                   // feature frames the model saw
};

// The features a checkpoint was trained on. Throws Error when they are broken or do not fit its model.
FeatureConfig feature_config_of(const Checkpoint& checkpoint);

class Recognizer {
 public:
  // Reads a checkpoint and replays its first example (in full precision, whatever is asked for), so that a start is
  // quick; read_checkpoint replays all. Throws Error as read_checkpoint does.
  static Recognizer open(const std::string& path, Precision precision = Precision::full);
  explicit Recognizer(Checkpoint checkpoint, Precision precision = Precision::full);

  // Without its weights, examples and state: those are packed in inference() or not needed any more.
  const Checkpoint& checkpoint() const noexcept { return checkpoint_; }
  const InferenceModel<float>& inference() const noexcept { return *inference_; }
  const FeatureConfig& features() const noexcept { return features_; }
  const std::vector<std::string>& labels() const noexcept { return checkpoint_.labels; }

  // Any file libsndfile reads, at any rate and channel count. Throws Error naming the file when it cannot be used.
  Recognition recognize_file(const std::string& path) const;
  // Mono samples at features().rate_hz, full scale 1. Throws Error when there are too few.
  Recognition recognize(std::span<const float> samples) const;
  // (frames, F) features as extract_features makes them, not normalised.
  Recognition recognize_features(const FeatureMatrix& features) const;

 private:
  Checkpoint checkpoint_;
  FeatureConfig features_;
  std::shared_ptr<const InferenceModel<float>> inference_;
};

}  // namespace serene
