#include "serene/data/feature_augment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <thread>

#include "serene/audio/mfcc.h"
#include "serene/data/batcher.h"
#include "serene/data/dataset.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

FeatureConfig logmel(Index bands) {
  FeatureConfig c = feature_preset("logmel-64");
  c.n_mels = bands;
  return c;
}

Normalizer plain(Index dim) {
  const auto width = static_cast<std::size_t>(dim);
  return {std::vector<float>(width, 0.0f), std::vector<float>(width, 1.0f)};
}

FeatureMatrix matrix(Index frames, Index dim, const std::function<double(Index, Index)>& value) {
  FeatureMatrix m(frames, dim);
  for (Index t = 0; t < frames; ++t)
    for (Index c = 0; c < dim; ++c) m.row(t)[c] = static_cast<float>(value(t, c));
  return m;
}

FeatureAugmentConfig everything() {
  FeatureAugmentConfig c;
  c.tempo_low = 0.8, c.tempo_high = 1.25;
  c.mel_shift = 3, c.gain_db = 6, c.tilt_db = 4;
  c.noise_probability = 0.5;
  c.time_masks = c.frequency_masks = 2;
  c.time_mask_frames = 5, c.frequency_mask_channels = 3;
  return c;
}

// A whole clip as one draw leaves it.
std::vector<double> rendered(const FeatureAugment& augment, const FeatureMatrix& clip,
                             const FeatureAugment::Draw& draw) {
  const Index frames = FeatureAugment::frames(clip.frames, draw);
  std::vector<double> out(static_cast<std::size_t>(frames * clip.dim), NAN);
  augment.render(clip, plain(clip.dim), draw, 0, frames, out.data());
  return out;
}

// Log-mel clips of 1 to 60 frames.
FeatureSet noise_clips(std::size_t clips, Index dim) {
  FeatureSet set;
  set.dim = dim;
  set.config = logmel(dim);
  set.manifest.labels = {"happy"};
  for (std::size_t i = 0; i < clips; ++i) {
    Clip clip;
    clip.id = "c" + std::to_string(i);
    clip.label = "happy";
    set.manifest.clips.push_back(clip);
    Random random(1, Purpose::test, i);
    const auto frames = static_cast<Index>(1 + random.below(60));
    set.clips.push_back(matrix(frames, dim, [&](Index, Index) { return random.uniform(-100, 60); }));
    set.audio_hashes.push_back(clip.id);
  }
  return set;
}

}  // namespace

TEST_CASE("augmentation: what features cannot be changed so is refused by key") {
  const auto problem = [](FeatureAugmentConfig c, FeatureConfig features) {
    return error_of([&] { FeatureAugment(c, features, dimension(features)); });
  };
  FeatureAugmentConfig tempo;
  tempo.tempo_high = 1.2;
  for (const char* preset : {"kaggle-162", "kaggle-2376", "kaggle-frames"}) {
    CHECK(has(problem(tempo, feature_preset(preset)), "data.augment: the kaggle layouts"));
    CHECK(problem({}, feature_preset(preset)).empty());
  }
  const FeatureConfig mfcc = feature_preset("mfcc-40");
  CHECK(problem(tempo, mfcc).empty());
  FeatureAugmentConfig c;
  c.mel_shift = 1;
  CHECK(has(problem(c, mfcc), "data.augment.mel_shift: needs mel bands"));
  CHECK(problem(c, logmel(64)).empty());
  c = {}, c.tilt_db = 1;
  CHECK(has(problem(c, mfcc), "data.augment.tilt_db"));
  c = {}, c.noise_probability = 1;
  CHECK(has(problem(c, mfcc), "data.augment.noise_probability"));
  c = {}, c.telephone_probability = 1;
  CHECK(has(problem(c, mfcc), "data.augment.telephone_probability"));
  FeatureConfig deltas = logmel(64);
  deltas.deltas = 1;
  CHECK(has(problem(tempo, deltas), "derivatives"));
}

