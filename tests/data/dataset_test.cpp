#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "serene/data/batcher.h"
#include "serene/data/dataset.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

// Clips of 5, 9, 13, ... frames whose values tell clip, frame and channel.
FeatureSet made_up(std::size_t clips = 12, Index dim = 3) {
  FeatureSet set;
  set.dim = dim;
  set.manifest.name = "made-up";
  set.manifest.labels = {"happy", "sad"};
  for (std::size_t i = 0; i < clips; ++i) {
    Clip clip;
    clip.id = "c" + std::to_string(i);
    clip.label = i % 3 == 0 ? "sad" : "happy";
    clip.speaker = i < clips / 2 ? "one" : "two";
    clip.corpus = "made-up";
    set.manifest.clips.push_back(clip);
    FeatureMatrix m(static_cast<Index>(5 + 4 * i), dim);
    for (Index t = 0; t < m.frames; ++t)
      for (Index c = 0; c < dim; ++c)
        m.row(t)[c] =
            static_cast<float>(100.0 * static_cast<double>(i) + static_cast<double>(t) + 0.1 * static_cast<double>(c));
    set.clips.push_back(std::move(m));
    set.audio_hashes.push_back(clip.id);
  }
  return set;
}

std::vector<std::size_t> all(const Dataset& data) {
  std::vector<std::size_t> clips(data.size());
  for (std::size_t i = 0; i < clips.size(); ++i) clips[i] = i;
  return clips;
}

struct Buffers {
  explicit Buffers(const Batcher& batcher)
      : data(static_cast<std::size_t>(batcher.max_shape().size()), NAN),
        lengths(static_cast<std::size_t>(batcher.max_shape().batch)),
        labels(lengths.size()),
        clips(lengths.size()) {}
  BatchBuffers<float> view() { return {data.data(), lengths.data(), labels.data(), clips.data()}; }

  std::vector<float> data;
  std::vector<Index> lengths;
  std::vector<int> labels;
  std::vector<std::size_t> clips;
};

// Everything an epoch yields, as one list of numbers.
std::vector<double> epoch_of(Batcher& batcher, std::uint64_t epoch) {
  batcher.start_epoch(epoch);
  std::vector<double> out;
  for (Index b = 0; b < batcher.batches(); ++b) {
    Buffers buffers(batcher);
    const Shape shape = batcher.fill(b, buffers.view());
    out.insert(out.end(), buffers.data.begin(), buffers.data.begin() + shape.size());
    for (Index i = 0; i < shape.batch; ++i) {
      const auto at = static_cast<std::size_t>(i);
      out.insert(out.end(), {static_cast<double>(buffers.lengths[at]), static_cast<double>(buffers.labels[at]),
                             static_cast<double>(buffers.clips[at])});
    }
  }
  return out;
}

}  // namespace

TEST_CASE("the normaliser is fitted on the training part alone") {
  const FeatureSet set = made_up();
  const std::size_t train[] = {0, 1, 2};
  const Dataset data(set, train);
  std::vector<float> frames(static_cast<std::size_t>(3 * 40));
  double sum = 0, squares = 0, n = 0;
  for (const std::size_t clip : train) {
    data.copy_frames(clip, 0, data.frames(clip), frames.data());
    for (Index t = 0; t < data.frames(clip); ++t, ++n) {
      const double v = static_cast<double>(frames[static_cast<std::size_t>(3 * t)]);
      sum += v;
      squares += v * v;
    }
  }
  CHECK(std::abs(sum / n) < 1e-5);
  CHECK(squares / n == doctest::Approx(1).epsilon(1e-4));
  data.copy_frames(11, 0, 5, frames.data());
  CHECK(frames[0] > 5);  // far away from the training part

  FeatureSet other = made_up();
  for (float& v : other.clips[11].values) v = -1e6f;
  CHECK(Dataset(other, train).normalizer() == data.normalizer());
  CHECK(has(error_of([&] { Dataset(set, std::span<const std::size_t>()); }), "training part is empty"));
}

