#include "serene/call/call_summary.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "call_log.h"
#include "serene/core/random.h"

using namespace serene;
using test::CallLog;

namespace {

CallRecord record_of(const CallLog& log) {
  CallRecord record;
  record.id = "c1", record.title = "A call", record.started_at = "2026-11-23T14:05:00Z";
  record.lines = log.lines;
  return record;
}

CallSummary summary_of(const CallLog& log) { return summarize(record_of(log)); }

const StateShare& share(const CallSummary& s, const std::string& state) {
  return *std::find_if(s.shares.begin(), s.shares.end(), [&](const StateShare& x) { return x.state == state; });
}

std::string error_of(const CallLog& log) {
  try {
    summary_of(log);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("summary: a minute with known answers") {
  const CallSummary s = summary_of(test::angry_minute());
  CHECK(s.complete);
  CHECK(s.duration_ms == 60000);
  CHECK(s.model == "test");
  CHECK(s.speech[0].total_ms == 40000);
  CHECK(s.speech[0].longest_ms == 30000);
  CHECK(s.speech[0].count == 2);
  CHECK(s.speech[1].total_ms == 13000);
  CHECK(s.overlap.total_ms == 3000);  // 28-30 and 40-41 s; one of them was long enough to report
  CHECK(s.overlap.longest_ms == 2000);
  CHECK(s.overlap.count == 1);
  CHECK(s.silence.total_ms == 10000);
  CHECK(s.silence.count == 1);

  CHECK(share(s, "angry").speech_ms == 20000);
  CHECK(share(s, "angry").call_ms == 20000);
  CHECK(share(s, "neutral").speech_ms == 18000);
  CHECK(share(s, "neutral").call_ms == 38000);
  CHECK(share(s, "uncertain").speech_ms == 2000);  // before the first state
  CHECK(share(s, "no_speech").call_ms == 2000);
  CHECK(share(s, "no_speech").speech_ms == 0);
  CHECK(share(s, "angry").of_speech == doctest::Approx(0.5));

  // The first and last third of 40 s of speech.
  CHECK(s.feeling_start == "neutral");
  CHECK(s.feeling_end == "neutral");
  CHECK(s.negative_start == doctest::Approx((0.05 + 0.6 * 0.05 + 0.1 + 0.6 * 0.1 + 0.7 + 0.6 * 0.1) / 3));
  CHECK(s.negative_end == doctest::Approx((0.2 + 0.06 + 0.1 + 0.03 + 0.02 + 0.018) / 3));
  CHECK(s.longest_negative.from_ms == 10000);
  CHECK(s.longest_negative.to_ms == 30000);
  CHECK(s.anger);
  CHECK(s.recovered);
  CHECK(s.recovery_ms == 18000);
}

TEST_CASE("summary: alerts, advice, turning points and sound of the same minute") {
  const CallSummary s = summary_of(test::angry_minute());
  REQUIRE(s.alerts.size() == 1);
  CHECK(s.alerts[0].raised_ms == 12000);
  CHECK(s.alerts[0].acknowledged_ms == 15000);
  CHECK(s.alerts[0].cleared_ms == 36000);
  CHECK_FALSE(s.alerts[0].escalated_ms.has_value());
  REQUIRE(s.advice.size() == 1);
  CHECK(s.advice[0].withdrawn_ms == 27000);
  REQUIRE(s.turning_points.size() == 3);
  CHECK(s.turning_points[0].to == "angry");
  CHECK(s.turning_points[1].kind == "peak");
  CHECK(s.turning_points[1].t_ms == 20000);
  CHECK(s.turning_points[2].to == "neutral");
  CHECK(s.quality[0].fair == 1);
  CHECK(s.quality[0].worst_loss == doctest::Approx(0.02));
  CHECK(s.quality[0].band_limited);
  CHECK(s.quality[0].bad_samples == 3);
  const Json json = to_json(s);
  CHECK(json["anger"]["recovery_ms"] == 18000);
  CHECK(json["shares"].size() == 5);
  CHECK(json["talk"]["overlap"]["total_ms"] == 3000);
}

TEST_CASE("summary: anger that does not ease") {
  CallLog log;
  log.speech(0, "customer", "start", 0).state(1000, "neutral").state(5000, "angry").alert(6000, "raised", 1);
  log.state(9000, "uncertain").alert(20000, "cleared", 1).end(20000, "hang_up");
  const CallSummary s = summary_of(log);
  CHECK(s.anger);
  CHECK_FALSE(s.recovered);
  CHECK(s.reason == "hang_up");
  CHECK(s.longest_negative.length() == 4000);  // what is uncertain afterwards is not counted
  CHECK(to_json(s)["anger"]["recovery_ms"].is_null());
}

TEST_CASE("summary: an alert that clears while the state stays calm") {
  CallLog log;
  log.state(1000, "neutral").alert(6000, "raised", 1).alert(9000, "cleared", 1).end(20000);
  CHECK(summary_of(log).recovered);
  CHECK(summary_of(log).recovery_ms == 3000);
  CallLog open;
  open.state(1000, "neutral").alert(6000, "raised", 1).end(20000);
  CHECK_FALSE(summary_of(open).recovered);
}

TEST_CASE("summary: uncertainty between two unpleasant states does not end the stretch") {
  CallLog log;
  log.state(1000, "angry").state(3000, "uncertain").state(5000, "sad").state(8000, "neutral").end(20000);
  CHECK(summary_of(log).longest_negative.length() == 7000);
}

TEST_CASE("summary: a crashed call") {
  CallLog log = test::angry_minute();
  log.lines.resize(12);
  const CallSummary whole = summary_of(log);
  CHECK_FALSE(whole.complete);
  CHECK(whole.reason == "dropped");
  CHECK(whole.speech[0].total_ms == whole.duration_ms);  // speech that was open goes to the end
  log.lines.push_back(R"({"seq":12,"t_ms":30)");
  CHECK(to_json(summary_of(log)) == to_json(whole));
  log.lines.push_back(R"({"seq":13,"t_ms":60000,"type":"call","action":"end"})");
  CHECK(error_of(log).find("line 13") != std::string::npos);
}

TEST_CASE("summary: no events, no speech, no consent") {
  CHECK(to_json(summarize(CallRecord{}))["recognised"] == false);
  CallLog log;
  log.end(5000);
  const CallSummary s = summary_of(log);
  CHECK(s.feeling_start == "no_speech");
  CHECK(share(s, "no_speech").of_call == doctest::Approx(1));
  CHECK(share(s, "uncertain").of_speech == 0);
}

TEST_CASE("summary: unknown events and fields are let through, broken ones named") {
  CallLog log = test::angry_minute();
  const Json before = to_json(summary_of(log));
  log.add(60000, Json{{"type", "weather"}, {"degrees", 20}})
      .add(60000, Json{{"type", "trend"}, {"new_field", Json::array()}});
  CHECK(to_json(summary_of(log)) == before);

  const auto bad = [](const Json& event) {
    CallLog broken;
    broken.add(1000, event).end(2000);
    return error_of(broken);
  };
  CHECK(bad(Json{{"type", "emotion"}, {"state", "angry"}, {"probabilities", Json{{"angry", 2}}}})
            .find("line 2: probabilities") != std::string::npos);
  CHECK(bad(Json{{"type", "speech"}, {"leg", "third"}}).find("leg") != std::string::npos);
  CHECK(bad(Json{{"type", "speech"}, {"leg", "agent"}, {"at_ms", -4}}).find("at_ms") != std::string::npos);
  CHECK(bad(Json{{"type", "speech"}, {"leg", "agent"}, {"at_ms", 18446744073709551615u}}).find("at_ms") !=
        std::string::npos);
  CHECK(bad(Json{{"type", "state"}, {"state", "hungry"}}).find("state") != std::string::npos);
  CHECK(bad(Json{{"type", "quality"}, {"leg", "agent"}, {"loss", "much"}}).find("loss") != std::string::npos);
  CallLog list;
  list.lines.push_back("[1]");
  CHECK(error_of(list.end(5)).find("line 2: not an event") != std::string::npos);
  CallLog falling;
  falling.end(2000).end(1000);
  CHECK(error_of(falling).find("t_ms") != std::string::npos);
}

TEST_CASE("summary: shares of random calls sum to 1") {
  const char* states[] = {"neutral", "angry", "sad", "uncertain", "no_speech"};
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Random random(seed, Purpose::test);
    CallLog log;
    std::int64_t t = 0, speech = 0;
    for (int i = 0; i < 60; ++i) {
      t += static_cast<std::int64_t>(random.below(3000));
      const auto kind = random.below(4);
      const char* leg = random.below(2) == 0 ? "customer" : "agent";
      if (kind == 0)
        log.speech(t, leg, "start",
                   t - static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(t) + 1)) / 10);
      if (kind == 1) log.speech(t, leg, "stop", t);
      if (kind == 2) log.state(t, states[random.below(5)]);
      if (kind == 3) log.emotion(t, speech += 500, states[random.below(5)], 0.5, 0.25);
    }
    const CallSummary s = summary_of(log.end(t + 1));
    double of_speech = 0, of_call = 0;
    std::int64_t speech_ms = 0, call_ms = 0;
    for (const StateShare& x : s.shares)
      of_speech += x.of_speech, of_call += x.of_call, speech_ms += x.speech_ms, call_ms += x.call_ms;
    CHECK(speech_ms == s.speech[0].total_ms);
    CHECK(call_ms == s.duration_ms);
    CHECK(of_call == doctest::Approx(1));
    if (s.speech[0].total_ms > 0) CHECK(of_speech == doctest::Approx(1));
    CHECK(s.speech[0].total_ms + s.speech[1].total_ms - s.overlap.total_ms + s.silence.total_ms == s.duration_ms);
  }
}

TEST_CASE("summary: moments in UTC") {
  CHECK(utc_text(0) == "1970-01-01T00:00:00Z");
  CHECK(utc_text(951782400) == "2000-02-29T00:00:00Z");
  CHECK(unix_seconds("2026-11-23T14:05:00Z", "x") == 1795442700);
  CHECK(unix_seconds("2026-11-23", "x") == 1795392000);
  for (std::int64_t s = 0; s < 4102444800; s += 86400 * 37 + 12345) CHECK(unix_seconds(utc_text(s), "x") == s);
  for (const char* bad : {"", "yesterday", "2026-02-29", "2026-13-01", "2026-11-23T25:00:00Z", "2026-11-23T14:05:00",
                          "2026-11-23T14:05:00.Z", "2026-11-2"}) {
    CHECK_THROWS_AS(unix_seconds(bad, "x"), Error);
  }
}
