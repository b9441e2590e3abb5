// From a corpus to a checkpoint: the leaky protocol's rows, and experiments whose checkpoints stand on their own.
#include "serene/train/experiment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "../data/test_files.h"
#include "serene/audio/features.h"
#include "serene/io/file.h"
#include "serene/train/leaky.h"
#include "synthetic_features.h"

using namespace serene;

namespace {

// Eight clips of sound on disk, the third of them broken.
struct SmallCorpus {
  test::TempFolder folder;
  Manifest manifest;

  SmallCorpus() {
    manifest.name = "small";
    manifest.labels = {"happy", "sad"};
    for (int i = 0; i < 8; ++i) {
      Clip clip;
      clip.id = "c" + std::to_string(i);
      clip.path = folder / (clip.id + ".wav");
      clip.label = manifest.labels[static_cast<std::size_t>(i % 2)];
      clip.speaker = "s" + std::to_string(i / 4);
      if (i == 2) {
        test::write_bytes(clip.path, "RIFF, and no more");
      } else {
        test::write_wav(clip.path, test::sound(static_cast<std::uint64_t>(i), 0.4));
      }
      manifest.clips.push_back(clip);
    }
  }
};

double distance(const ClipFeatures& a, const ClipFeatures& b) {
  if (a.frames != b.frames) return HUGE_VAL;
  double sum = 0;
  for (std::size_t i = 0; i < a.values.size(); ++i) sum += std::abs(static_cast<double>(a.values[i]) - b.values[i]);
  return sum;
}

}  // namespace

TEST_CASE("leaky: three rows a clip, broken clips skipped, the same for any number of threads") {
  const SmallCorpus corpus;
  const FeatureConfig config = feature_preset("mfcc-40");
  ThreadPool one(1), three(3);
  const FeatureSet rows = augmented_rows(corpus.manifest, config, 4, one);
  REQUIRE(rows.clips.size() == 21);
  CHECK(rows.manifest.clips.size() == 21);
  CHECK(rows.audio_hashes.size() == 21);
  CHECK(rows.dim == 40);
  REQUIRE(rows.manifest.skipped.size() == 1);
  CHECK(rows.manifest.skipped[0].path == corpus.manifest.clips[2].path);
  std::set<std::string> ids, hashes(rows.audio_hashes.begin(), rows.audio_hashes.end());
  CHECK(hashes.size() == 21);
  for (std::size_t i = 0; i < 7; ++i) {
    const Clip& source = corpus.manifest.clips[i < 2 ? i : i + 1];
    const char* endings[] = {"", "#noise", "#stretch+pitch"};
    for (std::size_t k = 0; k < 3; ++k) {
      const Clip& row = rows.manifest.clips[3 * i + k];
      CHECK(row.id == source.id + endings[k]);
      CHECK(row.label == source.label);
      CHECK(ids.insert(row.id).second);
    }
    // The first is the clip as it is; the others are not.
    const ClipFeatures plain = extract_file(config, source.path);
    CHECK(distance(rows.clips[3 * i], plain) == 0);
    CHECK(distance(rows.clips[3 * i + 1], plain) > 1);
    CHECK(distance(rows.clips[3 * i + 2], plain) > 1);
  }
  const FeatureSet again = augmented_rows(corpus.manifest, config, 4, three),
                   other = augmented_rows(corpus.manifest, config, 5, one);
  CHECK(again.audio_hashes == rows.audio_hashes);
  CHECK(other.audio_hashes[0] == rows.audio_hashes[0]);
  CHECK(other.audio_hashes[1] != rows.audio_hashes[1]);  // the noise is another
}

TEST_CASE("leaky: nothing usable is an Error") {
  SmallCorpus corpus;
  corpus.manifest.clips = {corpus.manifest.clips[2]};
  ThreadPool pool(1);
  CHECK_THROWS_AS(augmented_rows(corpus.manifest, feature_preset("mfcc-40"), 0, pool), Error);
}

