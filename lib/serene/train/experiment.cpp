#include "serene/train/experiment.h"

#include <algorithm>
#include <sstream>

#include "serene/core/sha256.h"
#include "serene/data/corpora.h"
#include "serene/data/locate.h"
#include "serene/data/outside_features.h"
#include "serene/data/votes.h"
#include "serene/eval/calibration.h"
#include "serene/nn/model_builder.h"
#include "serene/train/leaky.h"
#include "serene/version.h"

namespace serene {
namespace {

constexpr std::size_t kExamples = 3;

// A known corpus, or several joined by '+' with their labels united; an unknown one throws before any is opened.
Manifest corpora_of(const std::string& names, const std::string& root, const std::vector<std::string>& labels) {
  if (names.find('+') == std::string::npos) return open_corpus(names, root, labels);
  std::vector<std::string> list;
  std::istringstream text(names + "+");
  for (std::string name; std::getline(text, name, '+');) list.push_back(corpus_info(name).name);
  std::vector<Manifest> parts;
  for (const std::string& name : list) parts.push_back(open_corpus(name, root));
  return merge(parts, false);
}

Manifest manifest_of(const RunConfig& config, const std::string& data_path) {
  const std::string& root = data_path.empty() ? config.data.root : data_path;
  const bool cross = !config.split.train_corpus.empty() && !config.split.test_corpus.empty();
  if (config.data.manifest.empty() && cross) {
    const Manifest parts[] = {open_corpus(config.split.train_corpus, root),
                              open_corpus(config.split.test_corpus, root)};
    return merge(parts, true);
  }
  if (!config.data.manifest.empty()) return open_corpus(config.data.manifest, root, config.labels);
  return corpora_of(config.data.corpus, root, config.labels);
}

std::string licence_of(const Manifest& manifest) {
  std::string text;
  const std::pair<const char*, const char*> known[] = {{"ravdess", "RAVDESS CC BY-NC-SA 4.0"},
                                                       {"cremad", "CREMA-D ODbL 1.0"},
                                                       {"tess", "TESS CC BY-NC-ND 4.0"},
                                                       {"savee", "SAVEE research only"},
                                                       {"emodb", "EMO-DB CC0 1.0"}};
  for (const auto& entry : known) {
    const bool used = std::any_of(manifest.clips.begin(), manifest.clips.end(),
                                  [&](const Clip& c) { return c.corpus == entry.first; });
    if (used) text += (text.empty() ? "" : "; ") + std::string(entry.second);
  }
  return text.empty() ? "unknown" : text;
}

std::string data_sum(const FeatureSet& features) {
  Sha256 sum;
  for (std::size_t i = 0; i < features.manifest.clips.size(); ++i) {
    sum.update(features.manifest.clips[i].id + "\n" + features.manifest.clips[i].label + "\n" +
               features.audio_hashes[i] + "\n");
  }
  return sum.hex();
}

Index classes_of(const FeatureSet& features) { return static_cast<Index>(features.manifest.labels.size()); }

void take_votes(Manifest& manifest, const std::string& path) {
  with_context("data.votes", [&] {
    if (add_votes(manifest, read_votes(path)) == 0) {
      throw Error(ErrorCode::input, path, "names no clip of " + manifest.name);
    }
  });
}

Dataset standardised(const FeatureSet& features, const Split& split, const RunConfig& config,
                     const SourceModel* source) {
  if (!config.train.transfer.init_normalizer) return Dataset(features, split.train, standardise_of(config.normalize));
  return with_context("train.init_normalizer", [&] { return Dataset(features, source->checkpoint.normalizer); });
}

// The recordings of the training part, to be changed each epoch; nullptr where the config changes none.
std::unique_ptr<WaveAugment> wave_augment_of(const RunConfig& config, const FeatureSet& features, const Split& split,
                                             ThreadPool& pool) {
  const WaveAugmentConfig& wave = config.data.augment.wave;
  if (!wave.active() || split.train.empty()) return nullptr;
  WaveStore store =
      load_waves(features.manifest, split.train, features.config, wave.trim_first, features.cache_dir, pool);
  return std::make_unique<WaveAugment>(wave, std::move(store), split.train);
}

void refuse_beside_copies(const RunConfig& config) {
  if (config.split.protocol == kaggle_leaky && config.data.copies != Copies::none)
    throw Error(ErrorCode::usage, "data.copies", "kaggle-leaky makes its own copies of the recordings")
        .hint("leave the key out");
  if (has_copies(config) && !config.data.features.empty())
    throw Error(ErrorCode::usage, "data.features", "copies are made of recordings (kaggle-leaky, data.copies)");
  if (has_copies(config) && config.data.augment.wave.active())
    throw Error(ErrorCode::usage, "data.augment.wave", "does not fit with copies (kaggle-leaky, data.copies)")
        .hint("leave the section out");
}

// The clips are those of a corpus or manifest where one is named, else the .npz file's own.
FeatureSet load_from_outside(const RunConfig& config, const std::string& data_path, ThreadPool& pool,
                             const DataProgress& progress) {
  return with_context("data.features", [&] {
    OutsideFeatures outside(config.data.features);
    const bool named = !config.data.corpus.empty() || !config.data.manifest.empty();
    Manifest manifest = named ? manifest_of(config, data_path) : outside.manifest(config.labels);
    if (!config.data.votes.empty()) take_votes(manifest, config.data.votes);
    return std::move(outside).of(manifest, pool, progress);
  });
}

// Distinct speakers of these clips, sorted, with spaces between.
std::string speaker_list(const Manifest& manifest, std::span<const std::size_t> clips) {
  std::string text;
  for (const std::string& speaker : speakers_of(subset(manifest, clips))) {
    text += (text.empty() ? "" : " ") + speaker;
  }
  return text;
}

}  // namespace

bool is_leaky(const RunConfig& config) {
  return config.split.protocol == kaggle_leaky ||
         (config.data.copies == Copies::before_split && !keeps_speakers_apart(config.split.protocol));
}

bool has_copies(const RunConfig& config) {
  return config.split.protocol == kaggle_leaky || config.data.copies != Copies::none;
}

FeatureConfig feature_config_of(const RunConfig& config) {
  if (!config.data.features.empty()) return outside_features(0);
  JsonReader reader(config.features, "features");
  return feature_config_from_json(reader);
}

Standardise standardise_of(Normalize normalize) {
  if (normalize == Normalize::speaker) return Standardise::per_speaker;
  return normalize == Normalize::channel ? Standardise::global : Standardise::none;
}

std::string training_sha256(const RunConfig& config) {
  RunConfig plain = config;
  plain.data.views = {};
  return sha256_hex(to_json(plain).dump());
}

std::string training_sha256(const Checkpoint& model) {
  for (const char* name : {"training_sha256", "config_sha256"}) {
    if (const auto note = model.notes.find(name); note != model.notes.end()) return note->second;
  }
  return "";
}

std::string title_of(const RunConfig& config) {
  return config.name + (config.normalize == Normalize::speaker ? per_speaker_title : "");
}

FeatureSet load_corpus_features(const RunConfig& config, const std::string& data_path, const std::string& cache_dir,
                                ThreadPool& pool, const DataProgress& progress) {
  const FeatureConfig features = feature_config_of(config);
  check(config.data.augment, features);  // before any clip is read
  check(config.data.views, features, "data.views");
  refuse_beside_copies(config);
  if (!config.data.features.empty()) return load_from_outside(config, data_path, pool, progress);
  Manifest manifest = manifest_of(config, data_path);
  if (!config.data.votes.empty()) take_votes(manifest, config.data.votes);
  if (has_copies(config)) return augmented_rows(manifest, features, config.split.seed, pool, progress);
  return load_features(manifest, features, cache_dir.empty() ? config.data.cache_dir : cache_dir, pool, progress);
}

std::vector<Split> splits_of(const RunConfig& config, const FeatureSet& features) {
  const SplitConfig& c = config.split;
  if (c.protocol == kaggle_leaky) return {leaky_split(features, c.test_fraction, c.seed)};
  SplitOptions o;
  o.seed = c.seed;
  o.folds_file = c.folds_file;
  o.folds = static_cast<int>(c.folds);
  o.test_speakers = c.test_speakers, o.validation_speakers = c.validation_speakers;
  o.test_fraction = c.test_fraction, o.validation_fraction = c.validation_fraction;
  o.train_corpus = c.train_corpus, o.test_corpus = c.test_corpus;
  if (config.data.copies != Copies::after_split)
    return make_splits(c.protocol, features.manifest, o, features.audio_hashes);
  const std::vector<std::size_t> plain = plain_rows(features);
  std::vector<std::string> hashes;
  for (const std::size_t row : plain) hashes.push_back(features.audio_hashes[row]);
  std::vector<Split> splits = make_splits(c.protocol, subset(features.manifest, plain), o, hashes);
  for (Split& split : splits) {
    split = with_training_copies(std::move(split));
    verify_split(split, features.manifest, features.audio_hashes);
  }
  return splits;
}

Experiment::Experiment(const RunConfig& config, const FeatureSet& features, const Split& split, ThreadPool& pool,
                       Communicator* communicator)
    : config_(config),
      features_(features),
      split_(split),
      pool_(pool),
      source_(open_source(config.train.transfer)),
      dataset_(standardised(features, split, config, source_.get())),
      model_(build_model<float>(config.model, features.dim, classes_of(features))),
      wave_(wave_augment_of(config_, features_, split_, pool_)),
      trainer_(model_, dataset_, split_, config_, pool_, wave_.get(), communicator) {
  if (source_ == nullptr) return;
  refuse_known_voices(*source_, features.manifest, split);
  remarks_.push_back(trainer_.start_from(*source_));
  if (source_->checkpoint.features != to_json(features.config)) {
    remarks_.push_back("the features of " + printable(source_->path) + " are others than this run's");
  }
  if (voices_of(*source_).empty()) {
    remarks_.push_back(printable(source_->path) +
                       " does not say which speakers made it: they may be among those tested");
  }
}

std::vector<Prediction> make_predictions(const Dataset& dataset, std::span<const std::size_t> clips,
                                         std::span<const float> logits, double temperature) {
  const std::size_t classes = dataset.label_names().size();
  std::vector<Prediction> all;
  all.reserve(clips.size());
  for (std::size_t i = 0; i < clips.size(); ++i) {
    const Clip& clip = dataset.features().manifest.clips[clips[i]];
    const auto row = logits.subspan(i * classes, classes);
    all.push_back({clip.id, clip.speaker, clip.sex, dataset.label(clips[i]), {row.begin(), row.end()}, temperature});
  }
  return all;
}

void Experiment::take_trained(const Checkpoint& model) {
  const Checkpoint own = describe();
  for (const char* name : {"data_sha256", "init_sha256"}) {
    const auto mine = own.notes.find(name), its = model.notes.find(name);
    if ((mine == own.notes.end() ? "" : mine->second) != (its == model.notes.end() ? "" : its->second))
      throw Error(ErrorCode::input, name, "the model was trained on something else");
  }
  if (model.params.size() != trainer_.params().size()) {
    throw Error(ErrorCode::input, "weights", "are not those of the config's model")
        .expected(std::to_string(trainer_.params().size()))
        .got(std::to_string(model.params.size()));
  }
  trainer_.take_final(model.params);
  for (const char* name : {"epochs", "best_epoch"}) {
    if (const auto note = model.notes.find(name); note != model.notes.end()) trained_notes_[name] = note->second;
  }
}

std::vector<Prediction> Experiment::predict(std::span<const std::size_t> clips, double temperature) {
  Predictor predictor(model_, dataset_, {config_.data.max_frames, config_.data.long_clips}, config_.data.views, pool_);
  auto all = make_predictions(dataset_, clips, predictor.logits(trainer_.final_params(), clips), temperature);
  restrict_to_corpus(all, clips, CorpusLabels(dataset_, config_.train.targets.label_sets));
  return all;
}

double Experiment::fit_temperature() {
  if (split_.validation.empty()) return 1;
  return serene::fit_temperature(predict(split_.validation)).temperature;
}

double Experiment::choose_threshold(double temperature) {
  if (split_.validation.empty() || config_.train.uncertain_share <= 0) return 0;
  return threshold_for_coverage(predict(split_.validation, temperature), 1 - config_.train.uncertain_share);
}

Checkpoint Experiment::describe() const {
  Checkpoint c;
  c.model = config_.model;
  c.features = to_json(features_.config);
  c.input_channels = features_.dim;
  c.labels = dataset_.label_names();
  c.max_frames = config_.data.max_frames;
  c.long_clips = config_.data.long_clips;
  c.views = config_.data.views;
  c.per_speaker = config_.normalize == Normalize::speaker;
  c.normalizer = dataset_.normalizer();
  c.notes = {{"name", config_.name},
             {"version", SERENE_VERSION},
             {"seed", std::to_string(config_.seed)},
             {"split", split_.name},
             {"protocol", leaky() ? split_.protocol + " (LEAKY)" : split_.protocol},
             {"epochs", std::to_string(trainer_.history().size())},
             {"best_epoch", std::to_string(trainer_.best_epoch() + 1)},
             {"config_sha256", sha256_hex(to_json(config_).dump())},
             {"data_sha256", data_sum(features_)},
             {"data_licence", licence_of(features_.manifest)},
             {"intended_use", "customer speech only; never for decisions about people"}};
  for (const auto& [name, text] : trained_notes_) c.notes[name] = text;
  if (!config_.data.views.plain()) c.notes["training_sha256"] = training_sha256(config_);
  if (source_ != nullptr) {
    std::string voices;
    for (const std::string& speaker : voices_of(*source_)) voices += (voices.empty() ? "" : " ") + speaker;
    c.notes["init_sha256"] = source_->sha256;
    c.notes["init_speakers"] = voices;
  }
  // Who was heard, so that a later user of the model can pick voices it does not know.
  if (!leaky() && keeps_speakers_apart(split_.protocol)) {
    c.notes["train_speakers"] = speaker_list(features_.manifest, split_.train);
    c.notes["validation_speakers"] = speaker_list(features_.manifest, split_.validation);
    c.notes["test_speakers"] = speaker_list(features_.manifest, split_.test);
  }
  return c;
}

Checkpoint Experiment::checkpoint(double temperature, double uncertain_below) {
  Checkpoint c = describe();
  c.temperature = temperature;
  c.uncertain_below = uncertain_below;
  c.params.assign(trainer_.final_params().begin(), trainer_.final_params().end());
  const auto& pool_of_examples = split_.validation.empty() ? split_.train : split_.validation;
  const InferenceModel<float> inference(model_, c.params);
  for (std::size_t i = 0; i < std::min(kExamples, pool_of_examples.size()); ++i) {
    const ClipFeatures& clip = features_.clips[pool_of_examples[i]];
    c.examples.push_back({clip.frames, clip.values, classify(c, inference, clip.frames, clip.values)});
  }
  return c;
}

Checkpoint Experiment::resumable() const {
  Checkpoint c = describe();
  trainer_.save(c);
  return c;
}

}  // namespace serene
