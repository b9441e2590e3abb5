#include "serene/io/atomic_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "serene/core/error.h"
#include "serene/io/file.h"

namespace serene {
namespace {

constexpr std::string_view temp_suffix = ".serene-temp";

// The umask can only be read by setting it. Once, and with the tightest mask in between.
mode_t file_mode() {
  static const mode_t mask = [] {
    const mode_t old = ::umask(077);
    ::umask(old);
    return old;
  }();
  return 0644 & ~mask;
}

// The temporary file: unlinked on destruction unless it was renamed.
class TempFile {
 public:
  TempFile(const std::filesystem::path& directory, const std::string& base, const std::string& path) : path_(path) {
    static std::atomic<unsigned> counter{0};
    // A name of its own short enough for any file system, whatever the length of `base`.
    const std::string stem = "." + base.substr(0, 100) + "." + std::to_string(::getpid()) + ".";
    for (int attempt = 0; attempt < 1000; ++attempt) {
      name_ = (directory / (stem + std::to_string(counter++) + std::string(temp_suffix))).string();
      fd_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
      if (fd_ >= 0) return;
      if (errno == EEXIST || errno == EINTR) continue;
      const int code = errno;
      name_.clear();
      if (code == ENOENT) throw Error(ErrorCode::not_found, path, "cannot write: the directory does not exist");
      throw Error(ErrorCode::input, path, "cannot create a temporary file beside it: " + errno_text(code));
    }
    name_.clear();
    throw Error(ErrorCode::input, path, "cannot create a temporary file beside it: too many are left over");
  }
  ~TempFile() {
    if (fd_ >= 0) ::close(fd_);
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t done = ::write(fd_, bytes.data(), std::min(bytes.size(), std::size_t{1} << 30));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) fail("cannot write", done == 0 ? ENOSPC : errno);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
  }

  void finish() {
    if (::fchmod(fd_, file_mode()) != 0) fail("cannot set the mode", errno);
    while (::fsync(fd_) != 0) {
      if (errno != EINTR) fail("cannot flush to the disk", errno);
    }
    const int fd = fd_;
    fd_ = -1;
    if (::close(fd) != 0 && errno != EINTR) fail("cannot close", errno);
    if (::rename(name_.c_str(), path_.c_str()) != 0) fail("cannot rename the temporary file", errno);
    name_.clear();
  }

 private:
  [[noreturn]] void fail(const char* what, int code) const {
    throw Error(ErrorCode::input, path_, std::string(what) + ": " + errno_text(code));
  }

  std::string path_, name_;
  int fd_ = -1;
};

// Makes the rename itself last. Some file systems cannot sync a directory and say EINVAL; that is not a failure.
void sync_directory(const std::string& directory, const std::string& path) {
  int fd;
  do {
    fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) throw Error(ErrorCode::input, path, "cannot open its directory: " + errno_text(errno));
  int result;
  do {
    result = ::fsync(fd);
  } while (result != 0 && errno == EINTR);
  const int code = errno;
  ::close(fd);
  if (result != 0 && code != EINVAL && code != ENOTSUP) {
    throw Error(ErrorCode::input, path, "cannot flush its directory to the disk: " + errno_text(code));
  }
}

}  // namespace

void write_file_atomic(const std::string& path, std::span<const std::byte> bytes) {
  const std::filesystem::path place(path);
  if (!place.has_filename() || path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::input, path, "is not a path of a file");
  }
  const std::filesystem::path directory = place.has_parent_path() ? place.parent_path() : std::filesystem::path(".");
  {
    TempFile temp(directory, place.filename().string(), path);
    temp.write(bytes);
    temp.finish();
  }
  sync_directory(directory.string(), path);
}

void write_file_atomic(const std::string& path, std::string_view text) {
  write_file_atomic(path, std::as_bytes(std::span<const char>(text.data(), text.size())));
}

std::vector<std::string> remove_stale_temp_files(const std::string& folder) {
  std::vector<std::string> removed;
  std::error_code code;
  std::filesystem::directory_iterator at(folder, code);
  for (; !code && at != std::filesystem::directory_iterator(); at.increment(code)) {
    const std::string name = at->path().filename().string();
    const bool ours = name.front() == '.' && name.size() > temp_suffix.size() && name.ends_with(temp_suffix);
    std::error_code ignored;
    if (ours && at->symlink_status(ignored).type() == std::filesystem::file_type::regular) removed.push_back(name);
  }
  if (code && code != std::errc::no_such_file_or_directory) {
    throw Error(ErrorCode::input, folder, "cannot list the folder: " + code.message());
  }
  std::sort(removed.begin(), removed.end());
  for (const std::string& name : removed) {
    std::error_code failure;
    std::filesystem::remove(std::filesystem::path(folder) / name, failure);
    if (failure) throw Error(ErrorCode::input, folder + "/" + name, "cannot remove: " + failure.message());
  }
  return removed;
}

}  // namespace serene