TEST_CASE("leaky: the split keeps validation and test one, and says what it is") {
  const FeatureSet rows = test::synthetic_features(60);
  const Split split = leaky_split(rows, 0.25, 3);
  CHECK(split.validation == split.test);
  CHECK(split.test.size() == 15);
  CHECK(split.train.size() == 45);
  std::set<std::size_t> all(split.train.begin(), split.train.end());
  all.insert(split.test.begin(), split.test.end());
  CHECK(all.size() == 60);
  CHECK(split.name.find("LEAKY") != std::string::npos);
  CHECK(split == leaky_split(rows, 0.25, 3));
  CHECK(split.test != leaky_split(rows, 0.25, 4).test);

  RunConfig config = test::small_run({"split.protocol=kaggle-leaky", "split.test_fraction=0.25", "split.seed=3"});
  const auto splits = splits_of(config, rows);
  REQUIRE(splits.size() == 1);
  CHECK(splits[0] == split);
  ThreadPool pool(1);
  Experiment experiment(config, rows, splits[0], pool);
  CHECK(experiment.leaky());
  CHECK(experiment.checkpoint(1).notes.at("protocol").find("LEAKY") != std::string::npos);
}

TEST_CASE("copies: split as rows with the test clips' copies, or after the split in the training part alone") {
  const FeatureSet rows = test::synthetic_features(90);  // 30 clips of three rows
  const auto random10 = [&](const std::string& copies) {
    return test::small_run({"split.protocol=random10", "split.folds=3", "data.copies=" + copies});
  };
  const RunConfig before = random10("before_split"), after = random10("after_split");
  CHECK(is_leaky(before));
  CHECK(!is_leaky(after));
  CHECK(!is_leaky(test::small_run({"data.copies=before_split"})));  // whole speakers
  for (const Split& split : splits_of(before, rows)) {
    CHECK(split.train.size() + split.validation.size() + split.test.size() == 90);
    const auto of_training = [&](std::size_t row) {
      return std::any_of(split.train.begin(), split.train.end(), [&](std::size_t t) { return t / 3 == row / 3; });
    };
    CHECK(std::any_of(split.test.begin(), split.test.end(), of_training));
  }
  std::set<std::size_t> tested;
  for (const Split& split : splits_of(after, rows)) {
    CHECK(split.train.size() % 3 == 0);
    CHECK(split.train.size() / 3 + split.validation.size() + split.test.size() == 30);
    std::set<std::size_t> clips;
    for (const std::size_t row : split.train) clips.insert(row / 3);
    CHECK(clips.size() == split.train.size() / 3);
    for (const auto* part : {&split.validation, &split.test}) {
      for (const std::size_t row : *part) {
        CHECK(row % 3 == 0);
        CHECK(clips.count(row / 3) == 0);
      }
    }
    tested.insert(split.test.begin(), split.test.end());
  }
  CHECK(tested.size() == 30);
  ThreadPool pool(1);
  RunConfig twice = before;
  twice.split.protocol = kaggle_leaky;
  CHECK_THROWS_WITH_AS(load_corpus_features(twice, "", "off", pool), doctest::Contains("data.copies"), Error);
}

TEST_CASE("experiment: splits of a config") {
  const FeatureSet set = test::synthetic_features(90);
  const auto folds = splits_of(test::small_run({"split.protocol=random10", "split.folds=3"}), set);
  CHECK(folds.size() == 3);
  const auto holdout = splits_of(test::small_run({"split.protocol=holdout", R"(split.test_speakers=["s1"])"}), set);
  REQUIRE(holdout.size() == 1);
  for (const std::size_t i : holdout[0].test) CHECK(set.manifest.clips[i].speaker == "s1");
  CHECK_THROWS_AS(splits_of(test::small_run({"split.protocol=none-such"}), set), Error);
}

TEST_CASE("experiment: a checkpoint replays, carries what recognition needs and gives the predictions of the run") {
  const FeatureSet set = test::synthetic_features(60);
  const Split split = test::synthetic_split(set);
  const RunConfig config = test::small_run({"train.epochs=4"});
  ThreadPool pool(2);
  Experiment experiment(config, set, split, pool);
  while (!experiment.trainer().finished()) experiment.trainer().run_epoch();
  const double temperature = experiment.fit_temperature();
  CHECK(temperature > 0);
  CHECK(std::isfinite(temperature));

  const test::TempFolder folder;
  const std::string path = (folder / "best.safetensors");
  write_checkpoint(path, experiment.checkpoint(temperature));
  const Checkpoint read = read_checkpoint(path);  // replays the examples
  CHECK(read.examples.size() == 3);
  CHECK(read.labels == set.manifest.labels);
  CHECK(read.temperature == temperature);
  CHECK(read.max_frames == 14);
  CHECK(read.normalizer == experiment.dataset().normalizer());
  for (const char* key : {"name", "version", "seed", "split", "protocol", "config_sha256", "data_sha256",
                          "data_licence", "intended_use"}) {
    CHECK_MESSAGE(read.notes.count(key) == 1, key);
  }
  CHECK(read.notes.at("protocol") == "holdout");

  const auto predictions = experiment.predict(split.test, temperature);
  REQUIRE(predictions.size() == split.test.size());
  const Model<float> model = build_model_of(read);
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const ClipFeatures& clip = set.clips[split.test[i]];
    const auto p = classify(read, model, clip.frames, clip.values);
    CHECK(predictions[i].clip == set.manifest.clips[split.test[i]].id);
    const auto& logits = predictions[i].logits;
    const std::vector<float> row(logits.begin(), logits.end());
    const auto expected = probabilities_of(row, temperature);
    for (std::size_t k = 0; k < p.size(); ++k) CHECK(p[k] == doctest::Approx(expected[k]).epsilon(1e-5));
  }
}

