#include "serene/audio/telephone.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "serene/audio/g711.h"
#include "serene/audio/resample.h"
#include "serene/core/random.h"

namespace serene {
namespace {

constexpr double kPacketsPerSecond = 50;
const std::vector<std::string> kCodecs = {"none", "mulaw", "alaw"};

// y = b0 x + b1 x' + b2 x'' - a1 y' - a2 y'' in transposed direct form II.
struct Biquad {
  double b0, b1, b2, a1, a2;
  double s1 = 0, s2 = 0;

  double step(double x) noexcept {
    const double y = b0 * x + s1;
    s1 = b1 * x - a1 * y + s2;
    s2 = b2 * x - a2 * y;
    return y;
  }
};

Biquad section(double corner_hz, double rate_hz, double q, bool high) {
  const double w = 2 * std::numbers::pi * corner_hz / rate_hz;
  const double c = std::cos(w), alpha = std::sin(w) / (2 * q), a0 = 1 + alpha;
  const double outer = (high ? 1 + c : 1 - c) / 2 / a0;
  return {outer, high ? -2 * outer : 2 * outer, outer, -2 * c / a0, (1 - alpha) / a0};
}

void add_butterworth(std::vector<Biquad>& filter, int order, double corner_hz, double rate_hz, bool high) {
  for (int k = 0; k < order / 2; ++k) {
    const double q = 1 / (2 * std::cos(std::numbers::pi * (2 * k + 1) / (2 * order)));
    filter.push_back(section(corner_hz, rate_hz, q, high));
  }
}

std::int16_t to_16_bit(float x) noexcept {
  return static_cast<std::int16_t>(std::lrint(std::clamp(32768.0 * static_cast<double>(x), -32768.0, 32767.0)));
}

// Checks with errors at `place`, "" or "telephone.".
struct Checker {
  std::string place;
  ErrorCode code;

