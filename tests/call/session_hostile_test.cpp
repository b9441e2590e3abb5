// Samples, counts and orders of calls that no decent caller would give.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "session_fixture.h"

using namespace serene;
using namespace serene::test;

TEST_CASE("samples that are not numbers count as silence and are reported") {
  const CallModel model = call_model(random_checkpoint());
  auto customer = joined({quiet(1, 8000), voice(5, 8000)});
  for (std::size_t i = 100; i < customer.size(); i += 997) customer[i] = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t i = 200; i < customer.size(); i += 1999) customer[i] = std::numeric_limits<float>::infinity();
  for (std::size_t i = 300; i < customer.size(); i += 2999) customer[i] = -1e30f;
  const Recorder r = played(model, 8000, customer, std::vector<float>(48000, std::numeric_limits<float>::quiet_NaN()));
  for (const Event& e : r.events) {
    for (const double v :
         {e.confidence, e.negative, e.slope_per_min, e.level_dbfs, e.snr_db, e.loss, e.clipping, e.value}) {
      CHECK(std::isfinite(v));
    }
    for (const double p : e.probabilities) CHECK(std::isfinite(p));
  }
  const auto quality = r.of(EventType::quality);
  REQUIRE_FALSE(quality.empty());
  CHECK(quality.back().bad_samples > 0);
  CHECK(r.lines().find("null") == std::string::npos);
}

TEST_CASE("absurd pushes, losses and calls after the end do nothing") {
  const CallModel model = call_model(random_checkpoint());
  for (const bool agent_leg : {true, false}) {
    Recorder r(model);
    Session session(model, {.rate_hz = {8000, 16000}, .agent_leg = agent_leg}, r);
    CHECK(session.push(Leg::customer, {}) == 0);
    CHECK(session.lose(Leg::customer, -5) == 0);
    CHECK(session.lose(Leg::customer, 0) == 0);
    session.acknowledge(0);
    session.acknowledge(-7);
    for (std::int64_t i = 1; i < 1000; ++i) session.acknowledge(i);
    const Index taken = session.lose(Leg::customer, std::numeric_limits<Index>::max());
    CHECK(taken > 0);
    CHECK(taken <= 8000 * 31);
    session.lose(Leg::agent, std::numeric_limits<Index>::max());
    session.set_consent(false);
    session.set_consent(true);
    session.finish("hang_up");
    const std::size_t events = r.events.size();
    CHECK(std::string(r.events.back().reason) == "hang_up");
    session.finish();
    session.acknowledge(1);
    session.set_consent(false);
    CHECK(session.push(Leg::customer, voice(1, 8000)) == 0);
    CHECK(session.lose(Leg::agent, 100) == 0);
    CHECK(r.events.size() == events);
    CHECK(r.of(EventType::alert).empty());
  }
}

TEST_CASE("an empty call and one of a few samples end as they should") {
  const CallModel model = call_model(random_checkpoint());
  Recorder empty(model), brief(model);
  Session(model, {}, empty).finish();
  CHECK(empty.events.size() == 2);
  CHECK(empty.events.back().t_ms == 0);
  Session session(model, {}, brief);
  session.push(Leg::agent, voice(0.005, 16000));
  session.finish();
  CHECK(brief.events.back().t_ms == 20);
}

TEST_CASE("impossible rates are refused") {
  const CallModel model = call_model(random_checkpoint());
  Counter sink;
  for (const int rate : {0, -8000, 7950, 8001, 11025, 192050, 1 << 30}) {
    CHECK_THROWS_AS(Session(model, {.rate_hz = {rate, 8000}}, sink), Error);
    CHECK_THROWS_AS(Session(model, {.rate_hz = {8000, rate}}, sink), Error);
  }
  for (const int rate : {8000, 11050, 16000, 22050, 32000, 44100, 48000, 96000, 192000}) {
    CHECK_NOTHROW(Session(model, {.rate_hz = {rate, rate}}, sink));
  }
}

TEST_CASE("a model whose answers are not finite never shows a NaN") {
  Checkpoint c = loudness_checkpoint();
  for (float& v : c.params) v = v > 0 ? 3e38f : -3e38f;
  const CallModel model = call_model(std::move(c));
  const Recorder r = played(model, 8000, voice(5, 8000), quiet(5, 8000));
  CHECK_FALSE(r.of(EventType::emotion).empty());
  for (const Event& e : r.of(EventType::emotion)) CHECK(std::isfinite(e.confidence));
}

TEST_CASE("a model whose features cannot be streamed is refused") {
  Checkpoint whole = random_checkpoint();
  whole.features["top_db"] = 80;
  CHECK_THROWS_AS(call_model(std::move(whole)), Error);
}

TEST_CASE("a model that needs longer windows than it gets answers, and without a NaN") {
  Checkpoint wide = random_checkpoint();
  wide.model["layers"][0]["padding"] = "valid";
  wide.model["layers"][0]["kernel_size"] = 120;  // the first windows have 100 frames
  const Model<float> graph = build_model_of(wide);
  wide.params.assign(static_cast<std::size_t>(graph.layout().size), 0.1f);
  const CallModel model = call_model(std::move(wide));
  const Recorder r = played(model, 8000, voice(4, 8000), quiet(4, 8000));
  CHECK_FALSE(r.of(EventType::emotion).empty());
  for (const Event& e : r.of(EventType::emotion)) CHECK(std::isfinite(e.confidence));
}
