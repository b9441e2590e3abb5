#include "serene/audio/wave_probe.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "serene/core/error.h"

namespace serene {
namespace {

using Head = std::array<unsigned char, 8>;

std::uint64_t little(const unsigned char* p, int bytes) {
  std::uint64_t v = 0;
  for (int i = bytes; i-- > 0;) v = v << 8 | p[i];
  return v;
}

bool looks_like_text(std::string_view head) {
  return std::all_of(head.begin(), head.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u >= 32 ? u != 127 : c == '\n' || c == '\r' || c == '\t' || c == '\f';
  });
}

bool stands_for_unknown(std::uint64_t size) { return size == 0 || (size >= 0x7fff0000u && size <= 0xffffffffu); }

// Walks the chunks of a WAV up to its data; at most 4096 of them, each at least eight bytes ahead of the last.
void check_riff(std::ifstream& in, const std::string& path, std::uint64_t file_size) {
  std::uint64_t at = 12, long_size = 0;
  for (int chunk = 0; chunk < 4096 && at + 8 <= file_size; ++chunk) {
    Head head;
    in.seekg(static_cast<std::streamoff>(at));
    if (!in.read(reinterpret_cast<char*>(head.data()), head.size())) return;
    std::uint64_t size = little(head.data() + 4, 4);
    at += 8;
    if (std::memcmp(head.data(), "ds64", 4) == 0 && size >= 16) {
      std::array<unsigned char, 16> sizes;
      if (in.read(reinterpret_cast<char*>(sizes.data()), sizes.size())) long_size = little(sizes.data() + 8, 8);
    } else if (std::memcmp(head.data(), "data", 4) == 0) {
      if (size == 0xffffffffu && long_size > 0) size = long_size;
      if (stands_for_unknown(size) || size <= file_size - at) return;
      throw Error(ErrorCode::input, path, "truncated: the data chunk claims more than the file holds")
          .expected(std::to_string(size) + " bytes")
          .got(std::to_string(file_size - at));
    }
    at += size + (size & 1);
  }
}

// Bytes of the MPEG audio layer III frame whose header stands at p; 0 when there is none.
std::size_t mpeg_frame_bytes(const unsigned char* p) {
  constexpr int kKbits[2][15] = {{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
                                 {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}};
  constexpr int kRates[3] = {44100, 48000, 32000};
  const int version = p[1] >> 3 & 3, layer = p[1] >> 1 & 3, kbits = p[2] >> 4, rate = p[2] >> 2 & 3;
  if (p[0] != 0xff || (p[1] & 0xe0) != 0xe0 || version == 1 || layer != 1 || kbits == 0 || kbits == 15 || rate == 3) {
    return 0;
  }
  const bool low = version != 3;  // MPEG 2 and 2.5: half the rate or a quarter, half the samples
  const int hz = kRates[rate] >> (version == 3 ? 0 : version == 2 ? 1 : 2);
  return static_cast<std::size_t>((low ? 72 : 144) * kKbits[low ? 1 : 0][kbits] * 1000 / hz + (p[2] >> 1 & 1));
}

// libsndfile's MP3 decoder complains on the terminal while it looks for a frame in rubbish; so two frames in a row (or
// one that ends the file) must stand within the first 64 KiB after the tags.
void check_mpeg(std::ifstream& in, const std::string& path, std::uint64_t file_size) {
  std::array<unsigned char, 10> tag{};
  std::uint64_t at = 0;
  in.seekg(0);
  in.read(reinterpret_cast<char*>(tag.data()), tag.size());
  if (std::memcmp(tag.data(), "ID3", 3) == 0) {
    std::uint64_t size = 0;
    for (std::size_t i = 6; i < 10; ++i) size = size << 7 | (tag[i] & 0x7f);
    at = 10 + size;
  }
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(65536, file_size - std::min(at, file_size))),
                    '\0');
  in.clear();
  in.seekg(static_cast<std::streamoff>(at));
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const auto* p = reinterpret_cast<const unsigned char*>(bytes.data());
  for (std::size_t i = 0; i + 4 <= bytes.size(); ++i) {
    const std::size_t length = mpeg_frame_bytes(p + i);
    if (length == 0) continue;
    if (i + length == bytes.size()) return;
    if (i + length + 4 <= bytes.size() && mpeg_frame_bytes(p + i + length) > 0) return;
  }
  throw Error(ErrorCode::input, path, "not a readable audio file: no MP3 frames");
}

}  // namespace

void probe_audio_file(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (status.type() == fs::file_type::not_found) throw Error(ErrorCode::not_found, path, "no such file");
  if (fs::is_directory(status)) throw Error(ErrorCode::input, path, "a folder, not an audio file");
  if (failure) throw Error(ErrorCode::input, path, "cannot be opened: " + failure.message());
  if (!fs::is_regular_file(status)) throw Error(ErrorCode::input, path, "not a regular file");

  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ErrorCode::input, path, std::string("cannot be opened: ") + std::strerror(errno));
  const std::uintmax_t size = fs::file_size(path, failure);
  if (failure || size == 0) throw Error(ErrorCode::input, path, "empty file");
  std::string head(static_cast<std::size_t>(std::min<std::uintmax_t>(size, 512)), '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  if (head.starts_with("version https://git-lfs.github.com/spec/")) {
    throw Error(ErrorCode::input, path, "Git-LFS pointer, not audio").hint("run git lfs pull");
  }
  if (looks_like_text(head)) throw Error(ErrorCode::input, path, "a text file, not audio");
  const std::string_view magic(head.data(), std::min<std::size_t>(head.size(), 4));
  if (magic == "RIFF" || magic == "RF64") {
    in.clear();
    check_riff(in, path, size);
  }
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(head[i]); };
  if (magic.starts_with("ID3") || (head.size() >= 2 && byte(0) == 0xff && (byte(1) & 0xe0) == 0xe0)) {
    in.clear();
    check_mpeg(in, path, size);
  }
}

}  // namespace serene
