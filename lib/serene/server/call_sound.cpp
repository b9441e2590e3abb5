#include "serene/server/call_sound.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "serene/audio/resample.h"
#include "serene/core/error.h"

namespace serene {

namespace {

void append_little_endian(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

void append_sample(std::string& out, float sample) {
  const double scaled = std::isfinite(sample) ? std::clamp(static_cast<double>(sample), -1.0, 1.0) * 32767.0 : 0.0;
  const auto value = static_cast<std::int32_t>(std::lrint(scaled));
  append_little_endian(out, static_cast<std::uint32_t>(value), 2);
}

void copy_from(const std::vector<float>& samples, Index from, std::span<float> out) {
  const auto size = static_cast<Index>(samples.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Index at = from + static_cast<Index>(i);
    out[i] = at >= 0 && at < size ? samples[static_cast<std::size_t>(at)] : 0.0f;
  }
}

}  // namespace

CallSound recorded_sound(std::array<int, 2> rate_hz, std::array<std::vector<float>, 2> samples,
                         std::shared_ptr<const std::atomic<std::int64_t>> played_ms) {
  if (rate_hz[0] <= 0 || rate_hz[1] <= 0) throw Error(ErrorCode::usage, "sound of the call", "rate must be positive");
  const int rate = std::max(rate_hz[0], rate_hz[1]);
  for (std::size_t leg = 0; leg < 2; ++leg) {
    if (rate_hz[leg] != rate && !samples[leg].empty()) samples[leg] = resample(samples[leg], rate_hz[leg], rate);
  }
  const auto length = static_cast<Index>(std::max(samples[0].size(), samples[1].size()));
  auto kept = std::make_shared<const std::array<std::vector<float>, 2>>(std::move(samples));
  CallSound sound;
  sound.rate_hz = rate;
  sound.played = [rate, length, played = std::move(played_ms)] {
    return std::clamp<Index>(static_cast<Index>(played->load()) * rate / 1000, 0, length);
  };
  sound.read = [kept](Index from, std::span<float> customer, std::span<float> agent) {
    copy_from((*kept)[0], from, customer);
    copy_from((*kept)[1], from, agent);
  };
  return sound;
}

std::string stereo_wave16(std::span<const float> left, std::span<const float> right, int rate_hz) {
  const std::size_t frames = std::min(left.size(), right.size());
  const auto data_bytes = static_cast<std::uint32_t>(frames * 4);
  const auto rate = static_cast<std::uint32_t>(rate_hz);
  std::string out;
  out.reserve(44 + frames * 4);
  out += "RIFF";
  append_little_endian(out, 36 + data_bytes, 4);
  out += "WAVEfmt ";
  append_little_endian(out, 16, 4);  // bytes of the format chunk
  append_little_endian(out, 1, 2);   // PCM
  append_little_endian(out, 2, 2);   // channels
  append_little_endian(out, rate, 4);
  append_little_endian(out, rate * 4, 4);  // bytes per second
  append_little_endian(out, 4, 2);         // bytes per frame
  append_little_endian(out, 16, 2);        // bits per sample
  out += "data";
  append_little_endian(out, data_bytes, 4);
  for (std::size_t i = 0; i < frames; ++i) {
    append_sample(out, left[i]);
    append_sample(out, right[i]);
  }
  return out;
}

}  // namespace serene
