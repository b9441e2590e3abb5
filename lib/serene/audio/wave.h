// Reading and writing audio files through libsndfile: WAV (all kinds), FLAC, Ogg, Opus, MP3 and more, any rate and
// channels. Plain 16-bit WAV is read without it (wave_pcm16.h), to the same bits.
//
// Every fault is one Error (code input or not_found) whose place is the file: missing, a folder, empty, truncated, not
// audio, a Git-LFS pointer, no samples, NaN or infinite samples, an absurd rate. Memory follows what is really in the
// file, never what its header claims. All functions are thread-safe; a WaveReader belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

struct Wave {
  std::vector<float> samples;  // interleaved, full scale 1
  int channels = 0;
  int rate_hz = 0;

  // Samples of one channel.
  Index frames() const { return channels > 0 ? static_cast<Index>(samples.size()) / channels : 0; }
};

// Reads a file piece by piece, so that long recordings need little memory.
class WaveReader {
 public:
  // Opens the file and reads its header. Throws Error(input) or Error(not_found) that names the file.
  explicit WaveReader(const std::string& path);
  ~WaveReader();
  WaveReader(WaveReader&&) noexcept;
  WaveReader& operator=(WaveReader&&) noexcept;

  int rate_hz() const noexcept;   // samples a second
  int channels() const noexcept;  // side by side in a frame
  // All frames of the file where its length is certain before reading (plain 16-bit WAV), else 0.
  Index known_frames() const noexcept;
  // Fills at most interleaved.size() / channels() frames; returns how many, 0 at the end. Throws Error on a broken
  // stream and on a sample that is NaN or infinite.
  Index read(std::span<float> interleaved);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The whole file (at most 2^28 samples).
Wave read_wave(const std::string& path);

// Average of the channels, as librosa.to_mono.
std::vector<float> to_mono(const Wave& wave);

// The file as one channel at rate_hz (0: its own rate): offset_s and duration_s (0: to the end) are cut at the file's
// own rate before resampling, as librosa.load does. Never empty: an offset beyond the end is an Error.
std::vector<float> load_mono(const std::string& path, int rate_hz, double offset_s = 0, double duration_s = 0);

// The same into a vector whose memory is used again.
void load_mono(const std::string& path, int rate_hz, double offset_s, double duration_s, std::vector<float>& mono);

// One channel, 16 bit, clipped at full scale. Throws Error when the file cannot be written.
void write_wave16(const std::string& path, std::span<const float> samples, int rate_hz);

}  // namespace serene
