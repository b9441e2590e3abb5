// Pictures of up to 256 colours as PNG (ISO/IEC 15948), without a compressor: the pixels stand in stored blocks of the
// zlib format (RFC 1950, 1951), so a picture is little larger than its pixels.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace serene {

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
};
// The colours of the 256 values of a pixel.
using Palette = std::array<Colour, 256>;

// From black over violet and orange to pale yellow, brighter with every step: readable in grey and to colour-blind
// eyes.
const Palette& heat_palette();

// The bytes of a PNG file. pixels: width * height places in the palette, rows from the top. Throws Error(usage) unless
// both sides are 1 to 65535 and pixels fits them. Thread-safe.
std::string to_png(int width, int height, std::span<const std::uint8_t> pixels, const Palette& palette);

}  // namespace serene
