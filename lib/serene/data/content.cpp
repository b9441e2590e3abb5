#include "serene/data/content.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include "serene/core/sha256.h"

namespace serene {

AudioContent content_of(const Wave& wave) {
  constexpr double silence = 1.5 / 32768;
  const std::vector<float> mono = to_mono(wave);
  AudioContent content;
  Sha256 sha;
  sha.update("audio " + std::to_string(wave.rate_hz) + " ");
  std::array<std::byte, 3 * 4096> packed;
  for (std::size_t start = 0; start < mono.size(); start += 4096) {
    const std::size_t count = std::min<std::size_t>(4096, mono.size() - start);
    for (std::size_t i = 0; i < count; ++i) {
      const double sample = static_cast<double>(mono[start + i]);
      content.peak = std::max(content.peak, std::abs(sample));
      const auto value =
          static_cast<std::uint32_t>(static_cast<std::int32_t>(std::lrint(std::clamp(sample, -1.0, 1.0) * 8388608)));
      for (std::size_t b = 0; b < 3; ++b) packed[3 * i + b] = static_cast<std::byte>(value >> (8 * b));
    }
    sha.update(std::span<const std::byte>(packed.data(), 3 * count));
  }
  content.hash = sha.hex();
  content.seconds = wave.rate_hz > 0 ? static_cast<double>(mono.size()) / wave.rate_hz : 0;
  content.silent = content.peak < silence;
  return content;
}

std::string reason_of(const Error& error, const std::string& path) {
  const std::string text = error.what();
  const std::string front = printable(path, 2000) + ": ";
  return text.rfind(front, 0) == 0 ? text.substr(front.size()) : text;
}

}  // namespace serene