  Error error(const char* key, const std::string& problem, const std::string& expected, double got) const {
    return Error(code, place + key, problem).expected(expected).got(Json(got).dump());
  }
  void need(const char* key, double value, double low, double high) const {
    if (value >= low && value <= high) return;
    throw error(key, "out of range", Json(low).dump() + " to " + Json(high).dump(), value);
  }
  void run(const TelephoneConfig& c) const {
    if (c.rate_hz != 8000 && c.rate_hz != 16000) throw error("rate_hz", "out of range", "8000 or 16000", c.rate_hz);
    if (c.codec != Codec::none && c.rate_hz != 8000) {
      throw error("codec", "G.711 does not work at this rate", "rate_hz 8000", c.rate_hz);
    }
    need("loss", c.loss, 0, 0.9);
    need("burst", c.burst, 1, 100);
    need("jitter_ms", c.jitter_ms, 0, 1000);
    need("jitter_buffer_ms", c.jitter_buffer_ms, 0, 10000);
    const double shortest = c.loss / (1 - c.loss);
    if (c.burst < shortest - 1e-9) {
      throw error("burst", "too short for this loss", "at least " + Json(shortest).dump(), c.burst);
    }
  }
};

}  // namespace

void check(const TelephoneConfig& config) { Checker{"", ErrorCode::usage}.run(config); }

TelephoneConfig telephone_from_json(JsonReader& r) {
  TelephoneConfig c;
  c.rate_hz = static_cast<int>(r.integer_in("rate_hz", 8000, 16000, c.rate_hz));
  const std::string codec = r.choice("codec", kCodecs, kCodecs[0]);
  c.codec = static_cast<Codec>(std::find(kCodecs.begin(), kCodecs.end(), codec) - kCodecs.begin());
  c.band_pass = r.boolean("band_pass", c.band_pass);
  c.loss = r.number("loss", c.loss);
  c.burst = r.number("burst", std::max(1.0, c.loss < 1 ? c.loss / (1 - c.loss) : 1.0));
  c.jitter_ms = r.number("jitter_ms", c.jitter_ms);
  c.jitter_buffer_ms = r.number("jitter_buffer_ms", c.jitter_buffer_ms);
  c.seed = static_cast<std::uint64_t>(r.integer_in("seed", 0, std::int64_t{1} << 53, 1));
  const std::string place = r.path_of("");
  Checker{place.empty() ? "" : place + ".", ErrorCode::input}.run(c);
  r.finish();
  return c;
}

Json to_json(const TelephoneConfig& c) {
  return {{"rate_hz", c.rate_hz},
          {"codec", kCodecs[static_cast<std::size_t>(c.codec)]},
          {"band_pass", c.band_pass},
          {"loss", c.loss},
          {"burst", c.burst},
          {"jitter_ms", c.jitter_ms},
          {"jitter_buffer_ms", c.jitter_buffer_ms},
          {"seed", c.seed}};
}

std::vector<float> band_pass(std::span<const float> samples, double rate_hz, double low_hz, double high_hz) {
  if (!(low_hz > 0 && low_hz < high_hz && high_hz < rate_hz / 2)) {
    throw Error(ErrorCode::usage, "band_pass", "corners out of range")
        .expected("0 < low < high < " + Json(rate_hz / 2).dump() + " Hz")
        .got(Json(low_hz).dump() + " and " + Json(high_hz).dump() + " Hz");
  }
  std::vector<Biquad> filter;
  add_butterworth(filter, 4, low_hz, rate_hz, true);
  add_butterworth(filter, 8, high_hz, rate_hz, false);
  std::vector<float> out(samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    double y = static_cast<double>(samples[i]);
    for (Biquad& b : filter) y = b.step(y);
    out[i] = static_cast<float>(y);
  }
  return out;
}

void pass_codec(std::span<float> samples, Codec codec) noexcept {
  if (codec == Codec::none) return;
  for (float& x : samples) {
    const std::int16_t in = to_16_bit(x);
    const std::int16_t out = codec == Codec::mulaw ? mu_law_decode(mu_law_encode(in)) : a_law_decode(a_law_encode(in));
    x = static_cast<float>(out) / 32768.0f;
  }
}

std::vector<LostRun> lost_packets(Index packets, const TelephoneConfig& c, std::uint64_t channel) {
  check(c);
  std::vector<LostRun> runs;
  if (c.loss <= 0 && c.jitter_ms <= 0) return runs;
  Random states(c.seed, Purpose::noise, channel, 1), delays(c.seed, Purpose::noise, channel, 2);
  const double to_good = 1 / c.burst, to_bad = std::min(1.0, c.loss / (c.burst * (1 - c.loss)));
  bool bad = states.uniform() < c.loss;
  for (Index k = 0; k < packets; ++k) {
    if (k > 0) bad = bad ? states.uniform() >= to_good : states.uniform() < to_bad;
    const bool late = c.jitter_ms > 0 && -c.jitter_ms * std::log1p(-delays.uniform()) > c.jitter_buffer_ms;
    if (!bad && !late) continue;
    if (!runs.empty() && runs.back().end == k) ++runs.back().end;
    else runs.push_back({k, k + 1});
  }
  return runs;
}

LineAudio over_telephone(std::span<const float> samples, int rate_hz, const TelephoneConfig& config,
                         std::uint64_t channel) {
  check(config);
  if (rate_hz < 4000) {
    throw Error(ErrorCode::usage, "over_telephone", "rate too low").expected("at least 4000 Hz");
  }
  LineAudio line{resample(samples, rate_hz, config.rate_hz), config.rate_hz, {}};
  if (config.band_pass) line.samples = band_pass(line.samples, config.rate_hz);
  pass_codec(line.samples, config.codec);
  const auto length = static_cast<Index>(line.samples.size());
  const auto packet = static_cast<Index>(config.rate_hz / kPacketsPerSecond);
  for (const LostRun& run : lost_packets((length + packet - 1) / packet, config, channel)) {
    const LostRun lost{run.begin * packet, std::min(length, run.end * packet)};
    std::fill(line.samples.begin() + lost.begin, line.samples.begin() + lost.end, 0.0f);
    line.lost.push_back(lost);
  }
  return line;
}

}  // namespace serene
