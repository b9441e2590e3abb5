// The frames of a window are those of the file; speech alone enters it.
#include "serene/call/speech_window.h"

#include <doctest/doctest.h>

#include "session_fixture.h"

using namespace serene;
using namespace serene::test;

namespace {

FeatureConfig small_features() {
  const Checkpoint c = random_checkpoint();
  JsonReader reader(c.features, "features");
  return feature_config_from_json(reader);
}

LegBlock speech(bool on, int onset = 0) {
  LegBlock b;
  b.speech = on;
  b.onset_blocks = onset;
  return b;
}

}  // namespace

TEST_CASE("speech window: the ring holds the last frames of the stream") {
  const FeatureConfig features = small_features();
  CallConfig config;
  config.window_s = 1;
  SpeechWindow window(config, features, 8000);
  const std::vector<float> y = voice(4, 8000);
  const FeatureMatrix expected = extract_features(features, y);
  int due = 0;
  Index seen = 0;
  for (std::size_t i = 0; i + 160 <= y.size(); i += 160) {
    LegBlock block = speech(true);
    window.push(std::span(y).subspan(i, 160), block);
    if (window.due()) ++due, window.start_hop();
    const SeqView<const float> w = window.frames().frames;
    // A frame is there as soon as its 200 samples are, 100 of them before its centre.
    seen = static_cast<Index>(i + 160) < 100 ? 0 : 1 + (static_cast<Index>(i) + 60) / 80;
    REQUIRE(w.shape.time == std::min<Index>(seen, 100));
    REQUIRE(std::equal(w.data, w.data + w.shape.time * 12, expected.row(seen - w.shape.time)));
  }
  CHECK(due == 6);  // at 1.02 s, when 100 frames are whole, 1.52 s, ...
  CHECK(window.window_ms() == 1000);
}

TEST_CASE("speech window: silence stays out, the onset comes in, a long silence clears") {
  const FeatureConfig features = small_features();
  CallConfig config;
  config.no_speech_after_s = 1;
  SpeechWindow window(config, features, 8000);
  const std::vector<float> y = voice(0.02, 8000);
  const auto push = [&](LegBlock block) {
    window.push(y, block);
    return block.forgotten;
  };
  for (int i = 0; i < 20; ++i) push(speech(false));
  CHECK(window.frames().frames.shape.time == 0);
  push(speech(true, 3));
  CHECK(window.frames().frames.shape.time == 8);
  LegBlock lost = speech(true);
  lost.lost = true;
  push(lost);
  CHECK(window.frames().frames.shape.time == 8);
  for (int i = 0; i < 49; ++i) CHECK_FALSE(push(speech(false)));
  CHECK(window.frames().frames.shape.time == 8);
  CHECK(push(speech(false)));
  CHECK(window.frames().frames.shape.time == 0);
  CHECK_FALSE(push(speech(false)));
  push(speech(true, 1));
  window.reset();
  CHECK(window.frames().frames.shape.time == 0);
}

TEST_CASE("speech window: what a call hears at another rate is what the model learned from files") {
  const FeatureConfig features = small_features();
  CallConfig config;
  config.window_s = 5;
  for (const int rate : {16000, 44100, 48000}) {
    // A voice, and noise up to half the rate: the top of the model's band counts, and what lies above must stay out.
    std::vector<float> y = voice(4, rate);
    const std::vector<float> noise = white_noise(4, rate, 0.02);
    for (std::size_t i = 0; i < y.size(); ++i) y[i] += noise[i];
    SpeechWindow window(config, features, rate);
    const auto step = static_cast<std::size_t>(rate / 50);
    for (std::size_t i = 0; i + step <= y.size(); i += step) {
      LegBlock block = speech(true);
      window.push(std::span(y).subspan(i, step), block);
    }
    const FeatureMatrix file = extract_features(features, resample(y, rate, features.rate_hz));
    const SeqView<const float> live = window.frames().frames;  // from the first frame on: 4 s are less than the window
    REQUIRE(live.shape.time > 350);
    REQUIRE(live.shape.time <= file.frames);
    double worst = 0;
    for (Index t = 50; t < 350; ++t) {
      for (Index k = 0; k < 12; ++k) {
        worst = std::max(worst, std::abs(static_cast<double>(live.data[t * 12 + k]) - file.row(t)[k]));
      }
    }
    CHECK_MESSAGE(worst < 0.05, rate << " Hz: " << worst << " dB");
  }
}

TEST_CASE("live resampling gives the samples of the whole signal, later") {
  for (const std::pair<int, int>& rates :
       {std::pair{48000, 16000}, {8000, 16000}, {44100, 16000}, {44100, 8000}, {8000, 22050}}) {
    const int from = rates.first, to = rates.second;
    LiveResampler live(from, to, from / 50);
    const std::vector<float> y = voice(1, from, 0.3, 140);
    std::vector<float> got;
    for (std::size_t i = 0; i + static_cast<std::size_t>(from / 50) <= y.size();
         i += static_cast<std::size_t>(from / 50)) {
      const auto part = live.push(std::span(y).subspan(i, static_cast<std::size_t>(from / 50)));
      got.insert(got.end(), part.begin(), part.end());
    }
    const std::vector<float> whole = resample(y, from, to);
    CHECK(static_cast<double>(got.size()) > 0.97 * to);
    REQUIRE(got.size() <= whole.size() + 2);
    double error = 0, energy = 0;
    for (std::size_t i = 0; i < std::min(got.size(), whole.size()); ++i) {
      error += std::pow(got[i] - whole[i], 2);
      energy += std::pow(whole[i], 2);
    }
    CHECK_MESSAGE(error < 1e-3 * energy, from << " to " << to << ": " << error / energy);
  }
}
