#include "serene/audio/wave_pcm16.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "serene/audio/simd_target.h"

namespace serene {
namespace {

constexpr std::size_t kHeader = 4096;

// Bytes up to `count`; fewer at the end of the file or where reading fails.
std::size_t read_bytes(int file, void* to, std::size_t count) noexcept {
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = ::read(file, static_cast<char*>(to) + done, count - done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::uint32_t little(const unsigned char* p, int bytes) noexcept {
  std::uint32_t v = 0;
  for (int i = bytes; i-- > 0;) v = v << 8 | p[i];
  return v;
}

bool is(const unsigned char* p, const char (&id)[5]) noexcept { return std::memcmp(p, id, 4) == 0; }

SERENE_ALWAYS_INLINE void to_float_body(const std::int16_t* __restrict from, float* __restrict to, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]) * (1.0f / 32768);
}
SERENE_TARGET_AVX2 void to_float_avx2(const std::int16_t* from, float* to, std::size_t n) {
  to_float_body(from, to, n);
}

}  // namespace

std::optional<Pcm16File> Pcm16File::open(const std::string& path) {
  if constexpr (std::endian::native != std::endian::little) return {};
  Pcm16File f;
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  f.file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (f.file_ < 0 || !f.parse_header()) return {};
  return f;
}

Pcm16File::~Pcm16File() {
  if (file_ >= 0) ::close(file_);
}

Pcm16File::Pcm16File(Pcm16File&& other) noexcept { *this = std::move(other); }

Pcm16File& Pcm16File::operator=(Pcm16File&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(rate_hz_, other.rate_hz_);
  std::swap(channels_, other.channels_);
  std::swap(frames_, other.frames_);
  std::swap(left_, other.left_);
  return *this;
}

bool Pcm16File::parse_format(const unsigned char* body) noexcept {
  const std::uint32_t channels = little(body + 2, 2), rate = little(body + 4, 4);
  if (little(body, 2) != 1 || little(body + 14, 2) != 16 || channels < 1 || channels > 16) return false;
  if (rate < 1000 || rate > 768000 || little(body + 8, 4) != rate * channels * 2) return false;
  channels_ = static_cast<int>(channels);
  rate_hz_ = static_cast<int>(rate);
  return little(body + 12, 2) == channels * 2;
}

// Leaves the file at its first sample.
bool Pcm16File::parse_header() noexcept {
  struct stat info {};
  if (::fstat(file_, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  const auto size = static_cast<std::uint64_t>(info.st_size);
  std::array<unsigned char, kHeader> head;
  const std::size_t known = read_bytes(file_, head.data(), head.size());
  if (known < 12 || !is(head.data(), "RIFF") || !is(head.data() + 8, "WAVE")) return false;
  for (std::uint64_t at = 12; at + 8 <= known;) {
    const unsigned char* chunk = head.data() + at;
    const std::uint32_t length = little(chunk + 4, 4);
    at += 8;
    if (is(chunk, "data")) {
      // A length near 2^32 or of 0 stands for "unknown".
      if (channels_ == 0 || length == 0 || length >= 0x7fff0000u || length > size - at) return false;
      if (length % static_cast<std::uint32_t>(2 * channels_) != 0) return false;
      frames_ = left_ = static_cast<Index>(length) / (2 * channels_);
      return ::lseek(file_, static_cast<off_t>(at), SEEK_SET) == static_cast<off_t>(at);
    }
    if (is(chunk, "fmt ")) {
      if ((length != 16 && length != 18) || at + length > known || channels_ != 0 || !parse_format(chunk + 8)) {
        return false;
      }
    } else if (!is(chunk, "fact") && !is(chunk, "LIST") && !is(chunk, "JUNK")) {
      return false;
    }
    at += std::uint64_t{length} + (length & 1);
  }
  return false;
}

Index Pcm16File::read(std::span<float> interleaved) noexcept {
  std::array<std::int16_t, 8192> block;
  const auto convert = has_avx2() ? to_float_avx2 : to_float_body;
  const Index width = channels_, wanted = std::min(static_cast<Index>(interleaved.size()) / width, left_);
  const Index most = static_cast<Index>(block.size()) / width;
  Index done = 0;
  while (done < wanted) {
    const Index piece = std::min(wanted - done, most);
    const std::size_t bytes = read_bytes(file_, block.data(), static_cast<std::size_t>(piece * width) * 2);
    const Index got = static_cast<Index>(bytes) / (2 * width);
    convert(block.data(), interleaved.data() + done * width, static_cast<std::size_t>(got * width));
    done += got;
    if (got < piece) {
      left_ = done;  // cut off while it was read
      break;
    }
  }
  left_ -= done;
  return done;
}

}  // namespace serene
