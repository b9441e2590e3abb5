#include "serene/io/npy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>

#include "serene/core/error.h"
#include "serene/core/random.h"
#include "serene/io/file.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;
using serene::test::TempFolder;

namespace {

using Bytes = std::vector<std::byte>;

Bytes file_of(const std::string& header, const std::string& data, int major = 1) {
  std::string text = "\x93NUMPY";
  text += static_cast<char>(major);
  text += '\0';
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) text += static_cast<char>(header.size() >> (8 * i) & 255);
  text += header + data;
  const auto view = std::as_bytes(std::span<const char>(text));
  return {view.begin(), view.end()};
}

std::string dict(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }   \n";
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  std::string text(values.size() * sizeof(T), '\0');
  std::memcpy(text.data(), values.begin(), text.size());
  return text;
}

NpyArray<double> parse(const Bytes& bytes) { return parse_npy<double>(bytes, "a.npy"); }
std::string problem_of(const Bytes& bytes) {
  return error_of([&] { parse(bytes); });
}

}  // namespace

TEST_CASE("npy: write and read back") {
  TempFolder folder;
  const std::vector<double> d = {1, 0.1, -1e300, 4, 5, 6};
  const std::vector<float> f = {0.1f, 2};
  write_npy(folder / "d.npy", {2, 3}, d);
  write_npy(folder / "f.npy", {2}, f);
  const auto back = read_npy<double>(folder / "d.npy");
  CHECK(back.shape == std::vector<Index>{2, 3});
  CHECK(back.values == d);
  CHECK(back.dtype == "<f8");
  CHECK(read_npy<float>(folder / "f.npy").values == f);
  CHECK(read_npy<double>(folder / "f.npy").values[0] == static_cast<double>(0.1f));
  CHECK(parse_npy<float>(npy_bytes<float>({}, std::span<const float>(f.data(), 1)), "s").shape.empty());
  CHECK(parse_npy<float>(npy_bytes<float>({0, 7}, {}), "e").values.empty());
}

TEST_CASE("npy: the very bytes NumPy writes") {
  const std::vector<float> f = {1, 2, 3};
  const Bytes bytes = npy_bytes<float>({3}, f);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }";
  header.append(117 - header.size(), ' ');
  CHECK(text == std::string("\x93NUMPY\x01\0v\0", 10) + header + "\n" + raw<float>({1, 2, 3}));
}

TEST_CASE("npy: every dtype, both versions") {
  CHECK(parse(file_of(dict("<f8", "(2,)"), raw<double>({1.5, -2}))).values == std::vector<double>{1.5, -2});
  CHECK(parse(file_of(dict("<f4", "(1, 1)"), raw<float>({0.5f}))).values == std::vector<double>{0.5});
  CHECK(parse(file_of(dict("<i8", "(1,)"), raw<std::int64_t>({-(1LL << 40)}))).values[0] == -std::ldexp(1.0, 40));
  CHECK(parse(file_of(dict("<i4", "(1,)"), raw<std::int32_t>({-7}))).values[0] == -7);
  CHECK(parse(file_of(dict("<i2", "(1,)"), raw<std::int16_t>({-300}))).values[0] == -300);
  CHECK(parse(file_of(dict("|i1", "(1,)"), raw<std::int8_t>({-3}))).values[0] == -3);
  CHECK(parse(file_of(dict("|u1", "(2,)"), raw<std::uint8_t>({200, 1}))).values[0] == 200);
  CHECK(parse(file_of(dict("|b1", "(2,)"), raw<std::uint8_t>({0, 1}), 2)).values == std::vector<double>{0, 1});
  CHECK(parse(file_of("{\"shape\":(1),'fortran_order':True,'descr':'|u1'}", "\x05")).values[0] == 5);
}

TEST_CASE("npy: hostile headers are errors that name the file") {
  const std::string one = raw<float>({1});
  const std::vector<Bytes> broken = {
      {},
      file_of(dict("<f4", "(1,)"), one, 3),
      file_of(dict("<f4", "(1,)"), one, 0),
      file_of("", one),
      file_of("{}", one),
      file_of(dict(">f4", "(1,)"), one),
      file_of(dict("|O", "(1,)"), one),
      file_of(dict("<c8", "(1,)"), one + one),
      file_of(dict("<f4", "(-1,)"), one),
      file_of(dict("<f4", "(1.0,)"), one),
      file_of(dict("<f4", "[1]"), one),
      file_of(dict("<f4", "(281474976710657,)"), one),
      file_of(dict("<f4", "(99999999999999999999999,)"), one),
      file_of(dict("<f4", "(281474976710656, 281474976710656, 281474976710656)"), one),
      file_of(dict("<f4", "(1, 2"), one),
      file_of(dict("<f4", "(2, 2)", "True"), one + one + one + one),
      file_of(dict("<f4", "(1,)", "0"), one),
      file_of(dict("<f4", "(1,)") + "import os", one),
      file_of("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", one),
      file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", one),
      file_of("{'descr': '<f4', 'fortran_order': False}", one),
      file_of("{'descr': '<f4", one),
      file_of("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", one),
      file_of(dict("<f4", "(1,)"), one + "x"),
      file_of(dict("<f4", "(2,)"), one),
      file_of(dict("<f4", "()"), "")};
  for (const Bytes& bytes : broken) {
    const std::string text = problem_of(bytes);
    INFO(text);
    CHECK(text.find("a.npy: ") == 0);
    CHECK(text.find('\n') == std::string::npos);
  }
}

TEST_CASE("npy: NaN and infinity are refused unless allowed") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Bytes bytes = file_of(dict("<f8", "(1,)"), raw<double>({nan}));
  CHECK(problem_of(bytes) == "a.npy: holds NaN or infinity");
  CHECK(std::isnan(parse_npy<double>(bytes, "a.npy", {.allow_nonfinite = true}).values[0]));
  const Bytes large = file_of(dict("<f8", "(1,)"), raw<double>({1e300}));
  CHECK(problem_of(large).empty());
  CHECK_FALSE(error_of([&] { parse_npy<float>(large, "a.npy"); }).empty());
}

TEST_CASE("npy: the writer refuses a shape that does not fit") {
  const std::vector<float> f = {1, 2};
  CHECK_FALSE(error_of([&] { npy_bytes<float>({3}, f); }).empty());
  CHECK_FALSE(error_of([&] { npy_bytes<float>({-1, -2}, f); }).empty());
}

TEST_CASE("npy: every truncation is an error, any changed bytes an error or a valid array") {
  const std::vector<double> d = {1, 2, 3, 4};
  const Bytes whole = npy_bytes<double>({2, 2}, d);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    REQUIRE_FALSE(problem_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))).empty());
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes bytes = whole;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    problem_of(bytes);
  }
  Random random(2, Purpose::test);
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = whole;
    for (std::uint64_t n = 1 + random.below(8); n > 0; --n) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.bits());
    }
    problem_of(bytes);
  }
}

TEST_CASE("npy: every array of the golden set") {
  const char* variable = std::getenv("SERENE_GOLDEN");
  const std::string root =
      std::string(variable != nullptr ? variable : SERENE_SOURCE_DIR "/../shared/golden") + "/audio/npy";
  if (!std::filesystem::is_directory(root)) {
    MESSAGE("skipped: no folder " << root);
    return;
  }
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".npy") continue;
    const std::string problem = error_of([&] { read_npy<double>(entry.path().string(), {.allow_nonfinite = true}); });
    CHECK(problem == "");
    ++files;
  }
  MESSAGE("read " << files << " arrays");
  CHECK(files > 0);
}
