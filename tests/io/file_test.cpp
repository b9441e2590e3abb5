#include "serene/io/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "serene/core/sha256.h"
#include "serene/io/atomic_file.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

TEST_CASE("read_file: bytes as they are") {
  TempFolder folder;
  std::string text = "line\n\r";
  text += '\0';
  text += "\xff end";
  write_file_atomic(folder / "a", text);
  CHECK(read_text(folder / "a") == text);
  CHECK(read_file(folder / "a").size() == text.size());
  CHECK(sha256_file(folder / "a") == sha256_hex(text));
  write_file_atomic(folder / "empty", "");
  CHECK(read_text(folder / "empty").empty());
  CHECK(sha256_file(folder / "empty") == sha256_hex(""));
}

TEST_CASE("sha256_file: a file larger than its buffer") {
  TempFolder folder;
  const std::string text(700001, 'x');
  write_file_atomic(folder / "big", text);
  CHECK(sha256_file(folder / "big") == sha256_hex(text));
}

TEST_CASE("read_file: one line that names the path and the reason") {
  TempFolder folder;
  CHECK(error_of([&] { read_file(folder / "none"); }) == folder / "none: no such file");
  try {
    read_file(folder / "none");
    FAIL("no error");
  } catch (const Error& e) {
    CHECK(e.code() == ErrorCode::not_found);
  }
  CHECK(error_of([&] { read_file(folder.path()); }).find("is a directory") != std::string::npos);
  write_file_atomic(folder / "large", "12345");
  CHECK(read_text(folder / "large", 5) == "12345");
  const std::string large = error_of([&] { read_text(folder / "large", 4); });
  CHECK(large.find("too large") != std::string::npos);
  CHECK(large.find("at most 4 bytes") != std::string::npos);
  CHECK(error_of([&] { read_file(folder / "large/below"); }).find("no such file") != std::string::npos);
}

TEST_CASE("read_file: a pipe or a device neither hangs nor fills the memory") {
  TempFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(error_of([&] { read_file(folder / "pipe"); }).find("not a regular file") != std::string::npos);
  CHECK(error_of([&] { read_file("/dev/zero"); }).find("not a regular file") != std::string::npos);
}