TEST_CASE("standardisation per speaker centres every speaker; a foreign normaliser must fit") {
  const FeatureSet set = made_up();
  const std::size_t train[] = {0, 1, 2};
  const Dataset data(set, train, Standardise::per_speaker);
  for (const std::size_t first : {std::size_t{0}, std::size_t{6}}) {
    double sum = 0, n = 0;
    std::vector<double> frames(3 * 60);
    for (std::size_t clip = first; clip < first + 6; ++clip) {
      data.copy_frames(clip, 0, data.frames(clip), frames.data());
      for (Index t = 0; t < data.frames(clip); ++t, ++n) sum += frames[static_cast<std::size_t>(3 * t)];
    }
    CHECK(std::abs(sum / n) < 1e-5);
  }
  Normalizer wrong;
  wrong.mean = {0};
  wrong.scale = {1};
  CHECK(has(error_of([&] { Dataset(set, wrong); }), "does not fit"));
  FeatureSet nameless = made_up();
  nameless.manifest.clips[4].speaker.clear();
  CHECK(has(error_of([&] { Dataset(nameless, train, Standardise::per_speaker); }), "has no speaker"));
  FeatureSet strange = made_up();
  strange.manifest.clips[4].label = "zeal";
  CHECK(has(error_of([&] { Dataset(strange, train); }), "unknown label 'zeal'"));
  CHECK(standardise_from_name("per-speaker") == Standardise::per_speaker);
  CHECK(has(error_of([] { standardise_from_name("x"); }), "global"));
}

TEST_CASE("class weights balance the classes") {
  const FeatureSet set = made_up();
  const std::size_t train[] = {0, 1, 2, 3, 4, 5};
  const Dataset data(set, train);
  CHECK(data.class_counts(train) == std::vector<std::size_t>{4, 2});
  const auto weights = data.balanced_class_weights(train);
  CHECK(weights[0] == doctest::Approx(0.75));
  CHECK(weights[1] == doctest::Approx(1.5));
}

TEST_CASE("batches hold the clips' frames, zeros after them, labels and lengths") {
  const FeatureSet set = made_up();
  const Dataset data(set, {}, Standardise::none);
  BatcherConfig config;
  config.batch_size = 5;
  const auto clips = all(data);
  const Batcher batcher(data, clips, config);
  CHECK(batcher.batches() == 3);
  CHECK(batcher.max_time() == 49);
  Buffers buffers(batcher);
  for (Index b = 0; b < 3; ++b) {
    const Shape shape = batcher.fill(b, buffers.view());
    CHECK(shape == batcher.shape(b));
    CHECK(shape.batch == (b < 2 ? 5 : 2));
    CHECK(shape.time == 5 + 4 * (b < 2 ? 4 + 5 * b : 11));
    for (Index i = 0; i < shape.batch; ++i) {
      const std::size_t clip = static_cast<std::size_t>(5 * b + i), at = static_cast<std::size_t>(i);
      CHECK(buffers.clips[at] == clip);
      CHECK(buffers.labels[at] == data.label(clip));
      CHECK(buffers.lengths[at] == data.frames(clip));
      const float* sample = buffers.data.data() + i * shape.time * 3;
      const Index valid = buffers.lengths[at] * 3;
      CHECK(std::memcmp(sample, set.clips[clip].values.data(), static_cast<std::size_t>(valid) * sizeof(float)) == 0);
      CHECK(std::all_of(sample + valid, sample + shape.time * 3, [](float v) { return v == 0; }));
    }
  }
}

