// Sessions that ask the model together tell what each would tell alone.
#include "serene/call/emotion_batch.h"

#include <doctest/doctest.h>

#include <memory>

#include "call_counter.h"
#include "session_fixture.h"

using namespace serene;
using namespace serene::test;

namespace {

CallConfig quick_config() {
  CallConfig config;
  config.window_s = 1.5;
  config.hop_s = 0.2;
  config.min_window_s = 0.5;
  config.silence_after_s = 0.4;
  config.no_speech_after_s = 0.7;
  config.max_skew_s = 2;
  return config;
}

struct ShortCall {
  std::vector<float> customer, agent;
};

ShortCall short_call(std::uint64_t seed) {
  const double level = 0.05 + 0.07 * static_cast<double>(seed % 5);
  return {joined({quiet(0.1 * static_cast<double>(seed % 4), 8000), voice(1.6, 8000, level, 120, seed),
                  quiet(0.9, 8000), voice(0.9, 8000, 0.1, 180, seed + 1), quiet(0.3, 8000)}),
          joined({quiet(1.2, 8000), voice(0.8, 8000, 0.2, 200, seed + 2), quiet(1.1, 8000)})};
}

constexpr SessionOptions kTelephone{.rate_hz = {8000, 8000}};

std::string alone(const CallModel& model, const ShortCall& call) {
  Recorder r(model);
  Session session(model, kTelephone, r);
  play(session, {8000, 8000}, call.customer, call.agent);
  return r.lines();
}

// One call among others: what is left to push, and who listens.
struct Line {
  Recorder recorder;
  Session session;
  std::array<std::span<const float>, 2> left;

  Line(const CallModel& model, const ShortCall& call, EmotionBatch& batch)
      : recorder(model),
        session(model, {.rate_hz = {8000, 8000}, .batch = &batch}, recorder),
        left{call.customer, call.agent} {}
  bool over() const { return left[0].empty() && left[1].empty(); }
  void push(Random& random) {
    for (std::size_t leg : {0u, 1u}) {
      const std::size_t n = std::min<std::size_t>(left[leg].size(), random.below(2000));
      left[leg] = left[leg].subspan(static_cast<std::size_t>(session.push(static_cast<Leg>(leg), left[leg].first(n))));
    }
  }
};

}  // namespace

TEST_CASE("emotion batch: many sessions tell what each tells alone, byte for byte, for random chunkings") {
  const CallModel model = call_model(random_checkpoint(), quick_config());
  constexpr std::size_t kCalls = 7;
  std::vector<ShortCall> calls;
  std::vector<std::string> expected;
  for (std::size_t i = 0; i < kCalls; ++i) {
    calls.push_back(short_call(i));
    expected.push_back(alone(model, calls.back()));
    CHECK(expected.back().find("\"emotion\"") != std::string::npos);
  }
  int different = 0;
  for (std::uint64_t trial = 0; trial < 40; ++trial) {
    Random random(trial, Purpose::test, 9);
    EmotionBatch batch(model, 1 + static_cast<Index>(random.below(12)), 1 + static_cast<int>(trial % 3));
    std::vector<std::unique_ptr<Line>> lines;
    for (const ShortCall& call : calls) lines.push_back(std::make_unique<Line>(model, call, batch));
    const std::uint64_t patience = 1 + random.below(4);  // some trials ask rarely
    for (bool any = true; any;) {
      any = false;
      for (auto& line : lines) {
        if (line->over()) continue;
        any = true;
        line->push(random);
      }
      if (random.below(patience) == 0) batch.run();
      for (auto& line : lines) line->session.deliver();
    }
    for (std::size_t i = 0; i < kCalls; ++i) {
      lines[i]->session.finish();
      different += lines[i]->recorder.lines() == expected[i] ? 0 : 1;
    }
    CHECK(batch.waiting() == 0);
  }
  CHECK(different == 0);
}

TEST_CASE("emotion batch: windows of several sessions share a pass, and events come when they are delivered") {
  const CallModel model = call_model(random_checkpoint(), quick_config());
  EmotionBatch batch(model, 8);
  const ShortCall call = short_call(1);
  Line a(model, call, batch), b(model, call, batch);
  for (Line* line : {&a, &b}) {
    line->session.push(Leg::agent, std::span(call.agent).first(8000));
    line->session.push(Leg::customer, std::span(call.customer).first(6400));  // one window each
  }
  CHECK(batch.waiting() == 2);
  CHECK(a.recorder.of(EventType::emotion).empty());
  const std::int64_t held_ms = a.session.time_ms();
  batch.run();
  CHECK(a.recorder.of(EventType::emotion).empty());
  a.session.deliver();
  CHECK(a.recorder.of(EventType::emotion).size() == 1);
  CHECK(a.session.time_ms() > held_ms);
  CHECK(b.recorder.of(EventType::emotion).empty());
  b.session.deliver();
  CHECK(b.recorder.of(EventType::emotion).size() == 1);
  CHECK(batch.passes() == 1);
  CHECK(batch.windows() == 2);
  CHECK(a.session.emotion_passes() == 1);
}

TEST_CASE("emotion batch: a session may end, or object, while its window waits") {
  const CallModel model = call_model(random_checkpoint(), quick_config());
  EmotionBatch batch(model, 8);
  const ShortCall call = short_call(1);
  {
    Line gone(model, call, batch);
    gone.session.push(Leg::customer, std::span(call.customer).first(6400));
    CHECK(batch.waiting() == 1);
  }
  Line objects(model, call, batch);
  objects.session.push(Leg::customer, std::span(call.customer).first(6400));
  objects.session.push(Leg::agent, std::span(call.agent).first(6400));
  objects.session.set_consent(false);
  batch.run();
  objects.session.deliver();
  objects.session.finish();
  CHECK(objects.recorder.of(EventType::emotion).empty());
  CHECK(objects.recorder.of(EventType::call, EventAction::end).size() == 1);
}

TEST_CASE("emotion batch: nothing allocates, and calls without it share their weights") {
  const CallModel model = call_model(random_checkpoint(), quick_config());
  EmotionBatch batch(model, 4);
  const ShortCall call = short_call(2);
  Counter sink;
  Session a(model, {.rate_hz = {8000, 8000}, .batch = &batch}, sink);
  Session b(model, {.rate_hz = {8000, 8000}, .batch = &batch}, sink);
  const long before = serene::test::allocations(), locks = serene::test::locks();
  for (std::size_t at = 0; at + 160 < call.agent.size() && at + 160 < call.customer.size(); at += 160) {
    for (Session* s : {&a, &b}) {
      s->push(Leg::customer, std::span(call.customer).subspan(at, 160));
      s->push(Leg::agent, std::span(call.agent).subspan(at, 160));
    }
    batch.run();
    a.deliver();
    b.deliver();
  }
  a.finish();
  b.finish();
  CHECK(serene::test::allocations() == before);
  CHECK(serene::test::locks() == locks);
  CHECK(sink.emotions > 4);
}

TEST_CASE("emotion batch: sizes out of range are refused") {
  const CallModel model = call_model(random_checkpoint(), quick_config());
  CHECK_THROWS_AS(EmotionBatch(model, 0), Error);
  CHECK_THROWS_AS(EmotionBatch(model, 1 << 20), Error);
}
