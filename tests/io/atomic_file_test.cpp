#include "serene/io/atomic_file.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "serene/core/error.h"
#include "serene/io/file.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

namespace {

using Names = std::vector<std::string>;

// Limits the size of files this process may write, so that a write comes back short and then fails.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace

TEST_CASE("write_file_atomic: makes and replaces, and leaves nothing else") {
  TempFolder folder;
  write_file_atomic(folder / "a.txt", "first");
  CHECK(read_text(folder / "a.txt") == "first");
  write_file_atomic(folder / "a.txt", "second, longer");
  CHECK(read_text(folder / "a.txt") == "second, longer");
  write_file_atomic(folder / "a.txt", "");
  CHECK(read_text(folder / "a.txt").empty());
  CHECK(folder.names() == Names{"a.txt"});
}

TEST_CASE("write_file_atomic: a relative path without a folder") {
  TempFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_file_atomic("plain", "x");
  std::filesystem::current_path(before);
  CHECK(read_text(folder / "plain") == "x");
}

TEST_CASE("write_file_atomic: readable by others, writable by the owner, less the umask") {
  TempFolder folder;
  const mode_t mask = ::umask(022);
  ::umask(mask);
  write_file_atomic(folder / "a", "x");
  struct stat info {};
  REQUIRE(::stat((folder / "a").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == (0644u & ~mask));
}

TEST_CASE("write_file_atomic: a failed write leaves the old file and no temporary one") {
  TempFolder folder;
  write_file_atomic(folder / "a", "old");
  std::string error;
  {
    FileSizeLimit limit(1000);
    error = error_of([&] { write_file_atomic(folder / "a", std::string(5000, 'n')); });
  }
  CHECK(error.find(folder / "a: cannot write: ") == 0);
  CHECK(read_text(folder / "a") == "old");
  CHECK(folder.names() == Names{"a"});
}

TEST_CASE("write_file_atomic: errors name the path and the reason") {
  TempFolder folder;
  CHECK(error_of([&] { write_file_atomic(folder / "no/a", "x"); }).find("directory does not exist") !=
        std::string::npos);
  std::filesystem::create_directory(folder / "sub");
  CHECK(error_of([&] { write_file_atomic(folder / "sub", "x"); }).find(folder / "sub: cannot rename") == 0);
  CHECK(error_of([&] { write_file_atomic(folder / "", "x"); }).find("not a path of a file") != std::string::npos);
  CHECK(error_of([&] { write_file_atomic("", "x"); }).find("not a path of a file") != std::string::npos);
  CHECK(folder.names() == Names{"sub"});
}

TEST_CASE("write_file_atomic: a killed writer leaves the old or the new file, and its leftovers can be removed") {
  TempFolder folder;
  const std::string old_text(300000, 'o'), new_text(300000, 'n');
  for (int round = 0; round < 20; ++round) {
    write_file_atomic(folder / "a", old_text);
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) write_file_atomic(folder / "a", new_text);
    }
    ::usleep(static_cast<useconds_t>(200 * round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string text = read_text(folder / "a");
    REQUIRE((text == old_text || text == new_text));
    remove_stale_temp_files(folder.path());
    REQUIRE(folder.names() == Names{"a"});
  }
}

TEST_CASE("remove_stale_temp_files: removes its own leftovers only") {
  TempFolder folder;
  for (const char* name : {".a.12.3.serene-temp", ".b.1.0.serene-temp", "c.serene-temp", ".hidden", "a"}) {
    write_file_atomic(folder / name, "x");
  }
  CHECK(remove_stale_temp_files(folder.path()) == Names{".a.12.3.serene-temp", ".b.1.0.serene-temp"});
  CHECK(folder.names() == Names{".hidden", "a", "c.serene-temp"});
  CHECK(remove_stale_temp_files(folder / "none").empty());
}
