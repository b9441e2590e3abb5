#include "serene/io/tensorboard.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "serene/io/atomic_file.h"
#include "serene/io/file.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

namespace {

std::vector<ScalarStep> steps_to(std::int64_t last) {
  std::vector<ScalarStep> steps;
  for (std::int64_t s = 1; s <= last; ++s) steps.push_back({s, {{"loss/train", 1.0 / static_cast<double>(s)}}});
  return steps;
}

}  // namespace

TEST_CASE("tensorboard: CRC-32C of known texts") {
  // RFC 3720, appendix B.4, and the usual check value.
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xE3069283u);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAu);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43u);
}

TEST_CASE("tensorboard: the file grows by what is new, and never changes before") {
  TempFolder folder;
  const std::string path = folder / "events.out.tfevents.test";
  update_event_file(path, {});
  std::string before = read_text(path);
  CHECK(before.size() == 12 + 9 + 2 + 13 + 4);  // wall time, version
  CHECK(before.find("brain.Event:2") != std::string::npos);
  std::uint32_t masked = 0;
  std::memcpy(&masked, before.data() + 8, sizeof masked);
  CHECK(masked == 0x224B7FA3u);  // of the length, 24, by another program
  for (const std::int64_t last : {1, 2, 5, 200}) {
    update_event_file(path, steps_to(last));
    const std::string after = read_text(path);
    CHECK(after.size() > before.size());
    CHECK(after.starts_with(before));
    update_event_file(path, steps_to(last));
    CHECK(read_text(path) == after);
    before = after;
  }
}

TEST_CASE("tensorboard: what a killed writer left is cut off") {
  TempFolder folder;
  const std::string path = folder / "events.out.tfevents.test";
  update_event_file(path, steps_to(3));
  const std::string three = read_text(path);
  update_event_file(path, steps_to(4));
  const std::string four = read_text(path);
  for (std::size_t size = three.size(); size < four.size(); size += 7) {
    write_file_atomic(path, std::string_view(four).substr(0, size));
    update_event_file(path, steps_to(4));
    const std::string again = read_text(path);
    CHECK(again.starts_with(three));
    CHECK(again.size() == four.size());
  }
  update_event_file(path, steps_to(3));  // a run that goes on from an epoch before
  CHECK(read_text(path) == three);
  update_event_file(path, std::vector<ScalarStep>{{1, {{"loss/train", 1.0}}}, {3, {{"a", 1.0}}}});  // of other steps
  CHECK(read_text(path).size() < three.size() - (four.size() - three.size()));
}

TEST_CASE("tensorboard: damaged and foreign files, values that are not finite") {
  TempFolder folder;
  const std::string path = folder / "events.out.tfevents.test";
  update_event_file(path, steps_to(3));
  const std::string good = read_text(path);
  for (std::size_t at = 0; at < good.size(); ++at) {  // whatever bit flips: the end is a whole file of all steps
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 16);
    write_file_atomic(path, damaged);
    update_event_file(path, steps_to(3));
    CHECK(read_text(path).size() == good.size());
  }
  write_file_atomic(path, std::string_view("something else"));
  update_event_file(path, steps_to(1));
  const std::string one = read_text(path);
  update_event_file(path, std::vector<ScalarStep>{{1, {{"loss/train", 1.0}, {"loss/validation", std::nan("")}}}});
  CHECK(read_text(path) == one);
  std::filesystem::remove(path);
  update_event_file(path, std::vector<ScalarStep>{{1, {{"loss/train", 1.0}, {"loss/validation", std::nan("")}}}});
  CHECK(read_text(path).size() == one.size());
  CHECK(error_of([&] { update_event_file(folder / "no/such/folder", {}); }).find("no/such/folder") !=
        std::string::npos);
}
