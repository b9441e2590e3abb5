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
}

}  // namespace serene
