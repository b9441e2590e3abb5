#include "serene/io/zip_archive.h"

#include <doctest/doctest.h>

#include <cstring>

#include "serene/core/error.h"
#include "serene/core/random.h"
#include "serene/io/atomic_file.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(const std::string& text) {
  const auto view = std::as_bytes(std::span<const char>(text));
  return {view.begin(), view.end()};
}

std::string number(std::uint32_t value, int width) {
  std::string text;
  for (int i = 0; i < width; ++i) text += static_cast<char>(value >> (8 * i) & 255);
  return text;
}

// An entry as it stands in an archive; what a hostile one changes.
struct Raw {
  std::string name, packed;
  std::uint32_t crc = 0, size = 0, method = 0, flags = 0;
  std::string local_name = name;
};

std::string archive_of(const std::vector<Raw>& entries) {
  std::string body, directory;
  for (const Raw& e : entries) {
    const auto offset = static_cast<std::uint32_t>(body.size()), packed = static_cast<std::uint32_t>(e.packed.size());
    const std::string common = number(20, 2) + number(e.flags, 2) + number(e.method, 2) + number(0, 4) +
                               number(e.crc, 4) + number(packed, 4) + number(e.size, 4) +
                               number(static_cast<std::uint32_t>(e.name.size()), 2) + number(0, 2);
    body += number(0x04034b50, 4) + common + e.local_name + e.packed;
    directory +=
        number(0x02014b50, 4) + number(20, 2) + common + number(0, 6) + number(0, 4) + number(offset, 4) + e.name;
  }
  const auto count = static_cast<std::uint32_t>(entries.size());
  return body + directory + number(0x06054b50, 4) + number(0, 4) + number(count, 2) + number(count, 2) +
         number(static_cast<std::uint32_t>(directory.size()), 4) + number(static_cast<std::uint32_t>(body.size()), 4) +
         number(0, 2);
}

// "hello" and its CRC-32; deflated (RFC 1951) as one block of fixed codes.
const Raw hello{"a.npy", "hello", 0x3610a686, 5};
const std::string packed_hello("\xcb\x48\xcd\xc9\xc9\x07\x00", 7);

Raw deflated_hello() {
  Raw raw = hello;
  raw.packed = packed_hello, raw.method = 8;
  return raw;
}

// What reading the archive and all its entries says, "" for nothing; without the folder in front.
std::string problem_of(const std::string& archive) {
  const TempFolder folder;
  const std::string path = folder / "x.npz";
  write_file_atomic(path, archive);
  const std::string text = error_of([&] {
    const ZipArchive zip(path);
    Bytes room;
    for (const ZipEntry& e : zip.entries()) zip.read(e, room);
  });
  if (text.empty()) return text;
  CHECK(text.starts_with(folder.path()));
  CHECK(text.find('\n') == std::string::npos);
  return text.substr(folder.path().size() + 1);
}

std::string problem_of(const Raw& entry) { return problem_of(archive_of({entry})); }

template <class F>
Raw changed(Raw raw, F&& change) {
  change(raw);
  return raw;
}

}  // namespace

TEST_CASE("zip: what is written is read again, and is the same each time") {
  const TempFolder folder;
  const auto make = [] {
    ZipWriter zip;
    zip.add("one", bytes_of("hello"));
    zip.add("none", {});
    zip.add("two.npy", bytes_of(std::string(1000, 'x')));
    return std::move(zip).finish();
  };
  CHECK(make() == make());
  write_file_atomic(folder / "a.zip", make());
  const ZipArchive zip(folder / "a.zip");
  REQUIRE(zip.entries().size() == 3);
  Bytes room;
  CHECK(zip.find("three") == nullptr);
  const auto first = zip.read(*zip.find("one"), room);
  CHECK(Bytes(first.begin(), first.end()) == bytes_of("hello"));
  CHECK(zip.find("one")->crc == 0x3610a686);
  CHECK(zip.read(*zip.find("none"), room).empty());
  CHECK(zip.read(*zip.find("two.npy"), room).size() == 1000);
}

