// Zip archives of NumPy arrays: read from memory, written with their entries stored as they are.
//
// Read: entries stored or deflated, one disk, below 4 GiB. Names are only compared, never used as paths. Everything is
// checked before memory is taken; what does not fit is Error(input) that names the archive and the entry.
// Format: PKWARE APPNOTE 6.3, without encryption, zip64 and other methods.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace serene {

struct ZipEntry {
  std::string name;
  bool deflated = false;
  std::uint32_t crc = 0;
  std::size_t size = 0;               // unpacked
  std::span<const std::byte> packed;  // within the archive's bytes
};

// Immutable: const means thread-safe.
class ZipArchive {
 public:
  // Throws Error: not a zip archive, a damaged one, an encrypted one, a name that stands twice or holds a path, more
  // than 1000 entries, an entry that would unpack to more than 100 times its size (from 64 MiB on: real arrays do not).
  explicit ZipArchive(const std::string& path);
  ZipArchive(const ZipArchive&) = delete;
  ZipArchive& operator=(const ZipArchive&) = delete;

  const std::string& path() const noexcept { return path_; }
  const std::vector<ZipEntry>& entries() const noexcept { return entries_; }
  const ZipEntry* find(std::string_view name) const noexcept;  // nullptr: there is none
  // The bytes of an entry: of a stored one those of the archive, else unpacked into `room`. Throws Error when they are
  // not the size or have not the checksum that the archive states.
  std::span<const std::byte> read(const ZipEntry& entry, std::vector<std::byte>& room) const;

 private:
  std::string path_;
  std::vector<std::byte> bytes_;
  std::vector<ZipEntry> entries_;
};

// Grows an archive in memory. Equal entries give equal bytes: no times are kept.
class ZipWriter {
 public:
  // Throws Error(input) when the archive would reach 4 GiB.
  void add(const std::string& name, std::span<const std::byte> bytes);
  // The whole archive; nothing may be added afterwards.
  std::vector<std::byte> finish() &&;

 private:
  std::vector<std::byte> bytes_, directory_;
  std::uint16_t count_ = 0;
};

}  // namespace serene
