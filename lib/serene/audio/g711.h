// ITU-T G.711: 8-bit mu-law and A-law codes of telephone audio.
//
// A code holds sign, exponent (3 bits) and mantissa (4 bits) of a 14-bit (mu-law) or 13-bit (A-law) sample, all bits
// (mu-law) or every other bit (A-law) inverted. Samples are 16-bit linear.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace serene {

// The two common mu-law encoders differ at 508 negative samples beside decision levels: the ITU's (G.191) takes a
// negative sample's magnitude by one's complement, Sun's (and Python's audioop) by negation.
enum class MuLawRounding { itu, sun };

// The code of a sample; beyond the range of the law the largest code.
constexpr std::uint8_t mu_law_encode(std::int16_t sample, MuLawRounding rounding = MuLawRounding::itu) noexcept {
  const int x = sample;
  int magnitude = x >> 2;
  if (x < 0) magnitude = rounding == MuLawRounding::itu ? ~x >> 2 : -(x >> 2);
  magnitude = std::min(magnitude + 33, 8191);
  const int exponent = std::bit_width(static_cast<unsigned>(magnitude)) - 6;
  const int mantissa = (magnitude >> (exponent + 1)) & 15;
  return static_cast<std::uint8_t>(~((x < 0 ? 0x80 : 0) | exponent << 4 | mantissa));
}

// The sample in the middle of the interval that the code stands for.
constexpr std::int16_t mu_law_decode(std::uint8_t code) noexcept {
  const int bits = ~code & 0xff;
  const int magnitude = ((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132;
  return static_cast<std::int16_t>((bits & 0x80) != 0 ? -magnitude : magnitude);
}

// The code of a sample; any sample has one.
constexpr std::uint8_t a_law_encode(std::int16_t sample) noexcept {
  const int x = sample;
  const int magnitude = (x < 0 ? ~x : x) >> 4;
  int code = magnitude;
  if (magnitude > 15) {
    const int exponent = std::bit_width(static_cast<unsigned>(magnitude)) - 4;
    code = exponent << 4 | ((magnitude >> (exponent - 1)) & 15);
  }
  return static_cast<std::uint8_t>(((x < 0 ? 0 : 0x80) | code) ^ 0x55);
}

// The sample in the middle of the interval that the code stands for.
constexpr std::int16_t a_law_decode(std::uint8_t code) noexcept {
  const int bits = code ^ 0x55;
  const int exponent = (bits >> 4) & 7;
  const int base = ((bits & 15) << 4) + 8;
  const int magnitude = exponent == 0 ? base : (base + 256) << (exponent - 1);
  return static_cast<std::int16_t>((bits & 0x80) != 0 ? magnitude : -magnitude);
}

}  // namespace serene
