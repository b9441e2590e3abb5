#include "serene/audio/telephone.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include "serene/audio/g711.h"
#include "serene/core/random.h"

using namespace serene;

namespace {

std::vector<float> tone(double hz, int rate_hz, double seconds, double amplitude = 0.5) {
  std::vector<float> y(static_cast<std::size_t>(seconds * rate_hz));
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double phase = 2 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz;
    y[i] = static_cast<float>(amplitude * std::sin(phase));
  }
  return y;
}

double rms_db(std::span<const float> y) {
  double power = 0;
  for (const float x : y) power += static_cast<double>(x) * static_cast<double>(x);
  return 10 * std::log10(power / static_cast<double>(y.size()) + 1e-20);
}

// Gain of the band-pass at one frequency once it has settled.
double gain_db(double hz, int rate_hz) {
  const auto in = tone(hz, rate_hz, 1);
  const auto out = band_pass(in, rate_hz);
  const std::size_t half = in.size() / 2;
  return rms_db(std::span(out).subspan(half)) - rms_db(std::span(in).subspan(half));
}

double share_lost(const std::vector<LostRun>& runs, Index packets) {
  Index lost = 0;
  for (const LostRun& run : runs) lost += run.end - run.begin;
  return static_cast<double>(lost) / static_cast<double>(packets);
}

