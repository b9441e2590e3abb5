// Standardising with what the customer has said so far.
#include <doctest/doctest.h>

#include <cmath>

#include "call_counter.h"
#include "serene/call/emotion_batch.h"
#include "session_fixture.h"

using namespace serene;
using namespace serene::test;

namespace {

constexpr Index kDim = 3;

std::vector<float> normal_frames(Index count, double mean, double deviation, std::uint64_t seed) {
  Random random(seed, Purpose::test);
  std::vector<float> values(static_cast<std::size_t>(count * kDim));
  for (float& v : values) v = static_cast<float>(mean + deviation * random.normal());
  return values;
}

Normalizer of(float mean, float deviation) {
  return {{mean, mean, mean}, {1 / deviation, 1 / deviation, 1 / deviation}};
}

CallConfig running_config() {
  CallConfig config;
  config.window_s = 1.5;
  config.hop_s = 0.2;
  config.min_window_s = 0.5;
  config.running_normalisation = true;
  config.prior_s = 2;
  return config;
}

}  // namespace

TEST_CASE("running normalisation: training statistics at the start, the speaker's own at last") {
  const Normalizer training = of(-40, 12);
  SpeechStatistics speech(kDim);
  Normalizer now = training;
  speech.blend(training, 500, now);
  for (std::size_t d = 0; d < kDim; ++d) {
    CHECK(now.mean[d] == training.mean[d]);
    CHECK(now.scale[d] == doctest::Approx(training.scale[d]).epsilon(1e-6));
  }
  const auto frames = normal_frames(200000, -55, 5, 3);
  for (std::size_t i = 0; i < frames.size(); i += kDim) speech.add(frames.data() + i);
  speech.blend(training, 500, now);
  for (std::size_t d = 0; d < kDim; ++d) {
    CHECK(now.mean[d] == doctest::Approx(-55).epsilon(0.005));
    CHECK(1 / now.scale[d] == doctest::Approx(5).epsilon(0.05));
  }
  speech.reset();
  speech.blend(training, 500, now);
  CHECK(now.mean[1] == training.mean[1]);
  CHECK(speech.frames() == 0);
}

TEST_CASE("running normalisation: the prior counts as so many frames that were really heard") {
  // k frames of the training part with exactly its mean and deviation, then the speech: measured together.
  const auto speech_frames = normal_frames(300, 4, 3, 8);
  std::vector<float> all;
  for (int i = 0; i < 100; ++i) {
    for (Index d = 0; d < kDim; ++d) all.push_back(i % 2 == 0 ? -1.0f : 3.0f);  // mean 1, deviation 2
  }
  all.insert(all.end(), speech_frames.begin(), speech_frames.end());
  FeatureMatrix together;
  together.frames = 400, together.dim = kDim, together.values = all;
  const FeatureMatrix* const list[] = {&together};
  const Normalizer expected = fit_normalizer(list);
  SpeechStatistics speech(kDim);
  for (std::size_t i = 0; i < speech_frames.size(); i += kDim) speech.add(speech_frames.data() + i);
  Normalizer now = of(1, 2);
  speech.blend(of(1, 2), 100, now);
  for (std::size_t d = 0; d < kDim; ++d) {
    CHECK(now.mean[d] == doctest::Approx(expected.mean[d]).epsilon(1e-6));
    CHECK(now.scale[d] == doctest::Approx(expected.scale[d]).epsilon(1e-6));
  }
}

TEST_CASE("running normalisation: a channel that never moves gives numbers") {
  SpeechStatistics speech(kDim);
  const float frame[kDim] = {1, 1, 1};
  for (int i = 0; i < 100000; ++i) speech.add(frame);
  Normalizer training = of(1, 1), now = training;
  training.scale = {3e38f, 1e-38f, 1};
  speech.blend(training, 10, now);
  for (std::size_t d = 0; d < kDim; ++d) {
    CHECK(std::isfinite(now.mean[d]));
    CHECK(std::isfinite(now.scale[d]));
    CHECK(now.scale[d] > 0);
  }
}

