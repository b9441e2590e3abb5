// What a session tells of a call whose truth is known.
#include <doctest/doctest.h>

#include "serene/call/quality_meter.h"
#include "session_fixture.h"

using namespace serene;
using namespace serene::test;

namespace {

constexpr int kRate = 8000;

// 1 s quiet, calm voice to 7 s, quiet to 8 s, loud voice to 14 s, quiet to 20 s.
std::vector<float> customer_of_two_moods() {
  return joined({quiet(1, kRate), voice(6, kRate, 0.03), quiet(1, kRate), voice(6, kRate, 0.3), quiet(6, kRate)});
}

bool close(std::int64_t got_ms, double expected_s, std::int64_t slack_ms = 120) {
  return std::abs(got_ms - std::llround(expected_s * 1000)) <= slack_ms;
}

}  // namespace

TEST_CASE("a call begins with start, ends with end, and time never falls") {
  const CallModel model = call_model(loudness_checkpoint());
  const Recorder r = played(model, kRate, customer_of_two_moods(), quiet(20, kRate));
  REQUIRE(r.events.size() > 20);
  CHECK(r.events.front().type == EventType::call);
  CHECK(r.events.front().action == EventAction::start);
  CHECK(r.events.back().type == EventType::call);
  CHECK(r.events.back().action == EventAction::end);
  CHECK(std::string(r.events.back().reason) == "finished");
  for (std::size_t i = 0; i < r.events.size(); ++i) {
    CHECK(r.events[i].sequence == static_cast<std::int64_t>(i));
    CHECK(r.events[i].t_ms >= (i == 0 ? 0 : r.events[i - 1].t_ms));
    CHECK(r.events[i].at_ms <= r.events[i].t_ms);
    CHECK(r.events[i].t_ms % block_ms == 0);
  }
  CHECK(r.events.back().t_ms == 20000);
  CHECK(close(r.events.back().leg_speech_ms[0], 12, 300));
  CHECK(r.events.back().leg_speech_ms[1] == 0);
}

TEST_CASE("speech is told with the moments at which the voice began and ended") {
  const CallModel model = call_model(loudness_checkpoint());
  const Recorder r = played(model, kRate, customer_of_two_moods(), quiet(20, kRate));
  const auto starts = r.of(EventType::speech, EventAction::start), stops = r.of(EventType::speech, EventAction::stop);
  REQUIRE(starts.size() == 2);
  REQUIRE(stops.size() == 2);
  CHECK(close(starts[0].at_ms, 1));
  CHECK(close(stops[0].at_ms, 7));
  CHECK(close(starts[1].at_ms, 8));
  CHECK(close(stops[1].at_ms, 14));
  CHECK(starts[0].t_ms - starts[0].at_ms >= 40);  // the onset
  CHECK(starts[0].t_ms - starts[0].at_ms <= 200);
  const auto silences = r.of(EventType::silence);
  REQUIRE(silences.size() == 2);
  CHECK(close(silences[0].at_ms, 14));
  CHECK(close(silences[0].t_ms, 17));
  CHECK(silences[1].at_ms == 20000);
  CHECK(close(silences[1].duration_ms, 6));
}

TEST_CASE("overlap is both legs speaking, with its duration") {
  const CallModel model = call_model(loudness_checkpoint());
  const auto customer = joined({quiet(1, kRate), voice(4, kRate, 0.1), quiet(5, kRate)});
  const auto agent = joined({quiet(3, kRate), voice(4, kRate, 0.1, 210), quiet(3, kRate)});
  const Recorder r = played(model, kRate, customer, agent);
  const auto overlaps = r.of(EventType::overlap);
  REQUIRE(overlaps.size() == 2);
  CHECK(close(overlaps[0].at_ms, 3));
  CHECK(close(overlaps[1].at_ms, 5));
  CHECK(overlaps[1].duration_ms == overlaps[1].at_ms - overlaps[0].at_ms);
  CHECK(close(r.events.back().leg_speech_ms[1], 4, 200));
  // A short interjection is none.
  const auto brief = joined({quiet(2, kRate), voice(0.12, kRate, 0.1, 210), quiet(7, kRate)});
  CHECK(played(model, kRate, customer, brief).of(EventType::overlap).empty());
}

