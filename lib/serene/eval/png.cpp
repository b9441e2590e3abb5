#include "serene/eval/png.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "serene/core/error.h"

namespace serene {
namespace {

std::string big_endian(std::uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
}

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (const char byte : bytes) {
    crc ^= static_cast<std::uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
  }
  return ~crc;
}

std::uint32_t adler32(std::string_view bytes) {
  std::uint32_t a = 1, b = 0;
  for (const char byte : bytes) {
    a = (a + static_cast<std::uint8_t>(byte)) % 65521;
    b = (b + a) % 65521;
  }
  return (b << 16) | a;
}

std::string chunk(const std::string& type, const std::string& data) {
  return big_endian(static_cast<std::uint32_t>(data.size())) + type + data + big_endian(crc32(type + data));
}

std::string stored_zlib(const std::string& bytes) {
  constexpr std::size_t kMost = 65535;
  std::string out = "\x78\x01";
  for (std::size_t at = 0; at < bytes.size(); at += kMost) {
    const std::size_t size = std::min(kMost, bytes.size() - at);
    const auto low = static_cast<char>(size & 0xff), high = static_cast<char>(size >> 8);
    out += at + size == bytes.size() ? '\x01' : '\x00';
    out += {low, high, static_cast<char>(~low), static_cast<char>(~high)};
    out.append(bytes, at, size);
  }
  return out + big_endian(adler32(bytes));
}

Palette make_heat() {
  constexpr double kAnchors[6][3] = {{2, 2, 12},    {58, 12, 94},   {140, 32, 102},
                                     {214, 72, 58}, {250, 158, 36}, {252, 250, 190}};
  Palette palette;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    const double place = static_cast<double>(i) / 255 * 5;
    const auto left = std::min<std::size_t>(4, static_cast<std::size_t>(place));
    const double part = place - static_cast<double>(left);
    const auto mix = [&](int c) {
      return static_cast<std::uint8_t>(std::lround((1 - part) * kAnchors[left][c] + part * kAnchors[left + 1][c]));
    };
    palette[i] = {mix(0), mix(1), mix(2)};
  }
  return palette;
}

}  // namespace

const Palette& heat_palette() {
  static const Palette palette = make_heat();
  return palette;
}

std::string to_png(int width, int height, std::span<const std::uint8_t> pixels, const Palette& palette) {
  const bool fits = width >= 1 && width <= 65535 && height >= 1 && height <= 65535;
  if (!fits || pixels.size() != static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {
    throw Error(ErrorCode::usage, "picture", "the size does not fit")
        .expected("sides of 1 to 65535 and a pixel for each place")
        .got(std::to_string(width) + " x " + std::to_string(height) + ", " + std::to_string(pixels.size()) + " pixels");
  }
  std::string header = big_endian(static_cast<std::uint32_t>(width)) + big_endian(static_cast<std::uint32_t>(height));
  header += {8, 3, 0, 0, 0};  // 8 bits, palette, deflate, plain filters, not interlaced
  std::string colours;
  for (const Colour& c : palette) {
    colours += {static_cast<char>(c.red), static_cast<char>(c.green), static_cast<char>(c.blue)};
  }
  std::string rows;
  const auto stride = static_cast<std::size_t>(width);
  for (std::size_t at = 0; at < pixels.size(); at += stride) {
    rows += '\0';
    rows.append(reinterpret_cast<const char*>(pixels.data()) + at, stride);
  }
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("PLTE", colours) + chunk("IDAT", stored_zlib(rows)) +
         chunk("IEND", "");
}

}  // namespace serene