TEST_CASE("experiment: stopped, written, read and resumed gives the same checkpoint, bit for bit") {
  const FeatureSet set = test::synthetic_features(60);
  const Split split = test::synthetic_split(set);
  const RunConfig config = test::small_run({"train.epochs=4"});
  const test::TempFolder folder;
  const std::string path = (folder / "last.safetensors");
  ThreadPool one(1), two(2);
  Experiment whole(config, set, split, one);
  for (int i = 0; i < 4; ++i) whole.trainer().run_epoch();
  Experiment first(config, set, split, two);
  for (int i = 0; i < 2; ++i) first.trainer().run_epoch();
  write_checkpoint(path, first.resumable());
  Experiment second(config, set, split, one);
  second.trainer().restore(read_checkpoint(path));
  for (int i = 0; i < 2; ++i) second.trainer().run_epoch();
  write_checkpoint((folder / "a"), whole.checkpoint(1.25));
  write_checkpoint((folder / "b"), second.checkpoint(1.25));
  CHECK(read_file((folder / "a")) == read_file((folder / "b")));
}

TEST_CASE("experiment: without a validation part the temperature is 1 and training clips are the examples") {
  const FeatureSet set = test::synthetic_features(20);
  Split split = test::synthetic_split(set);
  split.train.insert(split.train.end(), split.validation.begin(), split.validation.end());
  split.validation.clear();
  const RunConfig config = test::small_run({"train.epochs=1"});
  ThreadPool pool(1);
  Experiment experiment(config, set, split, pool);
  experiment.trainer().run_epoch();
  CHECK(experiment.fit_temperature() == 1);
  CHECK(experiment.checkpoint(1).examples.size() == 3);
}

TEST_CASE("experiment: the threshold leaves the wanted share of the validation clips uncertain") {
  const FeatureSet set = test::synthetic_features(60);
  const Split split = test::synthetic_split(set);
  const RunConfig config =
      test::small_run({"train.epochs=2", "train.uncertain_share=0.25", "data.long_clips=vote", "normalize=speaker"});
  ThreadPool pool(1);
  Experiment experiment(config, set, split, pool);
  while (!experiment.trainer().finished()) experiment.trainer().run_epoch();
  const double temperature = experiment.fit_temperature(), threshold = experiment.choose_threshold(temperature);
  const auto answers = experiment.predict(split.validation, temperature);
  CHECK(coverage_at(answers, 3, threshold).coverage == doctest::Approx(0.75));
  const Checkpoint c = experiment.checkpoint(temperature, threshold);
  CHECK(c.uncertain_below == threshold);
  CHECK(c.long_clips == LongClips::vote);
  CHECK(c.per_speaker);

  // Clips of one speaker have the mean 0 and the deviation 1 in every channel.
  std::vector<double> sums(4), squares(4);
  double frames = 0;
  for (std::size_t i = 0; i < set.clips.size(); ++i) {
    if (set.manifest.clips[i].speaker != "s2") continue;
    std::vector<float> x(set.clips[i].values.size());
    experiment.dataset().copy_frames(i, 0, set.clips[i].frames, x.data());
    for (std::size_t k = 0; k < x.size(); ++k) sums[k % 4] += x[k], squares[k % 4] += x[k] * x[k];
    frames += static_cast<double>(set.clips[i].frames);
  }
  for (std::size_t d = 0; d < 4; ++d) {
    CHECK(sums[d] / frames == doctest::Approx(0).epsilon(1e-4));
    CHECK(squares[d] / frames == doctest::Approx(1).epsilon(1e-4));
  }
}