TEST_CASE("augmentation: a draw is a function of seed, epoch and clip, and stays in its ranges") {
  const FeatureAugment augment(everything(), logmel(16), 16);
  const auto tempo = [&](std::uint64_t seed, std::uint64_t epoch, std::size_t clip) {
    return augment.draw(seed, epoch, clip).tempo;
  };
  CHECK(tempo(1, 2, 3) == tempo(1, 2, 3));
  CHECK(tempo(1, 2, 3) != tempo(2, 2, 3));
  CHECK(tempo(1, 2, 3) != tempo(1, 3, 3));
  CHECK(tempo(1, 2, 3) != tempo(1, 2, 4));
  double log_sum = 0, noisy = 0;
  constexpr int n = 4000;
  for (int i = 0; i < n; ++i) {
    const auto d = augment.draw(5, 0, static_cast<std::size_t>(i));
    const bool in_range = d.applied && d.tempo >= 0.8 && d.tempo <= 1.25 && std::abs(d.shift) <= 3 &&
                          std::abs(d.gain_db) <= 6 && std::abs(d.tilt_db) <= 4 && d.snr_db >= 5 && d.snr_db <= 30;
    CHECK(in_range);
    const Index frames = FeatureAugment::frames(37, d);
    CHECK(frames == std::llround(37 / d.tempo));
    CHECK(frames <= augment.most_frames(37));
    log_sum += std::log(d.tempo), noisy += d.noisy;
  }
  CHECK(log_sum / n == doctest::Approx(0).epsilon(0.01));  // log-uniform around 1
  CHECK(noisy / n == doctest::Approx(0.5).epsilon(0.05));

  FeatureAugmentConfig sometimes = everything();
  sometimes.probability = 0.25;
  const FeatureAugment quarter(sometimes, logmel(16), 16);
  double applied = 0;
  for (int i = 0; i < n; ++i) applied += quarter.draw(5, 0, static_cast<std::size_t>(i)).applied;
  CHECK(applied / n == doctest::Approx(0.25).epsilon(0.1));
}

TEST_CASE("augmentation: tempo keeps the course of a clip between its ends") {
  FeatureAugmentConfig c;
  c.tempo_low = 0.5, c.tempo_high = 2;
  const FeatureAugment augment(c, logmel(3), 3);
  const FeatureMatrix ramp = matrix(41, 3, [](Index t, Index b) { return 2.0 * static_cast<double>(t + 100 * b); });
  for (std::size_t i = 0; i < 20; ++i) {
    const auto draw = augment.draw(1, 0, i);
    const auto out = rendered(augment, ramp, draw);
    const Index frames = FeatureAugment::frames(41, draw);
    for (Index t = 0; t < frames; ++t) {
      const double expected = 80.0 * static_cast<double>(t) / static_cast<double>(frames - 1);
      CHECK(std::abs(out[static_cast<std::size_t>(3 * t)] - expected) < 1e-9);
      CHECK(std::abs(out[static_cast<std::size_t>(3 * t + 2)] - expected - 400) < 1e-9);
    }
  }
  const FeatureMatrix one = matrix(1, 3, [](Index, Index b) { return static_cast<double>(b); });
  for (std::size_t i = 0; i < 20; ++i) CHECK(rendered(augment, one, augment.draw(1, 0, i))[2] == 2);
}

TEST_CASE("augmentation: mel_shift moves the bands up by the drawn amount, fractions too") {
  FeatureAugmentConfig c;
  c.mel_shift = 3;
  const FeatureAugment augment(c, logmel(12), 12);
  const FeatureMatrix bands = matrix(4, 12, [](Index, Index b) { return static_cast<double>(b); });
  for (std::size_t i = 0; i < 20; ++i) {
    const auto draw = augment.draw(1, 0, i);
    const auto out = rendered(augment, bands, draw);
    for (Index b = 0; b < 12; ++b) {
      const double expected = std::clamp(static_cast<double>(b) - draw.shift, 0.0, 11.0);
      CHECK(std::abs(out[static_cast<std::size_t>(12 + b)] - expected) < 1e-9);
    }
  }
}

