// Several models in a call: what each says alone, mixed; features that members share are computed once.
#include <doctest/doctest.h>

#include <cmath>

#include "call_counter.h"
#include "serene/call/emotion_batch.h"
#include "session_fixture.h"

using namespace serene;
using namespace serene::test;

namespace {

CallConfig quick_config() {
  CallConfig config;
  config.window_s = 1.5;
  config.hop_s = 0.2;
  config.min_window_s = 0.5;
  return config;
}

// Other weights, labels in another order; bands: other features, at another rate and hop.
Checkpoint other_checkpoint(bool bands) {
  Checkpoint c = random_checkpoint();
  c.labels = {"angry", "calm", "neutral", "sad", "happy"};
  c.temperature = 0.7;
  initialize<float>(build_model_of(c).layout(), 9, c.params.data());
  if (!bands) return c;
  c.features = parse_json(R"({"preset": "logmel-64", "rate_hz": 16000, "n_fft": 512, "win_length": 400,
    "hop_length": 256, "n_mels": 12, "fmin_hz": 80, "trim_top_db": null})",
                          "features");
  return c;
}

CallModel model_of(Ensemble e) { return CallModel(Recognizer(std::move(e)), quick_config(), small_playbook()); }

std::vector<float> customer() { return joined({quiet(0.3, 8000), voice(2.5, 8000, 0.3), quiet(0.4, 8000)}); }

std::vector<Event> emotions(const CallModel& model) {
  return played(model, 8000, customer(), quiet(3.2, 8000)).of(EventType::emotion);
}

}  // namespace

TEST_CASE("ensemble in a call: one member twice is that member alone") {
  const auto alone = emotions(model_of(ensemble_of(random_checkpoint())));
  const CallModel twice = model_of(make_ensemble({random_checkpoint(), random_checkpoint()}));
  CHECK(twice.recognizer().streams().size() == 1);
  const auto together = emotions(twice);
  REQUIRE(alone.size() == together.size());
  REQUIRE(alone.size() > 4);
  for (std::size_t i = 0; i < alone.size(); ++i) {
    for (std::size_t s = 0; s < 4; ++s)
      CHECK(together[i].window[s] == doctest::Approx(alone[i].window[s]).epsilon(1e-12));
  }
}

TEST_CASE("ensemble in a call: each window is the weighted mean of what the members say, by label") {
  const std::vector<double> weights{1, 3};
  const CallModel mixed = model_of(make_ensemble({random_checkpoint(), other_checkpoint(false)}, weights));
  CHECK(mixed.recognizer().streams().size() == 1);
  const CallModel first = model_of(ensemble_of(random_checkpoint()));
  const CallModel second = model_of(ensemble_of(other_checkpoint(false)));
  const auto all = emotions(mixed), a = emotions(first), b = emotions(second);
  REQUIRE(all.size() == a.size());
  REQUIRE(all.size() == b.size());
  const auto names = mixed.state_names(), others = second.state_names();
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t s = 0; s < names.size(); ++s) {
      const auto place = static_cast<std::size_t>(std::find(others.begin(), others.end(), names[s]) - others.begin());
      REQUIRE(place < others.size());
      CHECK(all[i].window[s] == doctest::Approx(0.25 * a[i].window[s] + 0.75 * b[i].window[place]).epsilon(1e-9));
    }
  }
}

TEST_CASE("ensemble in a call: members of different features, in any chunking, sharing a batch, without allocating") {
  Ensemble e = make_ensemble({random_checkpoint(), other_checkpoint(true), other_checkpoint(false)});
  e.temperature = 0.6;
  const CallModel model = model_of(std::move(e));
  CHECK(model.recognizer().streams().size() == 2);
  const std::vector<float> y = customer(), silence = quiet(3.2, 8000);
  const std::string expected = played(model, 8000, y, silence).lines();
  CHECK(expected.find("emotion") != std::string::npos);
  EmotionBatch batch(model, 5);
  Recorder r(model);
  Session session(model, {.rate_hz = {8000, 8000}, .batch = &batch}, r);
  for (std::size_t at = 0; at < y.size(); at += 777) {
    const std::size_t n = std::min<std::size_t>(777, y.size() - at);
    session.push(Leg::customer, std::span(y).subspan(at, n));
    session.push(Leg::agent, std::span(silence).subspan(at, n));
    if (at % 5 == 0) batch.run(), session.deliver();
  }
  session.finish();
  CHECK(r.lines() == expected);

  Counter sink;
  Session quick(model, {.rate_hz = {8000, 8000}, .agent_leg = false}, sink);
  const long before = serene::test::allocations();
  for (std::size_t at = 0; at + 160 <= y.size(); at += 160) quick.push(Leg::customer, std::span(y).subspan(at, 160));
  CHECK(serene::test::allocations() == before);
  CHECK(sink.emotions > 3);
}

TEST_CASE("ensemble: a file's answer is the mean of the members', and the timeline covers the file") {
  const std::vector<float> y = customer();
  const Recognizer a(random_checkpoint()), b(other_checkpoint(false));
  Ensemble e = make_ensemble({random_checkpoint(), other_checkpoint(false)});
  e.uncertain_below = 0.999;
  const Recognizer both(e);
  const auto p = both.recognize(y).probabilities, pa = a.recognize(y).probabilities, pb = b.recognize(y).probabilities;
  for (std::size_t k = 0; k < p.size(); ++k) {
    const auto place = std::find(b.labels().begin(), b.labels().end(), both.labels()[k]) - b.labels().begin();
    CHECK(p[k] == doctest::Approx((pa[k] + pb[static_cast<std::size_t>(place)]) / 2));
  }
  CHECK(both.recognize(y).uncertain);
  CHECK_FALSE(a.recognize(y).uncertain);
  const Recognizer rates(make_ensemble({random_checkpoint(), other_checkpoint(true)}));
  CHECK_THROWS_AS(rates.recognize(y), Error);
  CHECK_THROWS_AS(both.recognize_timeline("nothing.wav", 0), Error);
}

TEST_CASE("ensemble in a call: an answer that is not a number counts as none, the other members go on") {
  Checkpoint broken = random_checkpoint();
  for (float& w : broken.params) w *= 1e30f;
  const auto events = emotions(model_of(make_ensemble({random_checkpoint(), broken})));
  REQUIRE(!events.empty());
  for (const Event& event : events) {
    double sum = 0;
    for (std::size_t s = 0; s < 4; ++s) sum += event.window[s];
    CHECK(sum == doctest::Approx(1));
  }
}