TEST_CASE("running normalisation: a call's events do not depend on how its sound was cut") {
  const CallModel model = call_model(random_checkpoint(), running_config());
  const std::vector<float> customer =
      joined({quiet(0.3, 8000), voice(2.4, 8000, 0.3), quiet(0.8, 8000), voice(2, 8000, 0.1, 200)});
  const std::vector<float> agent = quiet(5.5, 8000);
  const std::string expected = played(model, 8000, customer, agent).lines();
  CHECK(expected != played(call_model(random_checkpoint(),
                                      [] {
                                        CallConfig c = running_config();
                                        c.running_normalisation = false;
                                        return c;
                                      }()),
                           8000, customer, agent)
                        .lines());
  Random random(11, Purpose::test);
  for (int trial = 0; trial < 4; ++trial) {
    Recorder r(model);
    Session session(model, {.rate_hz = {8000, 8000}}, r);
    std::size_t c = 0, a = 0;
    while (c < customer.size() || a < agent.size()) {
      const std::size_t n = std::min(customer.size() - c, static_cast<std::size_t>(random.below(3000)));
      c += static_cast<std::size_t>(session.push(Leg::customer, std::span(customer).subspan(c, n)));
      const std::size_t m = std::min(agent.size() - a, static_cast<std::size_t>(random.below(3000)));
      a += static_cast<std::size_t>(session.push(Leg::agent, std::span(agent).subspan(a, m)));
    }
    session.finish();
    CHECK(r.lines() == expected);
  }
}

TEST_CASE("running normalisation: the voice's level no longer decides, once it was heard for long") {
  // This model hears loudness alone: a voice at 0.3 is angry to it. By its own measure no voice is loud.
  const auto anger = [](bool running) {
    CallConfig config;
    config.running_normalisation = running;
    config.prior_s = 0.5;
    const CallModel model = call_model(loudness_checkpoint(), config);
    const auto events = played(model, 8000, voice(20, 8000, 0.3), quiet(20, 8000)).of(EventType::emotion);
    REQUIRE(events.size() > 10);
    return events.back().probabilities[1];
  };
  CHECK(anger(false) > 0.7);
  CHECK(anger(true) < 0.6);
}

TEST_CASE("running normalisation: consent that is withdrawn erases what was measured") {
  CallConfig config = running_config();
  const FeatureConfig features = feature_config_of(random_checkpoint());
  SpeechWindow window(config, features, 8000);
  const std::vector<float> y = voice(0.02, 8000);
  LegBlock block;
  block.speech = true;
  for (int i = 0; i < 20; ++i) window.push(y, block);
  REQUIRE(window.frames().statistics != nullptr);
  CHECK(window.frames().statistics->frames() > 20);
  window.reset();
  CHECK(window.frames().statistics->frames() == 0);
}

TEST_CASE("running normalisation: nothing allocates") {
  const CallModel model = call_model(random_checkpoint(), running_config());
  Counter sink;
  Session session(model, {.rate_hz = {8000, 8000}, .agent_leg = false}, sink);
  const std::vector<float> y = voice(3, 8000);
  const long before = serene::test::allocations();
  for (std::size_t i = 0; i + 160 <= y.size(); i += 160) session.push(Leg::customer, std::span(y).subspan(i, 160));
  CHECK(serene::test::allocations() == before);
  CHECK(sink.emotions > 3);
}

TEST_CASE("running normalisation: a model of features that were not standardised is refused") {
  Checkpoint c = random_checkpoint();
  c.normalizer.mean.assign(12, 0.0f);
  c.normalizer.scale.assign(12, 1.0f);
  CHECK_NOTHROW(call_model(c));
  CHECK_THROWS_AS(call_model(c, running_config()), Error);
}
