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

Recognizer Recognizer::open(const std::string& path, Precision precision) {
  Checkpoint checkpoint = read_checkpoint(path, {.replay = false});
  return with_context(path, [&] {
    if (precision != Precision::full) {
      replay_examples(checkpoint, InferenceModel<float>(build_model_of(checkpoint), checkpoint.params), 1);
      return Recognizer(std::move(checkpoint), precision);
    }
    // One packing serves the replay and all that follows.
    std::vector<CheckpointExample> examples;
    examples.swap(checkpoint.examples);
    Recognizer recognizer(std::move(checkpoint));
    recognizer.checkpoint_.examples.swap(examples);
    replay_examples(recognizer.checkpoint_, recognizer.inference(), 1);
    recognizer.checkpoint_.examples = {};
    return recognizer;
  });
}

Recognizer::Recognizer(Checkpoint checkpoint, Precision precision)
    : checkpoint_(std::move(checkpoint)),
      features_(feature_config_of(checkpoint_)),
      inference_(std::make_shared<const InferenceModel<float>>(build_model_of(checkpoint_),
                                                               std::move(checkpoint_.params), precision)) {
  checkpoint_.params = {};
  checkpoint_.examples = {};
  checkpoint_.state = {};
}

Recognition Recognizer::recognize_file(const std::string& path) const {
  return recognize_features(extract_file(features_, path));
}

Recognition Recognizer::recognize(std::span<const float> samples) const {
  return recognize_features(extract_features(features_, samples));
}

Recognition Recognizer::recognize_features(const FeatureMatrix& m) const {
  Recognition r;
  r.frames = m.frames;
  r.probabilities = classify(checkpoint_, *inference_, m.frames, m.values);
  r.label =
      static_cast<int>(std::max_element(r.probabilities.begin(), r.probabilities.end()) - r.probabilities.begin());
  return r;
}

}  // namespace serene