TEST_CASE("the state follows the voice: neutral, angry, no speech; an alert rises and clears") {
  CallConfig config;
  config.no_speech_after_s = 4;
  const CallModel model = call_model(loudness_checkpoint(), config);
  const Recorder r = played(model, kRate, customer_of_two_moods(), quiet(20, kRate));
  const auto states = r.of(EventType::state);
  std::string path;
  for (const Event& e : states) path += std::string(model.state_name(e.state)) + " ";
  CHECK((path == "neutral angry no_speech " || path == "neutral uncertain angry no_speech "));
  REQUIRE(states.size() >= 3);
  CHECK(states[0].t_ms < 2600);
  const Event& angry = states[states.size() - 2];
  CHECK(angry.t_ms > 8000);
  CHECK(angry.t_ms < 13000);
  CHECK(close(states.back().t_ms, 18, 500));  // four seconds after the hangover
  const auto raised = r.of(EventType::alert, EventAction::raised),
             cleared = r.of(EventType::alert, EventAction::cleared);
  REQUIRE(raised.size() == 1);
  CHECK(raised[0].t_ms > 8000);
  CHECK(raised[0].t_ms < 14300);
  CHECK(cleared.size() == 1);
  CHECK_FALSE(r.of(EventType::trend).empty());
  for (const Event& e : r.of(EventType::emotion)) {
    double sum = 0, window = 0;
    for (const double p : e.probabilities) sum += p;
    for (const double p : e.window) window += p;
    CHECK(sum == doctest::Approx(1));
    CHECK(window == doctest::Approx(1));
    CHECK(e.window_ms >= 990);
    CHECK(e.window_ms <= 3000);
    CHECK(e.confidence == e.probabilities[static_cast<std::size_t>(e.top)]);
  }
}

TEST_CASE("the window's event comes in the push that brings its last sample") {
  const CallModel model = call_model(random_checkpoint());
  const auto customer = joined({quiet(1, kRate), voice(6, kRate)});
  Recorder r(model);
  Session session(model, {.rate_hz = {kRate, kRate}, .agent_leg = false}, r);
  for (std::size_t i = 0; i + 160 <= customer.size(); i += 160) {
    const std::size_t before = r.events.size();
    session.push(Leg::customer, std::span(customer).subspan(i, 160));
    for (std::size_t k = before; k < r.events.size(); ++k) {
      CHECK(r.events[k].t_ms == static_cast<std::int64_t>(i + 160) / 8);
    }
  }
  const auto emotions = r.of(EventType::emotion);
  CHECK(emotions.size() >= 10);
  CHECK(session.emotion_passes() == static_cast<std::int64_t>(emotions.size()));
  for (std::size_t i = 1; i < emotions.size(); ++i) CHECK(emotions[i].speech_ms - emotions[i - 1].speech_ms == 500);
}

TEST_CASE("the agent's voice never reaches the model") {
  const CallModel model = call_model(random_checkpoint());
  Recorder alone(model), shouted(model);
  Session one(model, {.rate_hz = {kRate, kRate}}, alone), two(model, {.rate_hz = {kRate, kRate}}, shouted);
  play(one, {kRate, kRate}, quiet(10, kRate), voice(10, kRate, 0.9));
  CHECK(one.emotion_passes() == 0);
  CHECK(alone.of(EventType::emotion).empty());
  CHECK(alone.of(EventType::state).empty());

  const auto customer = joined({quiet(1, kRate), voice(9, kRate, 0.2)});
  play(two, {kRate, kRate}, customer, voice(10, kRate, 0.9));
  const auto with = shouted.of(EventType::emotion),
             without = played(model, kRate, customer, quiet(10, kRate)).of(EventType::emotion);
  REQUIRE(with.size() == without.size());
  CHECK(with.size() > 10);
  for (std::size_t i = 0; i < with.size(); ++i) CHECK(with[i].probabilities == without[i].probabilities);
}

TEST_CASE("without consent nothing is recognised; withdrawing stops and forgets at once") {
  const CallModel model = call_model(loudness_checkpoint());
  const auto customer = voice(30, kRate, 0.3);
  Recorder r(model);
  Session session(model, {.rate_hz = {kRate, kRate}, .agent_leg = false, .consent = false}, r);
  const auto push = [&](std::size_t from_s, std::size_t to_s) {
    for (std::size_t i = from_s * kRate; i < to_s * kRate; i += 160)
      session.push(Leg::customer, std::span(customer).subspan(i, 160));
  };
  push(0, 8);
  CHECK(session.emotion_passes() == 0);
  CHECK_FALSE(r.events.front().consent);
  session.set_consent(true);
  push(8, 16);
  const std::int64_t passes = session.emotion_passes();
  REQUIRE(passes >= 10);
  CHECK(r.of(EventType::alert, EventAction::raised).size() == 1);
  session.set_consent(false);
  push(16, 24);
  CHECK(session.emotion_passes() == passes);
  CHECK(r.of(EventType::state).back().state == state_no_speech);
  CHECK(r.of(EventType::alert, EventAction::cleared).size() == 1);
  session.set_consent(true);
  push(24, 30);
  session.finish();
  CHECK(session.emotion_passes() > passes);
  const auto consent = r.of(EventType::consent);
  REQUIRE(consent.size() == 3);
  CHECK(consent[0].t_ms == 8020);
  CHECK(consent[1].t_ms == 16020);
  for (const Event& e : r.of(EventType::emotion)) {
    CHECK((e.t_ms <= 8000 || (e.t_ms > 16000 && e.t_ms <= 24000)) == false);
    if (e.t_ms > 24000 && e.t_ms < 25900) CHECK(e.window_ms < 2000);  // nothing from before
  }
}

