#include "serene/io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "serene/core/error.h"
#include "serene/core/sha256.h"

namespace serene {
namespace {

// An open regular file; closes itself.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path) {
    if (path.find('\0') != std::string::npos) throw Error(ErrorCode::input, path, "path contains a zero byte");
    do {  // O_NONBLOCK: opening a pipe must not wait for its writer
      fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0) {
      const int code = errno;
      const bool missing = code == ENOENT || code == ENOTDIR;
      if (missing) throw Error(ErrorCode::not_found, path, "no such file");
      throw Error(ErrorCode::input, path, "cannot open: " + errno_text(code));
    }
    struct stat info {};
    if (::fstat(fd_, &info) != 0) fail("cannot examine: " + errno_text(errno));
    if (S_ISDIR(info.st_mode)) fail("is a directory, not a file");
    if (!S_ISREG(info.st_mode)) fail("is not a regular file");
    size_ = static_cast<std::size_t>(info.st_size);
  }
  ~InputFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::size_t size() const { return size_; }

  // Reads up to `count` bytes; fewer only at the end of the file.
  std::size_t read(void* out, std::size_t count) {
    std::size_t done = 0;
    while (done < count) {
      const std::size_t piece = std::min(count - done, std::size_t{1} << 30);
      const ssize_t got = ::read(fd_, static_cast<char*>(out) + done, piece);
      if (got == 0) break;
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("cannot read: " + errno_text(errno));
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    throw Error(ErrorCode::input, path_, problem);
  }

  std::string path_;
  int fd_ = -1;
  std::size_t size_ = 0;
};

template <class Bytes>
Bytes read_all(const std::string& path, std::size_t max_bytes) {
  InputFile file(path);
  if (file.size() > max_bytes) {
    throw Error(ErrorCode::input, path, "file is too large")
        .expected("at most " + std::to_string(max_bytes) + " bytes")
        .got(std::to_string(file.size()) + " bytes");
  }
  Bytes bytes(file.size(), typename Bytes::value_type{});
  const std::size_t got = file.read(bytes.data(), bytes.size());
  if (got != bytes.size()) {
    throw Error(ErrorCode::input, path, "file shrank while it was read")
        .expected(std::to_string(bytes.size()) + " bytes")
        .got(std::to_string(got) + " bytes");
  }
  return bytes;
}

}  // namespace

std::vector<std::byte> read_file(const std::string& path, std::size_t max_bytes) {
  return read_all<std::vector<std::byte>>(path, max_bytes);
}

std::string read_text(const std::string& path, std::size_t max_bytes) { return read_all<std::string>(path, max_bytes); }

std::string sha256_file(const std::string& path) {
  InputFile file(path);
  Sha256 hash;
  std::vector<std::byte> buffer(std::size_t{1} << 18);
  while (const std::size_t got = file.read(buffer.data(), buffer.size())) {
    hash.update(std::span<const std::byte>(buffer.data(), got));
  }
  return hash.hex();
}

std::string errno_text(int code) { return std::generic_category().message(code); }

}  // namespace serene
