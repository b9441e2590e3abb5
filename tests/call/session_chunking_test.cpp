// Any way of cutting a call into pushes gives the same events, byte for byte. 500 ways here; 10,000 with the
// environment variable SERENE_LONG_TESTS=1.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>

#include "session_fixture.h"

using namespace serene;
using namespace serene::test;

namespace {

struct ShortCall {
  std::array<int, 2> rate_hz;
  std::array<std::vector<float>, 2> samples;
};

ShortCall short_call(int customer_hz, int agent_hz) {
  return {{customer_hz, agent_hz},
          {joined({quiet(0.3, customer_hz), voice(2.6, customer_hz, 0.3), quiet(0.9, customer_hz),
                   voice(1.7, customer_hz, 0.05), quiet(0.513, customer_hz)}),
           joined({quiet(2.2, agent_hz), voice(1.5, agent_hz, 0.2, 200), quiet(1.8, agent_hz)})}};
}

CallConfig quick_config() {
  CallConfig config;
  config.window_s = 1.5;
  config.hop_s = 0.2;
  config.min_window_s = 0.5;
  config.silence_after_s = 0.4;
  config.no_speech_after_s = 0.7;
  config.quality_every_s = 0.5;
  return config;
}

std::string whole(const CallModel& model, const ShortCall& call) {
  Recorder r(model);
  Session session(model, {.rate_hz = call.rate_hz}, r);
  session.push(Leg::customer, call.samples[0]);
  session.push(Leg::agent, call.samples[1]);
  session.finish();
  return r.lines();
}

std::string cut(const CallModel& model, const ShortCall& call, std::uint64_t trial) {
  Random random(trial, Purpose::test, 5);
  Recorder r(model);
  Session session(model, {.rate_hz = call.rate_hz}, r);
  std::array<std::span<const float>, 2> left{call.samples[0], call.samples[1]};
  const std::uint64_t largest[] = {1 + random.below(5000), 1 + random.below(5000)};
  const double favour = random.uniform();
  while (!left[0].empty() || !left[1].empty()) {
    std::size_t leg = random.uniform() < favour ? 0 : 1;
    if (left[leg].empty()) leg = 1 - leg;
    const std::size_t n = std::min<std::size_t>(left[leg].size(), random.below(largest[leg] + 1));
    const Index taken = session.push(static_cast<Leg>(leg), left[leg].first(n));
    left[leg] = left[leg].subspan(static_cast<std::size_t>(taken));
  }
  session.finish();
  return r.lines();
}

bool long_tests() {
  const char* set = std::getenv("SERENE_LONG_TESTS");
  return set != nullptr && std::strcmp(set, "0") != 0;
}

}  // namespace

TEST_CASE("any chunking of a call gives the same events, bit for bit") {
  const CallModel model = call_model(random_checkpoint(), quick_config());
  const ShortCall call = short_call(8000, 8000);
  const std::string expected = whole(model, call);
  CHECK(expected.find("\"emotion\"") != std::string::npos);
  CHECK(expected.find("\"overlap\"") != std::string::npos);
  CHECK(expected.find("\"silence\"") != std::string::npos);
  const std::uint64_t trials = long_tests() ? 10000 : 500;
  std::uint64_t different = 0;
  for (std::uint64_t trial = 0; trial < trials; ++trial) different += cut(model, call, trial) == expected ? 0 : 1;
  CHECK(different == 0);
  MESSAGE(trials << " chunkings, " << different << " differ; " << std::count(expected.begin(), expected.end(), '\n')
                 << " events");
}

TEST_CASE("chunking does not matter at any rate, nor with two rates in one call") {
  const CallModel model = call_model(random_checkpoint(), quick_config());
  for (const std::pair<int, int>& rates :
       {std::pair{16000, 16000}, {44100, 44100}, {48000, 8000}, {8000, 48000}, {11050, 22050}}) {
    const ShortCall call = short_call(rates.first, rates.second);
    const std::string expected = whole(model, call);
    CHECK(expected.find("\"emotion\"") != std::string::npos);
    int different = 0;
    for (std::uint64_t trial = 0; trial < (long_tests() ? 200u : 12u); ++trial) {
      different += cut(model, call, 1000 + trial) == expected ? 0 : 1;
    }
    CHECK_MESSAGE(different == 0, rates.first << " and " << rates.second << " Hz: " << different << " differ");
  }
}

TEST_CASE("another sample gives other events") {
  const CallModel model = call_model(random_checkpoint(), quick_config());
  ShortCall call = short_call(8000, 8000);
  const std::string expected = whole(model, call);
  for (std::size_t i = 8000; i < 8160; ++i) call.samples[0][i] *= 1.5f;
  CHECK(whole(model, call) != expected);
}

TEST_CASE("a leg may run ahead by max_skew_s and no further") {
  CallConfig config = quick_config();
  config.max_skew_s = 1;
  const CallModel model = call_model(random_checkpoint(), config);
  const ShortCall call = short_call(8000, 8000);
  Recorder r(model);
  Session session(model, {.rate_hz = call.rate_hz}, r);
  CHECK(session.push(Leg::customer, call.samples[0]) == 8000);
  CHECK(session.push(Leg::customer, call.samples[0]) == 0);
  CHECK(session.lose(Leg::customer, 100) == 0);
  CHECK(session.push(Leg::agent, std::span(call.samples[1]).first(4000)) == 4000);
  CHECK(session.time_ms() == 500);
  CHECK(session.push(Leg::customer, std::span(call.samples[0]).subspan(8000)) == 4000);
  // The same call, pushed as far as it goes each time.
  Recorder pieces(model);
  Session patient(model, {.rate_hz = call.rate_hz}, pieces);
  std::array<std::span<const float>, 2> left{call.samples[0], call.samples[1]};
  while (!left[0].empty() || !left[1].empty()) {
    for (std::size_t leg : {0u, 1u}) {
      left[leg] = left[leg].subspan(static_cast<std::size_t>(patient.push(static_cast<Leg>(leg), left[leg])));
    }
    if (left[1].empty()) break;
  }
  patient.finish();
  CHECK(pieces.of(EventType::emotion).size() > 3);
}