TEST_CASE("augmentation: level and tilt are decibels of the bands and stop at the floor") {
  FeatureAugmentConfig c;
  c.gain_db = 6, c.tilt_db = 4;
  const FeatureAugment augment(c, logmel(5), 5);
  const FeatureMatrix clip = matrix(2, 5, [](Index t, Index) { return t == 0 ? -20.0 : -100.0; });
  for (std::size_t i = 0; i < 20; ++i) {
    const auto draw = augment.draw(1, 0, i);
    const auto out = rendered(augment, clip, draw);
    CHECK(out[0] == doctest::Approx(-20 + draw.gain_db - draw.tilt_db / 2));
    CHECK(out[4] == doctest::Approx(-20 + draw.gain_db + draw.tilt_db / 2));
    CHECK(*std::min_element(out.begin(), out.end()) >= -100 - 1e-9);
  }
}

TEST_CASE("augmentation: a telephone line keeps the middle of the band and takes its ends away") {
  FeatureAugmentConfig c;
  c.telephone_probability = 1;
  FeatureConfig features = logmel(64);
  features.fmax_hz = 8000;
  const FeatureAugment augment(c, features, 64);
  const FeatureMatrix flat = matrix(2, 64, [](Index, Index) { return -20.0; });
  for (std::size_t i = 0; i < 20; ++i) {
    const auto draw = augment.draw(1, 0, i);
    const auto out = rendered(augment, flat, draw);
    CHECK(draw.telephone);
    CHECK(out[20] == doctest::Approx(-20).epsilon(0.001));
    CHECK(out[0] == doctest::Approx(-20 - draw.line_depth_db));
    CHECK(out[63] == doctest::Approx(-20 - draw.line_depth_db));
  }
}

TEST_CASE("augmentation: the level of cepstra is that of the bands they come from") {
  for (const double lifter : {0.0, 22.0}) {
    FeatureConfig features = feature_preset("mfcc-40");
    features.lifter = lifter;
    FeatureAugmentConfig c;
    c.gain_db = 6;
    const FeatureAugment augment(c, features, 40);
    const auto draw = augment.draw(1, 0, 0);
    const Cepstrum<double> cepstrum(64, 40, lifter);
    std::vector<double> bands(64), louder(64), quiet(40), loud(40);
    for (std::size_t b = 0; b < 64; ++b)
      bands[b] = -30 + std::sin(static_cast<double>(b)), louder[b] = bands[b] + draw.gain_db;
    cepstrum.apply(bands.data(), quiet.data());
    cepstrum.apply(louder.data(), loud.data());
    const auto out =
        rendered(augment, matrix(1, 40, [&](Index, Index k) { return quiet[static_cast<std::size_t>(k)]; }), draw);
    for (std::size_t k = 0; k < 40; ++k) CHECK(std::abs(out[k] - loud[k]) < 1e-4);
  }
}

TEST_CASE("augmentation: noise has the drawn power, is louder in the drawn bands and jitters") {
  FeatureAugmentConfig c;
  c.noise_probability = 1, c.noise_low_db = 0, c.noise_high_db = 20;
  const FeatureAugment augment(c, logmel(16), 16);
  // Half the frames are silent, so that the noise can be seen alone: mean power of the clip 1/2.
  const FeatureMatrix clip = matrix(4000, 16, [](Index t, Index) { return t < 2000 ? 0.0 : -100.0; });
  for (std::size_t i = 0; i < 4; ++i) {
    const auto draw = augment.draw(1, 0, i);
    const auto out = rendered(augment, clip, draw);
    double power = 0, lowest = 0, highest = 0, square = 0;
    for (std::size_t k = 2000 * 16; k < out.size(); ++k) {
      const double p = std::pow(10, out[k] / 10);
      power += p;
      if (k % 16 == 0) lowest += p, square += p * p;
      if (k % 16 == 15) highest += p;
    }
    CHECK(10 * std::log10(0.5 / (power / 32000)) == doctest::Approx(draw.snr_db).epsilon(0.02));
    CHECK(10 * std::log10(highest / lowest) - draw.noise_tilt_db == doctest::Approx(0).epsilon(0.3));
    const double mean = lowest / 2000;
    CHECK(square / 2000 / (mean * mean) - 1 == doctest::Approx(0.5).epsilon(0.1));  // chi-square with four degrees
    CHECK(*std::min_element(out.begin(), out.begin() + 2000 * 16) >= 0);
  }
}