TEST_CASE("withdrawing drops results that wait for the other leg") {
  const CallModel model = call_model(random_checkpoint());
  Recorder r(model);
  Session session(model, {.rate_hz = {kRate, kRate}}, r);
  session.push(Leg::customer, voice(10, kRate));
  CHECK(session.emotion_passes() > 5);
  CHECK(session.time_ms() == 0);
  session.set_consent(false);
  session.set_consent(true);  // a second thought brings nothing back
  session.push(Leg::agent, quiet(10, kRate));
  CHECK(session.time_ms() == 10000);
  CHECK(r.of(EventType::emotion).empty());
}

TEST_CASE("an alert that is acknowledged does not escalate") {
  const CallModel model = call_model(loudness_checkpoint());
  const auto customer = voice(12, kRate, 0.3);
  for (const bool seen : {false, true}) {
    Recorder r(model);
    Session session(model, {.rate_hz = {kRate, kRate}, .agent_leg = false}, r);
    for (std::size_t i = 0; i + 160 <= customer.size(); i += 160) {
      session.push(Leg::customer, std::span(customer).subspan(i, 160));
      if (seen && r.events.back().type != EventType::call && !r.of(EventType::alert, EventAction::raised).empty()) {
        session.acknowledge(1);
      }
    }
    CHECK(r.of(EventType::alert, EventAction::escalated).empty() == seen);
    CHECK(r.of(EventType::alert, EventAction::acknowledged).size() == (seen ? 1 : 0));
  }
}

TEST_CASE("quality: one odd judgement does not change the lamp, two do") {
  CallConfig config;
  config.quality_every_s = 1;
  QualityMeter meter(config, Leg::customer, kRate);
  struct Sink final : AdvisorSink {
    std::string lamps;
    void emit(Event& e) noexcept override { lamps += "gfp"[static_cast<int>(e.lamp)]; }
  } sink;
  std::int64_t t_ms = 0;
  const auto second = [&](double loss) {
    for (int i = 0; i < 50; ++i) {
      LegBlock block;
      block.lost_samples = static_cast<Index>(std::lround(loss * kRate / 50));
      meter.add(block, t_ms += block_ms, sink);
    }
    const std::string told = sink.lamps;
    sink.lamps.clear();
    return told;
  };
  CHECK(second(0.03) == "f");  // the first is shown at once
  CHECK(second(0) == "");
  CHECK(second(0.03) == "");
  CHECK(second(0) == "");
  CHECK(second(0) == "g");
  CHECK(second(0.5) == "");
  CHECK(second(0.03) == "f");  // worse and worse again: the milder of the two
  CHECK(second(0.5) == "");
  CHECK(second(0.5) == "p");
  CHECK(second(0) == "");
  CHECK(second(0) == "g");
}

TEST_CASE("quality: loss, clipping and a faint voice light the lamp") {
  const CallModel model = call_model(loudness_checkpoint());
  const auto last_lamp = [&](std::span<const float> customer, Index lose_every) {
    Recorder r(model);
    Session session(model, {.rate_hz = {kRate, kRate}, .agent_leg = false}, r);
    Index block = 0;
    for (std::size_t i = 0; i + 160 <= customer.size(); i += 160, ++block) {
      if (lose_every > 0 && block % lose_every == 0) {
        session.lose(Leg::customer, 160);
      } else {
        session.push(Leg::customer, customer.subspan(i, 160));
      }
    }
    session.finish();
    const auto quality = r.of(EventType::quality);
    REQUIRE_FALSE(quality.empty());
    CHECK(quality.size() <= 5);
    return quality.back();
  };
  const auto good = joined({quiet(1, kRate), voice(9, kRate, 0.3)});
  const Event clean = last_lamp(good, 0);
  CHECK(clean.lamp == Lamp::good);
  CHECK(clean.level_dbfs > -35);
  CHECK(clean.snr_db > 20);
  CHECK(clean.band_limited);
  const Event lossy = last_lamp(good, 8);
  CHECK(lossy.lamp == Lamp::poor);
  CHECK(lossy.loss == doctest::Approx(0.125).epsilon(0.1));
  CHECK(last_lamp(good, 33).lamp == Lamp::fair);
  auto clipped = good;
  for (float& v : clipped) v = std::clamp(v * 30, -1.0f, 1.0f);
  CHECK(last_lamp(clipped, 0).lamp == Lamp::poor);
  // A telephone's usual speech is no fault of the line, however faint it looks beside a studio's.
  const auto faint = [&](double level) {
    return last_lamp(joined({white_noise(1, kRate, 1e-5), voice(9, kRate, level)}), 0);
  };
  const Event usual = faint(0.038), low = faint(0.017);
  CHECK(usual.level_dbfs > -45);
  CHECK(usual.level_dbfs < -42);
  CHECK(usual.lamp == Lamp::good);
  CHECK(low.level_dbfs > -55);
  CHECK(low.level_dbfs < -48);
  CHECK(low.lamp == Lamp::fair);
  CHECK(last_lamp(std::vector<float>(80000, 0.0f), 0).level_dbfs == -120);
}
