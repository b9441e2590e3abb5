// The whole configuration of a training run: one JSON document with the sections data, features, split, model and
// train. Every key but "model" has a default; configs/README.md explains them all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serene/core/gemm.h"
#include "serene/core/json.h"
#include "serene/data/batcher.h"
#include "serene/data/feature_augment.h"
#include "serene/io/clip_views.h"
#include "serene/io/clip_windows.h"
#include "serene/train/optimizer.h"
#include "serene/train/schedule.h"
#include "serene/train/target_config.h"
#include "serene/train/transfer.h"
#include "serene/train/weight_average.h"

namespace serene {

// Three rows of each recording, as well-known notebooks make them: as it is, with noise, stretched and pitched
// (leaky.h). before_split: the rows are what is split, and all of them are tested; with random folds copies of test
// clips train. after_split: the recordings are split, copies stand in the training part alone.
enum class Copies { none, before_split, after_split };

// Which recordings, and how much of each.
struct DataConfig {
  std::string corpus = "ravdess";  // a known corpus, or several as in "ravdess+cremad"; "" when `manifest` is given
  std::string manifest;            // JSONL or CSV file instead of a corpus
  std::string features;            // .npz file or folder of .npy: features of the clips, from outside; "" = computed
  std::string root;                // folder of the recordings; "" = search
  std::string cache_dir;           // folder of cached features; "" = the usual cache folder of the user
  std::string votes;               // CSV of listeners' votes, see data/votes.h; "" = that of the corpus
  std::int64_t max_frames = 0;     // longest clip in feature frames, longer ones are cut; 0 = whole clips
  // "crop": "random" cuts training clips at a place drawn anew each epoch, "center" in the middle.
  bool random_crop = true;
  LongClips long_clips = LongClips::middle;  // how validation and test clips beyond max_frames are cut
  ClipViews views;                           // how often the trained model hears a clip
  FeatureAugmentConfig augment;              // of the training part
  Balance balance = Balance::none;           // which groups an epoch takes equally many clips of
  std::int64_t epoch_clips = 0;              // clips of an epoch; 0 = as many as the training part has
  Copies copies = Copies::none;
};

// Standardise each feature channel with mean and deviation of the training part, of each speaker's own clips without
// their labels, or not at all.
enum class Normalize { channel, speaker, none };

// Who trains, who validates, who tests.
struct SplitConfig {
  std::string protocol = "holdout";
  std::int64_t fold = 0;
  std::uint64_t seed = 0;  // of random splits, apart from the run's seed so that many seeds share one split
  std::int64_t folds = 10;
  std::vector<std::string> test_speakers, validation_speakers;
  double test_fraction = 0.2;
  double validation_fraction = 0.2;
  std::string folds_file;
  std::string train_corpus, test_corpus;
};

enum class LossType { cross_entropy, focal };
enum class ClassWeights { none, balanced, given };

struct LossConfig {
  LossType type = LossType::cross_entropy;
  double label_smoothing = 0;
  ClassWeights class_weights = ClassWeights::none;
  std::vector<double> weights;  // one for each class when class_weights is given
  double gamma = 2;             // focal
  double alpha = 1;             // focal
};

struct TrainConfig {
  std::int64_t epochs = 50;
  std::int64_t batch_size = 64;
  std::int64_t shard_size = 8;  // samples that one thread takes at a time; part of the result's bits
  bool bucket_by_length = false;
  // Of the products of a training step: full or bf16. Weights, optimizer, normalisation and loss are float32 either
  // way, and so are validation and test.
  Precision precision = Precision::full;
  double uncertain_share = 0.1;                // of the validation clips that a finished model may call uncertain
  Monitor select_best_by = Monitor::val_loss;  // which epoch's weights become the checkpoint `best`
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  EarlyStoppingConfig early_stopping;
  LossConfig loss;
  AveragingConfig averaging;
  TargetConfig targets;
  TransferConfig transfer;
};

struct RunConfig {
  std::string name = "run";
  std::uint64_t seed = 0;
  std::vector<std::string> labels;  // class names in order; empty = those of the corpus
  DataConfig data;
  Json features = Json{{"preset", "mfcc-40"}};  // read by the feature configuration
  Normalize normalize = Normalize::channel;
  SplitConfig split;
  Json model;  // {"layers": [...]}, read by the model builder
  TrainConfig train;
};

// Reads a whole config; unknown keys, wrong types and values out of range throw Error that names the key's path.
// "model" must hold "layers"; the contents of `features` and of the layers are left to their own readers.
RunConfig run_config_from_json(const Json& config);
// Every key with its value: reading the result gives an equal config.
Json to_json(const RunConfig& config);

// "train.epochs=5": sets a value, making objects on the way. The text after the first '=' is JSON, or else a string. An
// item of an array is named by its place or by its "name" (model.layers.conv1.filters=64). Keys that no section knows
// are found when the config is read. Throws Error(usage) for a malformed assignment or a path through something that is
// not an object or an array.
void apply_override(Json& config, const std::string& assignment);

// Reads the file, applies the overrides in order and puts the layers of a {"model": {"file": F}} in place (F beside the
// config file; a file of layers or another run's config). Errors name the file. The name defaults to the file's name.
RunConfig load_run_config(const std::string& path, const std::vector<std::string>& overrides = {});

}  // namespace serene
