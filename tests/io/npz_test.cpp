#include "serene/io/npz.h"

#include <doctest/doctest.h>

#include "serene/core/error.h"
#include "serene/io/atomic_file.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

namespace {

NpzArray texts(const std::string& name, const std::vector<std::string>& values) {
  return {name, npy_bytes({static_cast<Index>(values.size())}, std::span<const std::string>(values))};
}

// A .npy file with this header and data.
std::vector<std::byte> npy(const std::string& descr, const std::string& shape, const std::string& data) {
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  text = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(text.size()) + '\0' + text + data;
  const auto view = std::as_bytes(std::span<const char>(text));
  return {view.begin(), view.end()};
}

std::string problem_of_texts(const std::string& descr, const std::string& shape, const std::string& data) {
  return error_of([&] { parse_npy_texts(npy(descr, shape, data), "a.npy"); });
}

}  // namespace

TEST_CASE("npz: arrays of numbers and texts come back, atomically written") {
  const TempFolder folder;
  const std::string path = folder / "a.npz";
  const std::vector<float> floats = {1, 2.5f, -3, 4, 5, 6};
  const std::vector<Index> counts = {7, 1 << 20};
  const std::vector<std::string> words = {"", "angry", "caf\u00e9", "\u611f\u60c5", "\U0001F600 x"};
  const std::vector<NpzArray> arrays = {{"f", npy_bytes({2, 3}, std::span<const float>(floats))},
                                        {"n", npy_bytes({2}, std::span<const Index>(counts))},
                                        texts("words", words)};
  write_npz(path, arrays);
  CHECK(folder.names() == std::vector<std::string>{"a.npz"});
  const NpzFile file(path);
  CHECK(file.names() == std::vector<std::string>{"f", "n", "words"});
  CHECK(file.has("f"));
  CHECK_FALSE(file.has("f.npy"));
  CHECK_FALSE(file.has(""));
  CHECK(file.floats("f").values == floats);
  CHECK(file.floats("f").shape == std::vector<Index>{2, 3});
  CHECK(file.doubles("n").values == std::vector<double>{7, 1 << 20});
  CHECK(file.texts("words").values == words);
  CHECK(file.texts("n").values == std::vector<std::string>{"7", "1048576"});
  CHECK(error_of([&] { file.floats("g"); }) == path + ": holds no array \"g\"");
  CHECK(error_of([&] { file.floats("words"); }).starts_with(path + ": words.npy: unsupported dtype"));
  CHECK(error_of([&] { file.texts("f"); }).starts_with(path + ": f.npy: unsupported dtype"));
}

TEST_CASE("npz: an entry that is no array is refused") {
  const TempFolder folder;
  ZipWriter zip;
  zip.add("readme.txt", {});
  write_file_atomic(folder / "a.npz", std::move(zip).finish());
  CHECK(error_of([&] { NpzFile(folder / "a.npz"); }) == (folder / "a.npz") + ": readme.txt: is no .npy array");
}

TEST_CASE("npy texts: bytes, and what is refused") {
  CHECK(parse_npy_texts(npy("|S3", "(2,)", std::string("ab\0xyz", 6)), "a").values ==
        std::vector<std::string>{"ab", "xyz"});
  CHECK(parse_npy_texts(npy("|u1", "(1,)", "\7"), "a").values == std::vector<std::string>{"7"});
  const auto says = [](const std::string& text, const char* words) { return text.find(words) != std::string::npos; };
  CHECK(says(problem_of_texts("|O", "(1,)", "cposix\n"), "holds Python objects, which are never read"));
  CHECK(says(problem_of_texts(">U1", "(1,)", "aaaa"), "unsupported dtype"));
  CHECK(says(problem_of_texts("<U", "(1,)", ""), "unsupported dtype"));
  CHECK(says(problem_of_texts("<U99999999999999999999", "(1,)", ""), "unsupported dtype"));
  CHECK(says(problem_of_texts("<f4", "(1,)", "aaaa"), "unsupported dtype"));
  CHECK(says(problem_of_texts("<U2", "(1,)", "aaaa"), "is truncated"));
  CHECK(says(problem_of_texts("<U65536", "(281474976710656,)", ""), "is truncated"));  // 2^66 bytes
  CHECK(says(problem_of_texts("|S1", "(1,)", "ab"), "has trailing bytes"));
  CHECK(says(problem_of_texts("|S3", "(1,)", std::string("a\0b", 3)), "broken character"));
  CHECK(says(problem_of_texts("|S1", "(1,)", "\xff"), "broken character"));
  CHECK(says(problem_of_texts("<U1", "(1,)", std::string("\0\xD8\0\0", 4)), "broken character"));  // a surrogate
  CHECK(says(problem_of_texts("<U1", "(1,)", std::string("\0\0\x11\0", 4)), "broken character"));  // beyond U+10FFFF
  CHECK(says(problem_of_texts("<U2", "(1,)", std::string("\0\0\0\0a\0\0\0", 8)), "broken character"));
  CHECK(says(problem_of_texts("<i8", "(1,)", std::string(7, '\xff') + "\x7f"), "beyond 2^53"));
  const std::vector<std::string> bad = {"\xff"}, nul = {std::string("a\0b", 3)};
  CHECK(says(error_of([&] { npy_bytes({1}, std::span<const std::string>(bad)); }), "cannot be written"));
  CHECK(says(error_of([&] { npy_bytes({1}, std::span<const std::string>(nul)); }), "cannot be written"));
}
