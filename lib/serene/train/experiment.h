// From a config to a trained, calibrated and tested model: what `serene train` and `serene crossval` both do.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/dataset.h"
#include "serene/data/feature_cache.h"
#include "serene/data/splits.h"
#include "serene/data/wave_augment.h"
#include "serene/eval/evaluation.h"
#include "serene/train/run_config.h"
#include "serene/train/trainer.h"
#include "serene/train/transfer.h"

namespace serene {

// The protocol that augments before it splits rows at random; its numbers say LEAKY wherever they stand.
inline constexpr const char* kaggle_leaky = "kaggle-leaky";

// Whether test data of this config help to train or to choose: kaggle-leaky, or copies made before a random split.
bool is_leaky(const RunConfig& config);
// Whether the features are those of rows made in memory (data.copies, kaggle-leaky) and not of recordings alone.
bool has_copies(const RunConfig& config);

// The section "features", read. Throws Error(input) that names the key.
// What the section `features` says; with data.features those of outside, with no channels as long as they are not read.
FeatureConfig feature_config_of(const RunConfig& config);

// The corpus that the config names, with its features: computed, or read from data.features. data_path and cache_dir
// override the config's when not empty. Throws Error when there is no usable clip. With copies the set holds three rows
// a clip (leaky.h).
FeatureSet load_corpus_features(const RunConfig& config, const std::string& data_path, const std::string& cache_dir,
                                ThreadPool& pool, const DataProgress& progress = {});

// All folds of the config's protocol ("holdout" and kaggle-leaky: one).
std::vector<Split> splits_of(const RunConfig& config, const FeatureSet& features);

// Its section "normalize", in the words of dataset.h.
Standardise standardise_of(Normalize normalize);

// Names what a training run does: of two configs with the same one, one's weights are the other's. data.views has no
// part in it, for it only says how the trained model is asked.
std::string training_sha256(const RunConfig& config);
// The same of what made a model, read from its notes; "" when they do not say.
std::string training_sha256(const Checkpoint& model);

// Name of the run for headings of results: says so when features are standardised per speaker, since that takes
// unlabelled speech of the test speakers.
std::string title_of(const RunConfig& config);
inline constexpr const char* per_speaker_title = " (standardised per speaker)";

// One training run in memory. Keeps references: everything given must outlive it. With data.augment.wave the recordings
// of the training part are read too, from the features' cache where they are kept.
class Experiment {
 public:
  // features, split and pool must outlive it. Throws Error for a config that does not fit the data, a model that
  // cannot be built, and weights to start from that do not fit.
  // communicator: of the ranks that train it together; null: this process alone.
  Experiment(const RunConfig& config, const FeatureSet& features, const Split& split, ThreadPool& pool,
             Communicator* communicator = nullptr);

  const Model<float>& model() const noexcept { return model_; }
  const Dataset& dataset() const noexcept { return dataset_; }
  const Split& split() const noexcept { return split_; }
  const RunConfig& config() const noexcept { return config_; }
  // Weights that such an experiment has ended with before (see training_sha256()), in place of training. Throws
  // Error(input) when their number is not the model's, or the clips or starting weights of that training were others.
  void take_trained(const Checkpoint& model);
  // The epochs of this experiment.
  Trainer& trainer() noexcept { return trainer_; }
  const Trainer& trainer() const noexcept { return trainer_; }
  // Lines for the user about how the run starts; empty as a rule.
  const std::vector<std::string>& remarks() const noexcept { return remarks_; }
  bool leaky() const { return is_leaky(config_); }

  // Predictions of the final weights for clips, each with this temperature; with masked label sets among the labels of
  // the clip's corpus.
  std::vector<Prediction> predict(std::span<const std::size_t> clips, double temperature = 1);
  // Temperature of the final weights, fitted on the validation part; 1 without one.
  double fit_temperature();
  // The certainty that all but train.uncertain_share of the validation clips reach at this temperature; 0 without them.
  double choose_threshold(double temperature);

  // The model as it stands: final weights, temperature, threshold, a few validation clips as examples.
  Checkpoint checkpoint(double temperature, double uncertain_below = 0);
  // The run as it stands, to be resumed: present weights and the trainer's state.
  Checkpoint resumable() const;

 private:
  Checkpoint describe() const;

  const RunConfig& config_;
  const FeatureSet& features_;
  const Split& split_;
  ThreadPool& pool_;
  std::unique_ptr<const SourceModel> source_;  // of train.init_from
  Dataset dataset_;
  Model<float> model_;
  std::unique_ptr<WaveAugment> wave_;  // with data.augment.wave
  Trainer trainer_;
  std::vector<std::string> remarks_;
  std::map<std::string, std::string> trained_notes_;  // of take_trained(): how long that training was
};

// Predictions with speaker, sex and truth for clips whose logits, row-major (clips, classes), are given.
std::vector<Prediction> make_predictions(const Dataset& dataset, std::span<const std::size_t> clips,
                                         std::span<const float> logits, double temperature);

}  // namespace serene
