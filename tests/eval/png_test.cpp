#include "serene/eval/png.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "serene/core/error.h"

using namespace serene;

TEST_CASE("png: the bytes of the smallest picture, checksums included") {
  const std::vector<std::uint8_t> one = {7};
  const std::string png = to_png(1, 1, one, heat_palette());
  CHECK(png.substr(0, 8) == std::string("\x89PNG\r\n\x1a\n", 8));
  CHECK(png.substr(8, 25) == std::string("\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x03\0\0\0\x28\xcb\x34\xbb", 25));
  CHECK(png.substr(37, 4) == "PLTE");
  // zlib: header, one stored block of the row's filter and pixel, Adler-32 of 00 07.
  const std::size_t data = 8 + 25 + 12 + 768;
  CHECK(png.substr(data, 8) == std::string("\0\0\0\x0dIDAT", 8));
  CHECK(png.substr(data + 8, 13) == std::string("\x78\x01\x01\x02\0\xfd\xff\0\x07\0\x09\0\x08", 13));
  CHECK(png.substr(png.size() - 12) == std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12));
}

TEST_CASE("png: more than one stored block, and sizes that do not fit") {
  const std::vector<std::uint8_t> pixels(400 * 300, 3);
  const std::string png = to_png(400, 300, pixels, heat_palette());
  CHECK(png.size() == 8 + 25 + 12 + 768 + 12 + 2 + (401 * 300 + 2 * 5) + 4 + 12);
  CHECK_THROWS_AS(to_png(0, 1, {}, heat_palette()), Error);
  CHECK_THROWS_AS(to_png(70000, 1, std::vector<std::uint8_t>(70000), heat_palette()), Error);
  CHECK_THROWS_AS(to_png(3, 3, pixels, heat_palette()), Error);
}

TEST_CASE("png: every step of the palette is brighter than the one before") {
  const auto brightness = [](const Colour& c) { return 0.299 * c.red + 0.587 * c.green + 0.114 * c.blue; };
  const Palette& palette = heat_palette();
  for (std::size_t i = 8; i < palette.size(); i += 8) CHECK(brightness(palette[i]) > brightness(palette[i - 8]));
}
