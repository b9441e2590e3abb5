// The short way into the plainest audio files: RIFF WAVE of 16-bit PCM, read without a library in between. The values
// are libsndfile's, to the bit.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "serene/core/types.h"

namespace serene {

// An open file; belongs to one thread at a time.
class Pcm16File {
 public:
  // The file, when its first 4 KiB say that it is one: a regular file; only the chunks fmt, fact, LIST and JUNK before
  // the data; 1 to 16 channels; 1 to 768 kHz; at least one sample; the data as long as announced. Nothing otherwise,
  // whatever the matter is: libsndfile and wave_probe.h then read the file or name its fault. Never throws for a file.
  static std::optional<Pcm16File> open(const std::string& path);

  ~Pcm16File();
  Pcm16File(Pcm16File&& other) noexcept;
  Pcm16File& operator=(Pcm16File&& other) noexcept;

  int rate_hz() const noexcept { return rate_hz_; }
  int channels() const noexcept { return channels_; }
  // All frames of the file; it was that long when it was opened.
  Index frames() const noexcept { return frames_; }
  // Fills whole frames, as many as fit and are left; returns how many: 0 at the end, or where reading fails.
  Index read(std::span<float> interleaved) noexcept;

 private:
  Pcm16File() = default;
  bool parse_header() noexcept;
  bool parse_format(const unsigned char* body) noexcept;

  int file_ = -1;
  int rate_hz_ = 0, channels_ = 0;
  Index frames_ = 0, left_ = 0;
};

}  // namespace serene