TEST_CASE("an epoch is a function of seed and epoch alone, and uses every clip once") {
  const FeatureSet set = made_up(30);
  const Dataset data(set, {}, Standardise::none);
  const auto clips = all(data);
  for (const bool bucket : {false, true}) {
    BatcherConfig config;
    config.batch_size = 7;
    config.shuffle = true;
    config.bucket = bucket;
    config.max_frames = 40;
    config.random_crop = true;
    config.seed = 3;
    Batcher a(data, clips, config), b(data, clips, config);
    const auto first = epoch_of(a, 1);
    epoch_of(a, 2);
    CHECK(epoch_of(a, 1) == first);
    CHECK(epoch_of(b, 1) == first);
    CHECK(epoch_of(b, 2) != first);
    config.seed = 4;
    Batcher c(data, clips, config);
    CHECK(epoch_of(c, 1) != first);
    std::multiset<std::size_t> seen;
    for (Index i = 0; i < a.batches(); ++i) seen.insert(a.batch_clips(i).begin(), a.batch_clips(i).end());
    CHECK(std::vector<std::size_t>(seen.begin(), seen.end()) == clips);
  }
}

TEST_CASE("buckets save padding, and drop_last drops at random") {
  const FeatureSet set = made_up(64);
  const Dataset data(set, {}, Standardise::none);
  const auto clips = all(data);
  const auto padded = [&](bool bucket) {
    BatcherConfig config;
    config.batch_size = 8;
    config.shuffle = true;
    config.bucket = bucket;
    const Batcher batcher(data, clips, config);
    Index frames = 0;
    for (Index b = 0; b < batcher.batches(); ++b) frames += batcher.shape(b).batch * batcher.shape(b).time;
    return frames;
  };
  CHECK(padded(true) * 10 < padded(false) * 8);
  BatcherConfig config;
  config.batch_size = 10;
  config.shuffle = config.bucket = config.drop_last = true;
  Batcher batcher(data, clips, config);
  CHECK(batcher.batches() == 6);
  std::set<std::size_t> used;
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
    batcher.start_epoch(epoch);
    for (Index b = 0; b < 6; ++b) used.insert(batcher.batch_clips(b).begin(), batcher.batch_clips(b).end());
  }
  CHECK(used.size() == 64);
}

TEST_CASE("crops: the middle, or a random place that stays within the clip; fixed lengths pad") {
  const FeatureSet set = made_up(8);
  const Dataset data(set, {}, Standardise::none);
  const std::size_t clips[] = {0, 7};  // 5 and 33 frames
  BatcherConfig config;
  config.max_frames = 10;
  config.fixed_frames = true;
  Batcher middle(data, clips, config);
  Buffers buffers(middle);
  CHECK(middle.fill(0, buffers.view()) == Shape{2, 10, 3});
  CHECK(buffers.lengths == std::vector<Index>{5, 10});
  CHECK(buffers.data[30] == set.clips[7].row(11)[0]);
  CHECK(buffers.data[15] == 0);
  config.random_crop = true;
  Batcher random(data, clips, config);
  std::set<float> starts;
  for (std::uint64_t epoch = 0; epoch < 300; ++epoch) {
    random.start_epoch(epoch);
    random.fill(0, buffers.view());
    starts.insert(buffers.data[30]);
    CHECK(buffers.data[0] == set.clips[0].row(0)[0]);
  }
  CHECK(*starts.begin() == 700);
  CHECK(*starts.rbegin() == 723);
  CHECK(starts.size() == 24);
}

TEST_CASE("impossible batches are refused") {
  const FeatureSet set = made_up();
  const Dataset data(set, {}, Standardise::none);
  const auto clips = all(data);
  const auto fails = [&](BatcherConfig config, std::span<const std::size_t> which) {
    return error_of([&] { Batcher(data, which, config); });
  };
  BatcherConfig config;
  CHECK(has(fails(config, {}), "no clips"));
  config.batch_size = 0;
  CHECK(has(fails(config, clips), "out of range"));
  config = {};
  config.fixed_frames = true;
  CHECK(has(fails(config, clips), "max_frames > 0"));
  config = {};
  config.drop_last = true;
  CHECK(has(fails(config, clips), "no batch is full"));
}
