// Folders and sound files that the tests of this folder make for themselves, and where the real corpora lie.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "serene/core/error.h"
#include "serene/core/random.h"
#include "temp_folder.h"

namespace serene::test {

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

// 16 bit PCM; samples interleaved.
inline void write_wav(const std::string& path, const std::vector<std::int16_t>& samples, int rate = 16000,
                      int channels = 1) {
  const auto u32 = [](std::uint32_t v) {
    return std::string{static_cast<char>(v), static_cast<char>(v >> 8), static_cast<char>(v >> 16),
                       static_cast<char>(v >> 24)};
  };
  const auto u16 = [](std::uint32_t v) { return std::string{static_cast<char>(v), static_cast<char>(v >> 8)}; };
  const auto bytes = static_cast<std::uint32_t>(samples.size() * 2);
  const auto c = static_cast<std::uint32_t>(channels), r = static_cast<std::uint32_t>(rate);
  std::string out = "RIFF" + u32(36 + bytes) + "WAVEfmt " + u32(16) + u16(1) + u16(c) + u32(r) + u32(r * c * 2) +
                    u16(c * 2) + u16(16);
  out += "data" + u32(bytes);
  for (const std::int16_t s : samples) out += u16(static_cast<std::uint16_t>(s));
  write_bytes(path, out);
}

// A tone with some noise, another one for every seed.
inline std::vector<std::int16_t> sound(std::uint64_t seed, double seconds = 0.5, int rate = 16000) {
  Random random(seed, Purpose::test);
  const double hz = random.uniform(150, 900);
  std::vector<std::int16_t> samples(static_cast<std::size_t>(seconds * rate));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / rate;
    samples[i] = static_cast<std::int16_t>(6000 * std::sin(2 * M_PI * hz * t) + 300 * random.normal());
  }
  return samples;
}

// The folder that holds ravdess/ and cremad/, or "" on a machine without it.
inline std::string real_data() {
  const char* set = std::getenv("SERENE_DATA");
  for (const std::string& place : {std::string(set != nullptr ? set : ""),
                                   std::string(SERENE_SOURCE_DIR) + "/../shared/data", std::string("./data")}) {
    std::error_code ignored;
    if (!place.empty() && std::filesystem::is_directory(place + "/ravdess", ignored)) return place;
  }
  return "";
}

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace serene::test
