// What a telephone line does to a voice: 8 kHz, the band of 300 to 3400 Hz, G.711 codes, packets of 20 ms that are lost
// in bursts or come too late.
//
// Order on the line: resampling, band-pass, codec, packets. Everything is a pure function of samples and config:
// seeded, the same bytes on every machine. All functions are thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/core/json.h"
#include "serene/core/types.h"

namespace serene {

enum class Codec { none, mulaw, alaw };

struct TelephoneConfig {
  int rate_hz = 8000;            // 8000 or 16000 (wide-band, without codec)
  Codec codec = Codec::none;     // G.711 at 64 kbit/s
  bool band_pass = false;        // 300 to 3400 Hz
  double loss = 0;               // mean share of lost packets, 0 to 0.9
  double burst = 1;              // mean number of packets lost in a row, 1 to 100, at least loss / (1 - loss)
  double jitter_ms = 0;          // mean extra delay of a packet, exponentially distributed; 0 to 1000
  double jitter_buffer_ms = 60;  // a packet with more extra delay than this comes too late and counts as lost
  std::uint64_t seed = 1;
};

// Reads {"rate_hz", "codec": "none"|"mulaw"|"alaw", "band_pass", "loss", "burst", "jitter_ms", "jitter_buffer_ms",
// "seed"}, every key optional; errors name the key's path. Calls finish().
TelephoneConfig telephone_from_json(JsonReader& reader);
Json to_json(const TelephoneConfig& config);
// Throws Error(usage) naming the value that is out of range or does not fit the others.
void check(const TelephoneConfig& config);

// Butterworth high-pass of order 4 at low_hz, then Butterworth low-pass of order 8 at high_hz, as biquads made by the
// bilinear transformation with the corner in place (Bristow-Johnson's audio EQ formulas; Q of section k of order N is
// 1 / (2 cos(pi (2k + 1) / (2N)))). 3 dB down at both corners; 38 dB at a third of low_hz. Same length, starts at rest.
// Throws Error(usage) unless 0 < low_hz < high_hz < rate_hz / 2.
std::vector<float> band_pass(std::span<const float> samples, double rate_hz, double low_hz = 300,
                             double high_hz = 3400);

// There and back through 8-bit codes; samples are rounded to 16 bit and clipped at full scale first.
void pass_codec(std::span<float> samples, Codec codec) noexcept;

// Packets or samples [begin, end).
struct LostRun {
  Index begin = 0, end = 0;
  bool operator==(const LostRun&) const = default;
};

// Which of `packets` packets in a row are lost, as runs that neither touch nor overlap. Two-state model of
// Gilbert (1960): in the bad state every packet is lost, in the good state none; bad turns good with 1 / burst, and
// good turns bad so often that the share is `loss`. Packets that come too late are drawn apart from that and united
// with them. channel: legs have numbers of their own.
std::vector<LostRun> lost_packets(Index packets, const TelephoneConfig& config, std::uint64_t channel);

struct LineAudio {
  std::vector<float> samples;  // silence where packets were lost
  int rate_hz = 0;
  std::vector<LostRun> lost;  // samples, ascending
};

// One leg over the line. Sample 0 stays in place. Throws Error(usage) as check() does and for rate_hz below 4000.
LineAudio over_telephone(std::span<const float> samples, int rate_hz, const TelephoneConfig& config,
                         std::uint64_t channel);

}  // namespace serene
