#include "serene/data/file_index.h"

#include <chrono>
#include <filesystem>
#include <sstream>

#include "serene/core/error.h"
#include "serene/core/sha256.h"
#include "serene/io/atomic_file.h"
#include "serene/io/file.h"

namespace serene {
namespace fs = std::filesystem;
namespace {

constexpr const char* kTitle = "serene file index 1\n";

// A file changed this recently may change again within the clock's step; its hash is not remembered.
constexpr std::int64_t kSettled_ns = 2'000'000'000;

std::int64_t nanoseconds(fs::file_time_type time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

FileStamp stamp_of(const std::string& path) {
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed) throw Error(fs::exists(path) ? ErrorCode::input : ErrorCode::not_found, path, failed.message());
  const auto time = fs::last_write_time(path, failed);
  if (failed) throw Error(ErrorCode::input, path, failed.message());
  return {size, nanoseconds(time)};
}

FileIndex::FileIndex(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  try {
    load();
  } catch (const std::exception&) {
    entries_.clear();
  }
}

void FileIndex::load() {
  const std::string text = read_text(path_);
  const std::string title = kTitle;
  const std::size_t body = title.size() + 65;  // title, checksum of the rest, its line end
  if (text.size() < body || text.compare(0, title.size(), title) != 0) return;
  if (text.substr(title.size(), 64) != sha256_hex(std::string_view(text).substr(body))) return;
  std::istringstream lines(text.substr(body));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    Entry entry;
    std::string file;
    fields >> entry.hash >> entry.stamp.size >> entry.stamp.changed_ns;
    fields.get();
    if (std::getline(fields, file) && entry.hash.size() == 64) entries_[file] = entry;
  }
}

std::string FileIndex::hash_of(const std::string& file) {
  const FileStamp stamp = stamp_of(file);
  std::error_code failed;
  const std::string key = fs::absolute(file, failed).lexically_normal().string();
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found != entries_.end() && found->second.stamp == stamp) return found->second.hash;
  }
  const std::string hash = sha256_file(file);
  const bool settled = nanoseconds(fs::file_time_type::clock::now()) - stamp.changed_ns > kSettled_ns;
  if (settled && key.find('\n') == std::string::npos && stamp_of(file) == stamp) {
    const std::lock_guard lock(mutex_);
    entries_[key] = {stamp, hash};
    changed_ = true;
  }
  return hash;
}

void FileIndex::save() noexcept {
  if (path_.empty() || !changed_) return;
  try {
    std::string body;
    for (const auto& [file, entry] : entries_) {
      body += entry.hash + " " + std::to_string(entry.stamp.size) + " " + std::to_string(entry.stamp.changed_ns) + " " +
              file + "\n";
    }
    write_file_atomic(path_, std::string_view(kTitle + sha256_hex(std::string_view(body)) + "\n" + body));
    changed_ = false;
  } catch (const std::exception&) {
    // Without the index the next run reads the audio again.
  }
}

}  // namespace serene
