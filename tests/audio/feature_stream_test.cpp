// A stream gives the same bits however it is cut, and what the offline formulas give.
#include "serene/audio/feature_stream.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "serene/audio/delta.h"
#include "serene/audio/features.h"
#include "serene/core/random.h"

using namespace serene;

namespace {

std::vector<float> signal(std::size_t n) {
  Random random(3, Purpose::test, n);
  std::vector<float> y(n);
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = static_cast<float>(0.3 * std::sin(0.05 * static_cast<double>(i)) + 0.05 * random.normal());
  }
  return y;
}

std::vector<float> stream_in_pieces(FeatureStream& stream, std::span<const float> y, Random& random,
                                    std::size_t largest) {
  std::vector<float> out, frame(static_cast<std::size_t>(stream.dim()));
  stream.reset();
  const auto drain = [&] {
    while (stream.pop(frame.data())) out.insert(out.end(), frame.begin(), frame.end());
  };
  while (!y.empty()) {
    const std::size_t n = std::min<std::size_t>(y.size(), random.below(largest + 1));
    std::span<const float> piece = y.subspan(0, n);
    y = y.subspan(n);
    while (!piece.empty()) {
      piece = piece.subspan(static_cast<std::size_t>(stream.push(piece)));
      // Some frames wait for a later push.
      if (!piece.empty() || random.below(3) == 0) drain();
    }
  }
  stream.finish();
  drain();
  return out;
}

FeatureConfig untrimmed(const std::string& preset) {
  FeatureConfig c = feature_preset(preset);
  c.trim_top_db.reset();
  return c;
}

}  // namespace

TEST_CASE("any chunking of a signal gives the same bits as the whole") {
  std::vector<FeatureConfig> configs{untrimmed("mfcc-40"), untrimmed("logmel-64"), untrimmed("mfcc-40"),
                                     untrimmed("mfcc-40")};
  configs[1].deltas = 1;
  configs[2].deltas = 2;
  configs[2].n_fft = 1024;
  configs[2].win_length = 401;
  configs[3].center = false;
  configs[3].hop_length = 77;
  Random random(11, Purpose::test);
  for (const FeatureConfig& config : configs) {
    FeatureStream stream(config, 4096);
    for (int trial = 0; trial < 250; ++trial) {
      const std::vector<float> y = signal(600 + random.below(6000));
      const FeatureMatrix whole = extract_features(config, y);
      const std::size_t largest = trial % 3 == 0 ? 3 : trial % 3 == 1 ? 500 : 9000;
      REQUIRE(stream_in_pieces(stream, y, random, largest) == whole.values);
    }
  }
}

TEST_CASE("the stream equals the offline formulas") {
  const std::vector<float> y = signal(20000);
  const std::vector<double> exact(y.begin(), y.end());
  FeatureConfig config = untrimmed("mfcc-40");
  config.deltas = 2;
  const FeatureMatrix got = extract_features(config, y);
  FrameMatrix<double> db = mel_spectrogram<double>(exact, stft_config(config), mel_config(config));
  power_to_db(db, 1.0, config.amin, {});
  const FrameMatrix<double> mfcc = mfcc_from_db(db, config.n_mfcc);
  const FrameMatrix<double> slope = delta(mfcc, 9, 1), curve = delta(mfcc, 9, 2);
  REQUIRE(got.frames == mfcc.frames);
  REQUIRE(got.dim == 120);
  double worst = 0;
  for (Index t = 0; t < got.frames; ++t) {
    for (Index d = 0; d < 40; ++d) {
      worst = std::max({worst, std::abs(got.row(t)[d] - mfcc.row(t)[d]), std::abs(got.row(t)[40 + d] - slope.row(t)[d]),
                        std::abs(got.row(t)[80 + d] - curve.row(t)[d])});
    }
  }
  CHECK(worst < 2e-3);
}

TEST_CASE("short signals, silence and broken samples give finite frames") {
  FeatureConfig config = untrimmed("mfcc-40");
  config.deltas = 1;
  for (const std::size_t n : {1u, 2u, 159u, 160u, 400u, 1000u}) {
    const FeatureMatrix m = extract_features(config, signal(n));
    CHECK(m.frames == 1 + static_cast<Index>(n) / 160);
    for (const float v : m.values) CHECK(std::isfinite(v));
  }
  std::vector<float> bad(2000, 1e38f);
  bad[5] = std::numeric_limits<float>::quiet_NaN();
  bad[900] = -std::numeric_limits<float>::infinity();
  for (const std::string& preset : feature_preset_names()) {
    std::vector<float> y = bad;
    y.resize(40000, 0.0f);
    for (const float v : extract_features(feature_preset(preset), y).values) REQUIRE(std::isfinite(v));
    for (const float v : extract_features(feature_preset(preset), std::vector<float>(40000)).values)
      REQUIRE(std::isfinite(v));
  }
  FeatureStream stream(config);
  stream.push(bad);
  CHECK(stream.bad_samples() == 2);
}

TEST_CASE("trimming removes silence at the ends only") {
  std::vector<float> y(16000, 0.0f);
  const std::vector<float> speech = signal(16000);
  y.insert(y.end(), speech.begin(), speech.end());
  y.resize(48000, 0.0f);
  const Index frames = extract_features(feature_preset("mfcc-40"), y).frames;
  CHECK(frames >= 100);
  CHECK(frames <= 106);
  CHECK(extract_features(untrimmed("mfcc-40"), y).frames == 301);
}
