#include "serene/audio/reverberation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "serene/audio/fft.h"
#include "serene/audio/noise.h"
#include "serene/core/error.h"
#include "serene/core/json.h"

namespace serene {
namespace {

constexpr double kFirstReflection_s = 0.003, kLastReflection_s = 0.05, kTailBegins_s = 0.002, kTailFull_s = 0.02;
constexpr int kReflections = 10;
constexpr double kReflectionGain = 4;  // over the tail at the same time
constexpr double kTailCorner_hz = 4000;

// Convolution works on blocks of this many samples, transformed at twice the length.
constexpr Index kBlock = 16384;

const RealFft<float>& block_transform() {
  static const RealFft<float> transform(2 * kBlock);
  return transform;
}

struct BlockSpectrum {
  std::vector<float> re, im;
};

void check(const Room& room, int rate_hz) {
  const auto need = [](const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return;
    throw Error(ErrorCode::usage, "room", std::string(name) + " out of range")
        .expected(Json(low).dump() + " to " + Json(high).dump())
        .got(Json(value).dump());
  };
  need("rt60_s", room.rt60_s, 0.02, 10);
  need("direct_to_reverberant_db", room.direct_to_reverberant_db, -30, 60);
  need("rate_hz", rate_hz, 1000, 192000);
}

// The spectra of a signal's blocks, each padded with a block of zeros.
std::vector<BlockSpectrum> transform_blocks(std::span<const float> x) {
  const RealFft<float>& fft = block_transform();
  std::vector<float> padded(static_cast<std::size_t>(fft.size())),
      scratch(static_cast<std::size_t>(fft.scratch_size()));
  std::vector<BlockSpectrum> spectra;
  for (std::size_t at = 0; at < x.size(); at += static_cast<std::size_t>(kBlock)) {
    const std::size_t count = std::min(x.size() - at, static_cast<std::size_t>(kBlock));
    std::copy_n(x.begin() + static_cast<Index>(at), count, padded.begin());
    std::fill(padded.begin() + static_cast<Index>(count), padded.end(), 0.0f);
    BlockSpectrum s;
    s.re.resize(static_cast<std::size_t>(fft.bins()));
    s.im.resize(s.re.size());
    fft.forward(padded.data(), s.re.data(), s.im.data(), scratch.data());
    spectra.push_back(std::move(s));
  }
  return spectra;
}

void add_product(const BlockSpectrum& a, const BlockSpectrum& b, BlockSpectrum& sum) {
  for (std::size_t k = 0; k < sum.re.size(); ++k) {
    sum.re[k] += a.re[k] * b.re[k] - a.im[k] * b.im[k];
    sum.im[k] += a.re[k] * b.im[k] + a.im[k] * b.re[k];
  }
}

}  // namespace

std::vector<float> room_impulse_response(const Room& room, int rate_hz, Random random) {
  check(room, rate_hz);
  const double rate = rate_hz;
  const auto length = static_cast<std::size_t>(std::max(1.0, std::round(room.rt60_s * rate)));
  std::vector<double> late(length, 0.0);
  const double keep = std::exp(-2 * std::numbers::pi * std::min(kTailCorner_hz, rate / 4) / rate);
  double noise = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const double t = static_cast<double>(i) / rate;
    noise = keep * noise + (1 - keep) * random.normal();
    if (t >= kTailBegins_s) late[i] = noise * std::min(1.0, t / kTailFull_s);
  }
  const double typical = std::sqrt((1 - keep) / (1 + keep));  // deviation of the smoothed noise
  for (int r = 0; r < kReflections; ++r) {
    const double place = std::cbrt(random.uniform());
    const double t = kFirstReflection_s + place * (kLastReflection_s - kFirstReflection_s);
    const double strength = random.uniform(0.5, 1) * (random.uniform() < 0.5 ? -1 : 1);
    const auto i = static_cast<std::size_t>(std::round(t * rate));
    if (i < length) late[i] += kReflectionGain * typical * strength;
  }
  double energy = 0;
  for (std::size_t i = 0; i < length; ++i) {
    late[i] *= std::pow(10, -3 * static_cast<double>(i) / (rate * room.rt60_s));
    energy += late[i] * late[i];
  }
  const double gain = energy > 0 ? std::sqrt(std::pow(10, -room.direct_to_reverberant_db / 10) / energy) : 0;
  std::vector<float> response(length);
  for (std::size_t i = 0; i < length; ++i) response[i] = static_cast<float>(gain * late[i]);
  response[0] += 1.0f;
  return response;
}

std::vector<float> convolve(std::span<const float> x, std::span<const float> h) {
  if (x.empty() || h.empty()) return {};
  const std::vector<BlockSpectrum> blocks = transform_blocks(x), parts = transform_blocks(h);
  const RealFft<float>& fft = block_transform();
  std::vector<float> out(x.size() + h.size() - 1, 0.0f), y(static_cast<std::size_t>(fft.size()));
  std::vector<float> scratch(static_cast<std::size_t>(fft.scratch_size()));
  BlockSpectrum sum;
  for (std::size_t b = 0; b + 1 < blocks.size() + parts.size(); ++b) {
    sum.re.assign(static_cast<std::size_t>(fft.bins()), 0.0f);
    sum.im.assign(sum.re.size(), 0.0f);
    const std::size_t first = b < blocks.size() ? 0 : b - blocks.size() + 1;
    for (std::size_t p = first; p < parts.size() && p <= b; ++p) add_product(blocks[b - p], parts[p], sum);
    fft.inverse(sum.re.data(), sum.im.data(), y.data(), scratch.data());
    const std::size_t at = b * static_cast<std::size_t>(kBlock);
    const std::size_t count = std::min(y.size(), out.size() > at ? out.size() - at : 0);
    for (std::size_t i = 0; i < count; ++i) out[at + i] += y[i];
  }
  return out;
}

std::vector<float> reverberate(std::span<const float> samples, int rate_hz, const Room& room, const Random& random) {
  std::vector<float> wet = convolve(samples, room_impulse_response(room, rate_hz, random));
  wet.resize(samples.size());
  const double before = mean_power(samples), after = mean_power(wet);
  const double gain = after > 0 ? std::sqrt(before / after) : 0;
  for (float& v : wet) v = static_cast<float>(gain * static_cast<double>(v));
  return wet;
}

}  // namespace serene
