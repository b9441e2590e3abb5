#include "serene/call/recognizer.h"

#include <algorithm>
#include <utility>

namespace serene {

FeatureConfig feature_config_of(const Checkpoint& checkpoint) {
  JsonReader reader(checkpoint.features, "features");
  FeatureConfig config = feature_config_from_json(reader);
  reader.finish();
  if (dimension(config) != checkpoint.input_channels) {
    throw Error(ErrorCode::input, "features", "do not fit the model")
        .expected(std::to_string(checkpoint.input_channels) + " values a frame")
        .got(std::to_string(dimension(config)));
  }
  return config;
}

Recognizer Recognizer::open(const std::string& path) {
  Checkpoint checkpoint = read_checkpoint(path);
  return with_context(path, [&] { return Recognizer(std::move(checkpoint)); });
}

Recognizer::Recognizer(Checkpoint checkpoint)
    : checkpoint_(std::move(checkpoint)),
      model_(build_model_of(checkpoint_)),
      features_(feature_config_of(checkpoint_)) {}

Recognition Recognizer::recognize_file(const std::string& path) const {
  return recognize_features(extract_file(features_, path));
}

Recognition Recognizer::recognize(std::span<const float> samples) const {
  return recognize_features(extract_features(features_, samples));
}

Recognition Recognizer::recognize_features(const FeatureMatrix& m) const {
  Recognition r;
  r.frames = m.frames;
  r.probabilities = classify(checkpoint_, model_, m.frames, m.values);
  r.label =
      static_cast<int>(std::max_element(r.probabilities.begin(), r.probabilities.end()) - r.probabilities.begin());
  return r;
}

}  // namespace serene