std::string error_of(const TelephoneConfig& config) {
  try {
    check(config);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

std::string json_error(const std::string& text) {
  try {
    const Json json = parse_json(text, "t.json");
    JsonReader reader(json, "telephone");
    telephone_from_json(reader);
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the band-pass keeps 300 to 3400 Hz and nothing else") {
  for (const int rate : {8000, 16000}) {
    CAPTURE(rate);
    CHECK(gain_db(100, rate) < -37);
    CHECK(gain_db(100, rate) > -40);  // (1/3)^4: 38.2 dB
    CHECK(gain_db(3900, rate) < -13.5);
    CHECK(gain_db(300, rate) == doctest::Approx(-3.01).epsilon(0.02));
    CHECK(gain_db(3400, rate) == doctest::Approx(-3.01).epsilon(0.02));
    for (const double hz : {600.0, 1000.0, 2000.0, 2500.0}) CHECK(std::abs(gain_db(hz, rate)) < 0.2);
  }
  CHECK(gain_db(3900, 8000) < -60);
  CHECK_THROWS_AS(band_pass(tone(500, 6000, 0.1), 6000), Error);
}

TEST_CASE("the codec is G.711, sample by sample") {
  Random random(1, Purpose::test);
  std::vector<float> in(5000);
  for (float& x : in) x = static_cast<float>(random.uniform(-1.2, 1.2));
  in[0] = 1, in[1] = -1, in[2] = 0;
  for (const Codec codec : {Codec::mulaw, Codec::alaw}) {
    std::vector<float> out = in;
    pass_codec(out, codec);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const double scaled = std::nearbyint(32768.0 * static_cast<double>(in[i]));
      const auto x = static_cast<std::int16_t>(std::min(32767.0, std::max(-32768.0, scaled)));
      const int wanted = codec == Codec::mulaw ? mu_law_decode(mu_law_encode(x)) : a_law_decode(a_law_encode(x));
      REQUIRE(out[i] == static_cast<float>(wanted) / 32768.0f);
    }
  }
  std::vector<float> same = in;
  pass_codec(same, Codec::none);
  CHECK(same == in);
}

TEST_CASE("packets are lost in the share and the bursts asked for") {
  const Index packets = 200'000;
  for (const auto& [loss, burst] : {std::pair{0.01, 1.0}, {0.05, 3.0}, {0.2, 10.0}, {0.6, 2.0}}) {
    CAPTURE(loss);
    TelephoneConfig c;
    c.loss = loss;
    c.burst = burst;
    const auto runs = lost_packets(packets, c, 0);
    CHECK(share_lost(runs, packets) == doctest::Approx(loss).epsilon(0.08));
    const double mean = share_lost(runs, packets) * static_cast<double>(packets) / static_cast<double>(runs.size());
    CHECK(mean == doctest::Approx(burst).epsilon(0.08));
    for (std::size_t i = 1; i < runs.size(); ++i) REQUIRE(runs[i - 1].end < runs[i].begin);
    CHECK(lost_packets(packets, c, 0) == runs);
    CHECK(lost_packets(packets, c, 1) != runs);
    c.seed = 2;
    CHECK(lost_packets(packets, c, 0) != runs);
  }
  CHECK(lost_packets(packets, {}, 0).empty());
}

TEST_CASE("a packet later than the buffer counts as lost") {
  TelephoneConfig c;
  c.jitter_ms = 20;
  c.jitter_buffer_ms = 60;
  const Index packets = 200'000;
  CHECK(share_lost(lost_packets(packets, c, 0), packets) == doctest::Approx(std::exp(-3.0)).epsilon(0.05));
  c.jitter_ms = 2;
  CHECK(share_lost(lost_packets(packets, c, 0), packets) < 1e-4);
}

TEST_CASE("a voice over the line: rate, place and silence where packets are lost") {
  const auto in = tone(1000, 44100, 3.01);
  TelephoneConfig c;
  c.codec = Codec::mulaw;
  c.band_pass = true;
  c.loss = 0.1;
  c.burst = 2;
  const LineAudio line = over_telephone(in, 44100, c, 1);
  CHECK(line.rate_hz == 8000);
  CHECK(line.samples.size() == 24080);
  REQUIRE(!line.lost.empty());
  for (const LostRun& lost : line.lost) {
    CHECK(lost.begin % 160 == 0);
    CHECK(lost.end <= 24080);
    for (Index i = lost.begin; i < lost.end; ++i) REQUIRE(line.samples[static_cast<std::size_t>(i)] == 0.0f);
  }
  TelephoneConfig clear = c;
  clear.loss = 0;
  clear.burst = 1;
  const LineAudio whole = over_telephone(in, 44100, clear, 1);
  CHECK(whole.lost.empty());
  CHECK(rms_db(std::span(whole.samples).subspan(8000, 8000)) == doctest::Approx(-9.03).epsilon(0.02));
  std::size_t at = 0;
  for (const LostRun& lost : line.lost) {  // what arrived is what was sent
    for (; at < static_cast<std::size_t>(lost.begin); ++at) REQUIRE(line.samples[at] == whole.samples[at]);
    at = static_cast<std::size_t>(lost.end);
  }
  CHECK(over_telephone({}, 8000, c, 0).samples.empty());
}

TEST_CASE("a line that cannot be is refused") {
  const auto with = [](auto&& change) {
    TelephoneConfig c;
    change(c);
    return error_of(c);
  };
  CHECK(error_of({}).empty());
  CHECK(with([](auto& c) { c.rate_hz = 11025; }).starts_with("rate_hz"));
  CHECK(with([](auto& c) { c.rate_hz = 16000, c.codec = Codec::alaw; }).starts_with("codec"));
  CHECK(with([](auto& c) { c.loss = 0.95, c.burst = 50; }).starts_with("loss"));
  CHECK(with([](auto& c) { c.loss = std::nan(""); }).starts_with("loss"));
  CHECK(with([](auto& c) { c.burst = 0.5; }).starts_with("burst"));
  CHECK(with([](auto& c) { c.loss = 0.8, c.burst = 2; }).starts_with("burst"));
  CHECK(with([](auto& c) { c.jitter_ms = -1; }).starts_with("jitter_ms"));
  CHECK(json_error(R"({"loss": 2})").starts_with("telephone.loss: out of range"));
  CHECK(json_error(R"({"codec": "opus"})").starts_with("telephone.codec: unknown value"));
  CHECK(json_error(R"({"rate_hz": 9000})").starts_with("telephone.rate_hz"));
  CHECK(json_error(R"({"bandpass": true})").starts_with("telephone.bandpass: unknown key"));
  CHECK(json_error(R"({"loss": 0.75})").empty());  // the burst follows
  TelephoneConfig c;
  c.codec = Codec::alaw;
  c.loss = 0.25;
  c.seed = 77;
  const Json json = to_json(c);
  JsonReader reader(json, "");
  CHECK(to_json(telephone_from_json(reader)) == json);
}