TEST_CASE("augmentation: masks are the training part's mean and no wider than asked") {
  FeatureAugmentConfig c;
  c.time_masks = 2, c.time_mask_frames = 6, c.frequency_masks = 2, c.frequency_mask_channels = 3;
  const FeatureAugment augment(c, logmel(16), 16);
  const FeatureMatrix clip = matrix(50, 16, [](Index t, Index b) { return static_cast<double>(t + b); });
  Normalizer normalizer = plain(16);
  std::fill(normalizer.mean.begin(), normalizer.mean.end(), 1000.0f);
  std::fill(normalizer.scale.begin(), normalizer.scale.end(), 0.5f);
  Index masked_frames = 0, masked_bands = 0, middle_masked = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    std::vector<double> out(50 * 16);
    augment.render(clip, normalizer, augment.draw(1, 0, i), 0, 50, out.data());
    Index frames = 0, bands = 0;
    for (std::size_t t = 0; t < 50; ++t)
      frames += std::all_of(&out[16 * t], &out[16 * t] + 16, [](double v) { return v == 0; });
    for (std::size_t b = 0; b < 16; ++b) {
      bool all_zero = true;
      for (std::size_t t = 0; t < 50; ++t) all_zero = all_zero && out[16 * t + b] == 0;
      bands += all_zero;
      if (b == 8) middle_masked += all_zero;
    }
    CHECK(frames <= 12);
    CHECK(bands <= 6);
    const auto zeros = std::count(out.begin(), out.end(), 0.0);
    CHECK(zeros == frames * 16 + bands * 50 - frames * bands);
    masked_frames += frames, masked_bands += bands;
    for (std::size_t k = 0; k < out.size(); ++k) {
      if (out[k] != 0) CHECK(out[k] == (static_cast<double>(k / 16 + k % 16) - 1000) * 0.5);
    }
  }
  CHECK(masked_frames > 100);  // two masks of 3 frames on average
  CHECK(masked_bands > 50);
  CHECK(middle_masked > 0);
  CHECK(middle_masked < 25);  // anywhere, not always there
}

TEST_CASE("augmented batches: the same bytes in any order and from any thread, within the planned memory") {
  const FeatureSet set = noise_clips(40, 16);
  std::vector<std::size_t> clips(40);
  for (std::size_t i = 0; i < clips.size(); ++i) clips[i] = i;
  const Dataset data(set, clips);
  BatcherConfig config;
  config.batch_size = 7, config.shuffle = config.bucket = config.random_crop = true;
  config.max_frames = 50;
  config.augment = everything();
  config.augment.probability = 0.9;
  Batcher one(data, clips, config), other(data, clips, config);
  CHECK(one.max_time() <= 50);
  const auto room = static_cast<std::size_t>(one.max_shape().size());
  struct Filled {
    std::vector<float> data;
    std::vector<Index> lengths = std::vector<Index>(7);
    std::vector<int> labels = std::vector<int>(7);
  };
  const auto fill = [&](const Batcher& batcher, Index b) {
    Filled f;
    f.data.assign(room + 1, -12345.0f);
    const Shape shape = batcher.fill<float>(b, {f.data.data(), f.lengths.data(), f.labels.data(), nullptr});
    CHECK(shape == batcher.shape(b));
    CHECK(shape.time <= batcher.max_time());
    CHECK(f.data.back() == -12345.0f);
    CHECK(std::all_of(f.data.begin(), f.data.end(), [](float v) { return std::isfinite(v); }));
    return f.data;
  };
  std::vector<std::vector<float>> first;
  for (const std::uint64_t epoch : {0, 1, 2}) {
    one.start_epoch(epoch), other.start_epoch(epoch);
    const auto n = static_cast<std::size_t>(one.batches());
    std::vector<std::vector<float>> forward, threaded(n);
    for (Index b = 0; b < one.batches(); ++b) forward.push_back(fill(one, b));
    std::vector<std::thread> threads;
    for (std::size_t b = n; b-- > 0;)
      threads.emplace_back([&, b] { threaded[b] = fill(other, static_cast<Index>(b)); });
    for (std::thread& thread : threads) thread.join();
    CHECK(forward == threaded);
    CHECK(forward != first);
    first = forward;
  }
}

