// Which file holds which bytes, remembered by (path, size, time of change), so that unchanged files need not be read
// again.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace serene {

// A file's state; two equal stamps of one path mean unchanged bytes.
struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t changed_ns = 0;  // since the epoch of the file clock

  bool operator==(const FileStamp&) const = default;
};

// Throws Error(not_found) when the file is missing.
FileStamp stamp_of(const std::string& path);

// Thread-safe. The file is text with its own checksum; whatever is wrong with it makes the index start empty.
class FileIndex {
 public:
  // path: where the index lies; "" keeps it in memory alone.
  explicit FileIndex(std::string path);

  // SHA-256 of the file's bytes, from memory where its stamp is unchanged. Throws Error when it cannot be read.
  std::string hash_of(const std::string& file);

  // Writes the index when it has changed. Does not throw: the index only saves time.
  void save() noexcept;

 private:
  struct Entry {
    FileStamp stamp;
    std::string hash;
  };
  void load();

  std::string path_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  bool changed_ = false;
};

}  // namespace serene
