#include "keras_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

#include "serene/core/error.h"
#include "serene/io/file.h"

namespace serene::cli {
namespace {

constexpr int kProcessorSeconds = 60;
constexpr std::chrono::seconds kAllSeconds{120};
constexpr rlim_t kMemory = rlim_t{2} << 30;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLimitsMemory = false;  // their shadow memory alone is larger than any limit
#else
constexpr bool kLimitsMemory = true;
#endif
constexpr rlim_t kOpenFiles = 16;
constexpr std::size_t kMostOutput = std::size_t{384} << 20;
constexpr std::size_t kMostProblem = 4096;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void take(int fd) { close(), fd_ = fd; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw Error(ErrorCode::input, "pipe", errno_text(errno));
    read.take(ends[0]), write.take(ends[1]);
  }
  Descriptor read, write;
};

std::string helper_path() {
  std::error_code failed;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  const std::string path = (self.parent_path() / "serene-keras-import").string();
  if (!failed && ::access(path.c_str(), X_OK) == 0) return path;
  throw Error(ErrorCode::not_found, printable(path, 500), "needed to read what Keras wrote")
      .hint("build serene where libhdf5-dev and libzip-dev are installed");
}

// In the child, after fork: nothing here allocates.
[[noreturn]] void become_helper(const char* helper, const char* path, int out, int problem) {
  const auto limit = [](auto what, rlim_t most) {
    const rlimit both{most, most};
    if (::setrlimit(what, &both) != 0) ::_exit(126);
  };
  if (::dup2(out, STDOUT_FILENO) < 0 || ::dup2(problem, STDERR_FILENO) < 0) ::_exit(126);
  limit(RLIMIT_CPU, kProcessorSeconds);
  if (kLimitsMemory) limit(RLIMIT_AS, kMemory);
  limit(RLIMIT_NOFILE, kOpenFiles);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_CORE, 0);
  ::execl(helper, helper, path, static_cast<char*>(nullptr));
  ::_exit(127);
}

// Reads both ends until they are closed; false when that takes too long or too much comes.
bool drain(Pipe& out, Pipe& problem, std::vector<std::byte>& bytes, std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + kAllSeconds;
  std::vector<std::byte> piece(1 << 16);
  while (out.read.get() >= 0 || problem.read.get() >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 2> ready{{{out.read.get(), POLLIN, 0}, {problem.read.get(), POLLIN, 0}}};
    if (::poll(ready.data(), ready.size(), static_cast<int>(left.count())) < 0 && errno != EINTR) return false;
    for (Pipe* const pipe : {&out, &problem}) {
      if (ready[pipe == &out ? 0 : 1].revents == 0) continue;
      const ssize_t n = ::read(pipe->read.get(), piece.data(), piece.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        pipe->read.close();
      } else if (pipe == &out) {
        bytes.insert(bytes.end(), piece.begin(), piece.begin() + n);
      } else if (text.size() < kMostProblem) {
        text.append(reinterpret_cast<const char*>(piece.data()), static_cast<std::size_t>(n));
      }
    }
    if (bytes.size() > kMostOutput) return false;
  }
  return true;
}

// What the child says about the file; its name stands in front of it anyway.
std::string first_line(std::string text, const std::string& path) {
  if (text.starts_with(path + ": ")) text.erase(0, path.size() + 2);
  return printable(text.substr(0, text.find('\n')), 500);
}

// "" when the child ended well.
std::string problem_of(int status, bool in_time, const std::string& text, const std::string& path) {
  if (!in_time || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU))
    return "takes too long to read, or is too large";
  if (WIFSIGNALED(status)) return "damaged: its reader ended with signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return "";
  return text.empty() ? "its reader ended with code " + std::to_string(WEXITSTATUS(status)) : first_line(text, path);
}

}  // namespace

SafeTensors read_keras_file(const std::string& path) {
  const std::string helper = helper_path();
  Pipe out, problem;
  const pid_t child = ::fork();
  if (child < 0) throw Error(ErrorCode::input, printable(path, 500), "cannot start its reader: " + errno_text(errno));
  if (child == 0) become_helper(helper.c_str(), path.c_str(), out.write.get(), problem.write.get());
  out.write.close(), problem.write.close();
  std::vector<std::byte> bytes;
  std::string text;
  const bool in_time = drain(out, problem, bytes, text);
  if (!in_time) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string wrong = problem_of(status, in_time, text, path);
  if (!wrong.empty()) throw Error(ErrorCode::input, printable(path, 500), wrong);
  return parse_safetensors(std::move(bytes), path);
}

}  // namespace serene::cli