TEST_CASE("augmented batches: a clip left alone has the bytes of a plain batch; slow clips count in max_time") {
  const FeatureSet set = noise_clips(12, 16);
  std::vector<std::size_t> clips(12);
  for (std::size_t i = 0; i < clips.size(); ++i) clips[i] = i;
  const Dataset data(set, clips);
  BatcherConfig config;
  config.batch_size = 1;
  const Batcher untouched(data, clips, config);
  config.augment = everything();
  CHECK(Batcher(data, clips, config).max_time() == std::llround(static_cast<double>(set.longest()) / 0.8));
  config.augment.probability = 1e-9;
  Batcher left_alone(data, clips, config);
  for (Index b = 0; b < 12; ++b) {
    const Shape shape = untouched.shape(b);
    std::vector<float> x(static_cast<std::size_t>(shape.size())), y(x.size());
    Index length = 0;
    int label = 0;
    untouched.fill<float>(b, {x.data(), &length, &label, nullptr});
    CHECK(left_alone.fill<float>(b, {y.data(), &length, &label, nullptr}) == shape);
    CHECK(x == y);
  }
}

TEST_CASE("joined clips: one speaker and label, pauses of the quietest frame, up to the longest clip, and to the bit") {
  // Every value of a clip tells its place, so that each frame of a batch says where it comes from.
  FeatureSet set = noise_clips(12, 4);
  set.manifest.labels = {"angry", "happy"};
  for (std::size_t i = 0; i < 12; ++i) {
    set.manifest.clips[i].speaker = i % 2 == 0 ? "anna" : "bert";
    set.manifest.clips[i].label = i % 4 < 2 ? set.manifest.labels[0] : set.manifest.labels[1];
    std::fill(set.clips[i].values.begin(), set.clips[i].values.end(), static_cast<float>(i + 1));
  }
  std::vector<std::size_t> clips(12);
  std::iota(clips.begin(), clips.end(), std::size_t{0});
  const Dataset data(set, clips, Standardise::none);
  BatcherConfig config;
  config.batch_size = 12, config.max_frames = 200;
  config.augment.join_probability = 1;
  Batcher batcher(data, clips, config);
  CHECK(batcher.max_time() == 200);
  std::vector<float> values(static_cast<std::size_t>(batcher.max_shape().size()));
  std::vector<Index> lengths(12);
  std::vector<int> labels(12);
  std::size_t others = 0;
  for (std::uint64_t epoch = 0; epoch < 5; ++epoch) {
    batcher.start_epoch(epoch);
    const Shape shape = batcher.fill<float>(0, {values.data(), lengths.data(), labels.data(), nullptr});
    for (std::size_t b = 0; b < 12; ++b) {
      CHECK(lengths[b] > set.clips[b].frames);
      for (Index t = 0; t < lengths[b]; ++t) {
        const auto from = static_cast<std::size_t>(
                              values[(b * static_cast<std::size_t>(shape.time) + static_cast<std::size_t>(t)) * 4]) -
                          1;
        const bool akin = from % 4 == b % 4;
        CHECK(akin);
        others += from != b;
      }
    }
    std::vector<float> again(values.size());
    batcher.fill<float>(0, {again.data(), lengths.data(), labels.data(), nullptr});
    CHECK(again == values);
  }
  CHECK(others > 100);
  config.augment.join_probability = 0, config.augment.gain_db = 1;
  CHECK(Batcher(data, clips, config).max_time() < 200);
  config.max_frames = 0, config.augment.join_probability = 1;
  CHECK(has(test::error_of([&] { Batcher(data, clips, config); }), "data.augment.join_probability"));
}
