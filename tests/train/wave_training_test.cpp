// Training on recordings that change each epoch: the same bytes for any threads and after any stop, and other weights
// than without.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <numbers>

#include "serene/audio/wave.h"
#include "serene/data/dataset.h"
#include "serene/train/experiment.h"
#include "synthetic_features.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;

namespace {

// Recordings of three classes that differ in pitch, by four speakers, and features of them.
struct Corpus {
  test::TempFolder folder;
  FeatureSet features;
  Split split;

  Corpus() {
    Manifest manifest;
    manifest.name = "tones", manifest.labels = {"class0", "class1", "class2"};
    for (std::size_t i = 0; i < 36; ++i) {
      Random random(2, Purpose::test, i);
      std::vector<float> y(static_cast<std::size_t>(4000 + random.below(4000)));
      const double hz = (200 + 150 * static_cast<double>(i % 3)) * random.uniform(0.9, 1.1);
      for (std::size_t k = 0; k < y.size(); ++k) {
        const double t = static_cast<double>(k) / 16000;
        y[k] = static_cast<float>(0.3 * std::sin(2 * std::numbers::pi * hz * t) + 0.01 * random.normal());
      }
      Clip clip;
      clip.id = "tone" + std::to_string(i);
      clip.path = folder / (clip.id + ".wav");
      clip.label = manifest.labels[i % 3];
      clip.speaker = "s" + std::to_string(i % 4);
      clip.corpus = i % 5 == 0 ? "small" : "large";
      write_wave16(clip.path, y, 16000);
      manifest.clips.push_back(clip);
    }
    FeatureConfig config = feature_preset("logmel-64");
    config.n_mels = 12;
    ThreadPool pool(2);
    features = load_features(manifest, config, folder / "cache", pool);
    split = test::synthetic_split(features);
  }
};

const Corpus& corpus() {
  static const Corpus made;
  return made;
}

struct Run {
  RunConfig config;
  ThreadPool pool;
  Experiment experiment;

  Run(const std::vector<std::string>& overrides, int threads)
      : config(test::small_run(overrides)),
        pool(threads),
        experiment(config, corpus().features, corpus().split, pool) {}
  void epochs(int n) {
    for (int i = 0; i < n && !experiment.trainer().finished(); ++i) experiment.trainer().run_epoch();
  }
  std::vector<float> params() { return {experiment.trainer().params().begin(), experiment.trainer().params().end()}; }
};

const std::vector<std::string>& wave_recipe() {
  static const std::vector<std::string> recipe = {
      R"(data.augment={"tempo": [0.8, 1.2], "mel_shift": 1, "wave": {"probability": 0.8, "noise_probability": 0.5,
         "reverberation_probability": 0.5, "telephone_probability": 0.3, "packet_loss": [0, 0.2], "pitch_probability": 0.5,
         "gain_db": 3}})",
      "data.balance=class_and_corpus", "data.epoch_clips=17", "train.bucket_by_length=true"};
  return recipe;
}

}  // namespace

TEST_CASE("wave training: the same bytes of weights for any number of threads, others than on plain recordings") {
  Run one(wave_recipe(), 1), two(wave_recipe(), 2), three(wave_recipe(), 3);
  one.epochs(3), two.epochs(3), three.epochs(3);
  CHECK(one.params() == two.params());
  CHECK(one.params() == three.params());
  auto plain_recipe = wave_recipe();
  plain_recipe.push_back("data.augment.wave={}");
  Run plain(plain_recipe, 1);
  plain.epochs(3);
  CHECK(plain.params() != one.params());
  CHECK(one.experiment.trainer().bytes() > plain.experiment.trainer().bytes());
}

TEST_CASE("wave training: stopped after any epoch and resumed, a run ends with the same bytes") {
  Run whole(wave_recipe(), 1);
  whole.epochs(4);
  for (int stop = 0; stop <= 3; ++stop) {
    Checkpoint saved;
    {
      Run head(wave_recipe(), 2);
      head.epochs(stop);
      head.experiment.trainer().save(saved);
    }
    Run tail(wave_recipe(), 1);
    tail.epochs(1);
    tail.experiment.trainer().restore(saved);
    tail.epochs(4 - stop);
    CHECK_MESSAGE(whole.params() == tail.params(), "stopped after " << stop);
  }
}

TEST_CASE("wave training: without the section nothing changes, and whole clips fit the planned memory") {
  Run plain({}, 1), empty({"data.augment.wave={}", "data.balance=none", "data.epoch_clips=0"}, 1);
  plain.epochs(2), empty.epochs(2);
  CHECK(plain.params() == empty.params());
  Run whole(
      {"data.max_frames=0", R"(data.augment.wave={"noise_probability": 1, "noise_db": [-5, 0], "trim_first": false})"},
      2);
  whole.epochs(2);
  CHECK(std::isfinite(whole.experiment.trainer().history().back().train_loss));
}

TEST_CASE("wave training: a protocol that copies recordings itself refuses the section") {
  const RunConfig config =
      test::small_run({"data.augment.wave.gain_db=3", "split.protocol=kaggle-leaky", "data.corpus=ravdess"});
  ThreadPool pool(1);
  const std::string text = error_of([&] { load_corpus_features(config, corpus().folder.path(), "off", pool); });
  CHECK_MESSAGE(text.find("data.augment.wave") != std::string::npos, text);
}
