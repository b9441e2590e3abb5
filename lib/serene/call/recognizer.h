// A trained model, or an ensemble of several, ready to recognise: checkpoints, packed weights and features in one
// immutable object, shared by all calls. const means thread-safe.
//
//   samples ─► streams(): one for each distinct feature config ─► members(): normaliser, graph, temperature ─► mean
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serene/audio/feature_config.h"
#include "serene/audio/features.h"
#include "serene/io/ensemble.h"
#include "serene/nn/inference_model.h"

namespace serene {

struct Recognition {
  std::vector<double> probabilities;  // per label; they sum to 1
  int label = 0;                      // place of the largest
  bool uncertain = false;             // the largest is below the model's threshold
  Index frames = 0;                   // feature frames of the clip, in the first stream
};

// What was recognised in one stretch of a recording.
struct TimedRecognition {
  double from_s = 0, to_s = 0;
  Recognition recognition;
};

// The features a checkpoint was trained on. Throws Error when they are broken or do not fit its model.
FeatureConfig feature_config_of(const Checkpoint& checkpoint);

// One model of the ensemble, or the only one.
struct RecognizerMember {
  Checkpoint checkpoint;  // without weights, examples and state: those are packed or not needed any more
  std::shared_ptr<const InferenceModel<float>> inference;
  std::size_t stream = 0;   // its features, in Recognizer::streams()
  std::vector<int> places;  // of its labels in Recognizer::labels()
  double weight = 1;
};

class Recognizer {
 public:
  // Reads a model and replays the first example of each member (in full precision, whatever is asked for), so that a
  // start is quick; read_model replays all. Throws Error as read_model does.
  static Recognizer open(const std::string& path, Precision precision = Precision::full);
  explicit Recognizer(Checkpoint checkpoint, Precision precision = Precision::full);
  explicit Recognizer(Ensemble ensemble, Precision precision = Precision::full);

  const std::vector<std::string>& labels() const noexcept { return labels_; }
  const std::map<std::string, std::string>& notes() const noexcept { return notes_; }
  const std::vector<RecognizerMember>& members() const noexcept { return members_; }
  // Feature configs of the members, each once.
  const std::vector<FeatureConfig>& streams() const noexcept { return streams_; }
  double temperature() const noexcept { return temperature_; }  // of the mixture of several members
  double uncertain_below() const noexcept { return uncertain_below_; }

  // Any file libsndfile reads, at any rate and channel count. Throws Error naming the file when it cannot be used.
  Recognition recognize_file(const std::string& path) const;
  // Mono samples at streams()[0].rate_hz, full scale 1. Throws Error when there are too few, or when members need
  // another rate.
  Recognition recognize(std::span<const float> samples) const;
  // Mono samples at rate_hz, 1000 to 768000, full scale 1; resampled to the rate of each stream that has another. What
  // recognize_file gives for a file of these samples. Throws Error(usage) for another rate, Error(input) for samples
  // that are too few or not finite.
  Recognition recognize(std::span<const float> samples, int rate_hz) const;
  // (frames, F) features as extract_features makes them, not normalised, of a model with one stream.
  Recognition recognize_features(const FeatureMatrix& features) const;
  // The same with the features of every stream.
  Recognition recognize_features(std::span<const FeatureMatrix> streams) const;
  // A recording in windows of window_s that overlap by half, the last one ending with it; its ends are not trimmed.
  // Throws Error as recognize_file, and Error(usage) for features of a fixed size or a window below 0.1 s.
  std::vector<TimedRecognition> recognize_timeline(const std::string& path, double window_s) const;

  // p (of labels().size(), first all 0) += the weighted answer q of one member, in its own label order; an answer that
  // is not finite is taken to say nothing: all labels alike. When all members were added, finish_answer(p). Nothing
  // allocates.
  void add_member_answer(std::size_t member, std::span<double> q, std::span<double> p) const noexcept;
  void finish_answer(std::span<double> p) const noexcept;

 private:
  Recognition judge(std::vector<double> probabilities, Index frames) const;

  std::vector<std::string> labels_;
  std::map<std::string, std::string> notes_;
  std::vector<RecognizerMember> members_;
  std::vector<FeatureConfig> streams_;
  double temperature_ = 1, uncertain_below_ = 0;
};

}  // namespace serene