TEST_CASE("zip: deflated entries, with a comment behind them") {
  CHECK(problem_of(hello) == "");
  CHECK(problem_of(deflated_hello()) == "");
  std::string commented = archive_of({hello});
  commented.replace(commented.size() - 2, 2, number(3, 2) + "abc");
  CHECK(problem_of(commented) == "");
  CHECK(problem_of(archive_of({})) == "");
}

TEST_CASE("zip: hostile archives are one clear line each") {
  CHECK(problem_of(std::string("not a zip")) == "x.npz: is not a zip archive");
  CHECK(problem_of(std::string("not a zip but longer than the end of one")).find("is not a zip archive") !=
        std::string::npos);
  CHECK(problem_of(changed(hello, [](Raw& r) { r.name = r.local_name = "../a.npy"; })) ==
        "x.npz: an entry's name is a path: \"../a.npy\"");
  CHECK(problem_of(changed(hello, [](Raw& r) { r.name = r.local_name = "a\\b"; })).find("is a path") !=
        std::string::npos);
  CHECK(problem_of(changed(hello, [](Raw& r) { r.name = r.local_name = "/a"; })).find("is a path") !=
        std::string::npos);
  CHECK(problem_of(changed(hello, [](Raw& r) { r.name = r.local_name = "a\nb"; })) ==
        "x.npz: an entry's name is no text");
  CHECK(problem_of(archive_of({hello, hello})) == "x.npz: holds two entries named \"a.npy\"");
  CHECK(problem_of(changed(hello, [](Raw& r) { r.local_name = "b.npy"; })) ==
        "x.npz: a.npy: is damaged: it has two names");
  CHECK(problem_of(changed(hello, [](Raw& r) { r.flags = 1; })) == "x.npz: a.npy: is encrypted");
  CHECK(problem_of(changed(hello, [](Raw& r) { r.method = 12; })).find("unknown way of packing") != std::string::npos);
  CHECK(problem_of(changed(hello, [](Raw& r) { r.size = 6; })) == "x.npz: a.npy: is damaged: stored with two sizes");
  CHECK(problem_of(changed(hello, [](Raw& r) { r.crc ^= 1; })) == "x.npz: a.npy: is damaged: its checksum differs");
  CHECK(problem_of(changed(deflated_hello(), [](Raw& r) { r.crc ^= 1; })).find("checksum") != std::string::npos);
  CHECK(problem_of(changed(hello, [](Raw& r) { r.size = 0xFFFFFFFF; })) == "x.npz: a.npy: is larger than 4 GiB");
  std::vector<Raw> many(1001, hello);
  for (std::size_t i = 0; i < many.size(); ++i) many[i].name = many[i].local_name = std::to_string(i);
  CHECK(problem_of(archive_of(many)) == "x.npz: holds more than 1000 entries");
}

TEST_CASE("zip: an entry that would unpack to far more than its size is refused before memory is taken") {
  Raw bomb = deflated_hello();
  bomb.size = 0xFFFFFF00;
  CHECK(problem_of(bomb).starts_with("x.npz: a.npy: would unpack to more than 100 times its size"));
  for (const std::uint32_t size : {0u, 4u, 6u, 1000u}) {
    bomb.size = size;
    CHECK(problem_of(bomb) == "x.npz: a.npy: is damaged: it does not unpack to the size that it states");
  }
}

TEST_CASE("zip: every truncation is an error, any changed bytes an error or a sound archive") {
  const std::string whole = archive_of({hello, changed(deflated_hello(), [](Raw& r) { r.name = r.local_name = "b"; })});
  REQUIRE(problem_of(whole) == "");
  for (std::size_t size = 0; size < whole.size(); ++size) CHECK(problem_of(whole.substr(0, size)) != "");
  Random random(3, Purpose::test);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes = whole;
    for (std::uint64_t n = 1 + random.below(6); n > 0; --n) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.bits());
    }
    problem_of(bytes);
  }
}
