#include "serene/io/safetensors.h"

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

Bytes to_bytes(const std::string& text) {
  const auto view = std::as_bytes(std::span<const char>(text));
  return {view.begin(), view.end()};
}

// A file of the given header and `data` zero bytes, its length field set right unless told otherwise.
Bytes file_of(const std::string& header, std::size_t data, std::uint64_t length = ~std::uint64_t{0}) {
  if (length == ~std::uint64_t{0}) length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return to_bytes(text + header + std::string(data, '\0'));
}

std::string problem_of(const Bytes& bytes, const SafeTensorsOptions& options = {}) {
  return error_of([&] { parse_safetensors(bytes, "m", options); });
}

void check_kind(const Bytes& bytes, const std::string& kind) {
  const std::string text = problem_of(bytes);
  INFO(text);
  CHECK(text.find("m: " + kind + ": ") == 0);
  CHECK(text.find('\n') == std::string::npos);
}

std::string tensor(const std::string& dtype, const std::string& shape, const std::string& offsets,
                   const std::string& name = "w") {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" + offsets + "]}";
}

Bytes sample_file() {
  SafeTensorsWriter writer;
  const std::vector<double> d = {1.5, -2, 1e300};
  const std::vector<float> f = {0.1f, -0.0f, 3, 4, 5, 6};
  writer.add("layer.kernel", {2, 3}, f);
  writer.add("state", {3}, d);
  writer.add("scalar", {}, std::span<const float>(f.data(), 1));
  writer.add("none", {0, 4}, std::span<const float>());
  writer.metadata("labels", "[\"angry\",\"happy\"]");
  writer.metadata("name", "caf\xc3\xa9 \"q\"\n");
  return writer.bytes();
}

}  // namespace

TEST_CASE("safetensors: write and read back") {
  const SafeTensors file = parse_safetensors(sample_file(), "m");
  CHECK(file.names() == std::vector<std::string>{"layer.kernel", "none", "scalar", "state"});
  CHECK(file.get<float>("layer.kernel", {2, 3}) == std::vector<float>{0.1f, -0.0f, 3, 4, 5, 6});
  CHECK(std::signbit(file.get<float>("layer.kernel")[1]));
  CHECK(file.get<double>("layer.kernel")[0] == static_cast<double>(0.1f));
  CHECK(file.get<double>("state") == std::vector<double>{1.5, -2, 1e300});
  CHECK(file.get<float>("scalar") == std::vector<float>{0.1f});
  CHECK(file.info("scalar").shape.empty());
  CHECK(file.get<float>("none").empty());
  CHECK(file.metadata("name") == "caf\xc3\xa9 \"q\"\n");
  CHECK(file.metadata().size() == 2);
  CHECK(file.has("state"));
  CHECK_FALSE(file.has("State"));
  CHECK(file.info("state").dtype == "F64");
}

TEST_CASE("safetensors: the data starts at a multiple of 8 and the bytes do not depend on the order of add") {
  const std::vector<float> a = {1, 2, 3};
  const std::vector<double> b = {4};
  SafeTensorsWriter one, two;
  one.add("a", {3}, a), one.add("b", {1}, b), one.metadata("x", "1"), one.metadata("y", "2");
  two.metadata("y", "2"), two.metadata("x", "1"), two.add("b", {1}, b), two.add("a", {3}, a);
  CHECK(one.bytes() == two.bytes());
  const Bytes bytes = one.bytes();
  std::uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  CHECK(length % 8 == 0);
  CHECK(bytes.size() == 8 + length + 8 + 12);
  TempFolder folder;
  one.write(folder / "m.safetensors");
  CHECK(read_file(folder / "m.safetensors") == bytes);
  CHECK(read_safetensors(folder / "m.safetensors").get<float>("a") == a);
}

TEST_CASE("safetensors: an empty file of tensors") {
  CHECK(parse_safetensors(SafeTensorsWriter().bytes(), "m").names().empty());
  CHECK(parse_safetensors(file_of("{}   ", 0), "m").names().empty());
}

TEST_CASE("safetensors: F16 and BF16 are read exactly") {
  Bytes bytes = file_of("{" + tensor("F16", "6", "0,12") + "," + tensor("BF16", "2", "12,16", "b") + "}", 16);
  const std::uint16_t raw[8] = {0x3C00, 0xC000, 0x0001, 0x8000, 0x7BFF, 0x3555, 0x3F80, 0xC2F7};
  std::memcpy(bytes.data() + bytes.size() - 16, raw, 16);
  const SafeTensors file = parse_safetensors(bytes, "m");
  CHECK(file.get<double>("w") == std::vector<double>{1, -2, std::ldexp(1.0, -24), -0.0, 65504, 0.333251953125});
  CHECK(std::signbit(file.get<float>("w")[3]));
  CHECK(file.get<float>("b") == std::vector<float>{1, -123.5f});
}

TEST_CASE("safetensors: HeaderTooSmall") {
  check_kind({}, "HeaderTooSmall");
  check_kind(to_bytes("1234567"), "HeaderTooSmall");
}

TEST_CASE("safetensors: HeaderTooLarge") {
  check_kind(file_of("{}", 0, (16u << 20) + 1), "HeaderTooLarge");
  check_kind(file_of("{}", 0, ~std::uint64_t{0} - 1), "HeaderTooLarge");
  check_kind(to_bytes("version https://git-lfs.github.com/spec/v1"), "HeaderTooLarge");
}

TEST_CASE("safetensors: InvalidHeaderLength") {
  check_kind(file_of("{}", 0, 3), "InvalidHeaderLength");
  check_kind(file_of("{}", 0, 16u << 20), "InvalidHeaderLength");
}

TEST_CASE("safetensors: InvalidHeader") {
  check_kind(file_of("", 0), "InvalidHeader");
  check_kind(file_of(" {}", 0), "InvalidHeader");
  check_kind(file_of("[]", 0), "InvalidHeader");
  for (const char* bad :
       {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf5\x80\x80\x80"}) {
    check_kind(file_of("{\"" + std::string(bad) + "\":1}", 0), "InvalidHeader");
  }
}

TEST_CASE("safetensors: InvalidHeaderDeserialization") {
  const std::string good = tensor("F32", "1", "0,4");
  const std::vector<std::string> broken = {
      "{",
      "{]",
      "{}{}",
      "{} x",
      "{" + good,
      "{" + good + ",}",
      "{" + good + "," + good + "}",
      "{\"w\":1}",
      "{\"w\":null}",
      "{\"w\":[]}",
      "{\"w\":{}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}",
      "{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"extra\":1}}",
      "{\"w\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[{}],\"data_offsets\":[0,4]}}",
      "{" + tensor("F33", "1", "0,4") + "}",
      "{" + tensor("F32", "-1", "0,4") + "}",
      "{" + tensor("F32", "-0", "0,4") + "}",
      "{" + tensor("F32", "1.0", "0,4") + "}",
      "{" + tensor("F32", "1e0", "0,4") + "}",
      "{" + tensor("F32", "\"1\"", "0,4") + "}",
      "{" + tensor("F32", "true", "0,4") + "}",
      "{" + tensor("F32", "281474976710657", "0,4") + "}",
      "{" + tensor("F32", "99999999999999999999", "0,4") + "}",
      "{" + tensor("F32", "1", "0") + "}",
      "{" + tensor("F32", "1", "0,4,4") + "}",
      "{" + tensor("F32", "1", "") + "}",
      "{\"__metadata__\":{\"a\":1}}",
      "{\"__metadata__\":null}",
      "{\"__metadata__\":[]}",
      "{\"__metadata__\":{\"a\":\"b\",\"a\":\"b\"}}",
      "{\"__metadata__\":{},\"__metadata__\":{}}",
      "{\"__metadata__\":{\"a\":{}}}",
      "{/**/}",
      "{\"w\":NaN}",
      "{'w':1}"};
  for (const std::string& header : broken) {
    INFO(header);
    check_kind(file_of(header, 4), "InvalidHeaderDeserialization");
  }
  check_kind(file_of(std::string("{}\0{}", 5), 0), "InvalidHeaderDeserialization");  // a zero byte hides nothing
  std::string many;
  for (int i = 0; i < 33; ++i) many += i == 0 ? "0" : ",0";
  check_kind(file_of("{" + tensor("F32", many, "0,0") + "}", 0), "InvalidHeaderDeserialization");
  std::string deep = "{\"w\":";
  for (int i = 0; i < 1000000; ++i) deep += '[';
  check_kind(file_of(deep, 0), "InvalidHeaderDeserialization");
}

TEST_CASE("safetensors: TensorNotFound") {
  const SafeTensors file = parse_safetensors(sample_file(), "m");
  CHECK(error_of([&] { file.get<float>("stat"); }) == "m: TensorNotFound: no tensor \"stat\"");
  CHECK(error_of([&] { file.metadata("other"); }).find("other") != std::string::npos);
}

TEST_CASE("safetensors: TensorInvalidInfo") {
  check_kind(file_of("{" + tensor("F32", "2", "0,4") + "}", 4), "TensorInvalidInfo");
  check_kind(file_of("{" + tensor("F64", "1", "0,4") + "}", 4), "TensorInvalidInfo");
  check_kind(file_of("{" + tensor("F32", "0", "0,4") + "}", 4), "TensorInvalidInfo");
  check_kind(file_of("{" + tensor("F32", "", "0,0") + "}", 0), "TensorInvalidInfo");
}

TEST_CASE("safetensors: InvalidOffset") {
  check_kind(file_of("{" + tensor("F32", "1", "4,8") + "}", 8), "InvalidOffset");  // hole at the start
  check_kind(file_of("{" + tensor("F32", "1", "0,4") + "," + tensor("F32", "1", "8,12", "b") + "}", 12),
             "InvalidOffset");
  check_kind(file_of("{" + tensor("F32", "1", "0,4") + "," + tensor("F32", "1", "0,4", "b") + "}", 4), "InvalidOffset");
  check_kind(file_of("{" + tensor("F32", "2", "0,8") + "," + tensor("F32", "1", "4,8", "b") + "}", 8), "InvalidOffset");
  check_kind(file_of("{" + tensor("F32", "1", "0,4") + "," + tensor("F32", "1", "4,0", "b") + "}", 4), "InvalidOffset");
}

TEST_CASE("safetensors: InvalidTensorView") {
  const std::vector<float> two = {1, 2};
  SafeTensorsWriter writer;
  const auto add = [&](const std::string& name, const std::vector<Index>& shape) {
    return error_of([&] { writer.add(name, shape, two); });
  };
  CHECK(add("w", {3}).find("InvalidTensorView") != std::string::npos);
  CHECK(add("w", {-1, -2}).find("InvalidTensorView") != std::string::npos);
  CHECK(add("w", {Index{1} << 62, 4}).find("InvalidTensorView") != std::string::npos);
  CHECK(add("w", {2}).empty());
  CHECK(add("w", {2}).find("twice") != std::string::npos);
  CHECK(add("__metadata__", {2}).find("name") != std::string::npos);
  CHECK(add("\xff", {2}).find("name") != std::string::npos);
  CHECK_FALSE(error_of([&] { writer.metadata("k", "\xff"); }).empty());
  const SafeTensors file = parse_safetensors(writer.bytes(), "m");
  CHECK(error_of([&] {
          file.get<float>("w", {1, 2});
        }) == "m: InvalidTensorView: tensor \"w\" has another shape (expected (1, 2), got (2))");
}

TEST_CASE("safetensors: MetadataIncompleteBuffer") {
  check_kind(file_of("{" + tensor("F32", "1", "0,4") + "}", 3), "MetadataIncompleteBuffer");
  check_kind(file_of("{" + tensor("F32", "1", "0,4") + "}", 5), "MetadataIncompleteBuffer");  // no polyglots
  check_kind(file_of("{}", 1), "MetadataIncompleteBuffer");
}

TEST_CASE("safetensors: ValidationOverflow") {
  const std::string big = "281474976710656";
  check_kind(file_of("{" + tensor("F32", big + "," + big, "0,4") + "}", 4), "ValidationOverflow");
  check_kind(file_of("{" + tensor("F64", big + ",65536", "0,0") + "}", 0), "ValidationOverflow");
  // A zero makes the product small whatever stands beside it.
  const SafeTensors empty =
      parse_safetensors(file_of("{" + tensor("F64", big + "," + big + ",0", "0,0") + "}", 0), "m");
  CHECK(empty.get<double>("w").empty());
}

TEST_CASE("safetensors: MisalignedSlice") {
  check_kind(file_of("{" + tensor("F4", "1", "0,1") + "}", 1), "MisalignedSlice");
  CHECK(problem_of(file_of("{" + tensor("F4", "2", "0,1") + "}", 1)).empty());
}

TEST_CASE("safetensors: NonFinite") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    const std::vector<double> d = {1, bad};
    const std::vector<float> f = {static_cast<float>(bad)};
    SafeTensorsWriter strict, loose(true);
    CHECK(error_of([&] { strict.add("d", {2}, d); }).find("NonFinite") != std::string::npos);
    CHECK(error_of([&] { strict.add("f", {1}, f); }).find("NonFinite") != std::string::npos);
    loose.add("d", {2}, d);
    check_kind(loose.bytes(), "NonFinite");
    CHECK(problem_of(loose.bytes(), {.allow_nonfinite = true}).empty());
  }
  Bytes half = file_of("{" + tensor("F16", "1", "0,2") + "}", 2);
  half.back() = std::byte{0x7C};
  check_kind(half, "NonFinite");
  const SafeTensors file = parse_safetensors(sample_file(), "m");
  CHECK(error_of([&] { file.get<float>("state"); }).find("NonFinite") != std::string::npos);  // 1e300 is no float
}

TEST_CASE("safetensors: UnsupportedDtype") {
  const SafeTensors file = parse_safetensors(file_of("{" + tensor("I64", "1", "0,8") + "}", 8), "m");
  CHECK(error_of([&] { file.get<float>("w"); }).find("m: UnsupportedDtype: ") == 0);
}

TEST_CASE("safetensors: every truncation is an error") {
  const Bytes whole = sample_file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE_FALSE(problem_of(part).empty());
  }
}

TEST_CASE("safetensors: any flipped bits give an error or a valid file") {
  const Bytes whole = sample_file();
  const auto survive = [](const Bytes& bytes) {
    try {
      const SafeTensors file = parse_safetensors(bytes, "m");
      for (const std::string& name : file.names()) file.get<double>(name);
    } catch (const Error& e) {
      REQUIRE(std::string_view(e.what()).find('\n') == std::string_view::npos);
    }
  };
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes bytes = whole;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    survive(bytes);
  }
  Random random(1, Purpose::test);
  for (int round = 0; round < 3000; ++round) {
    Bytes bytes = whole;
    for (std::uint64_t n = 1 + random.below(8); n > 0; --n) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.bits());
    }
    survive(bytes);
  }
}

TEST_CASE("safetensors: a header of very many tensors is read in linear time and refused or taken") {
  std::string header = "{";
  for (int i = 0; i < 50000; ++i) {
    header += (i != 0 ? "," : "") + tensor("F32", "0", "0,0", "t" + std::to_string(i));
  }
  CHECK(parse_safetensors(file_of(header + "}", 0), "m").names().size() == 50000);
}

TEST_CASE("safetensors: the reference layers of the golden set") {
  const char* variable = std::getenv("SERENE_GOLDEN");
  const std::string root = variable != nullptr ? variable : SERENE_SOURCE_DIR "/../shared/golden";
  if (!std::filesystem::is_directory(root + "/layers")) {
    MESSAGE("skipped: no folder " << root << "/layers");
    return;
  }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(root + "/layers")) {
    if (entry.path().extension() != ".safetensors") continue;
    const SafeTensors file = read_safetensors(entry.path().string());
    CHECK_FALSE(file.metadata("op").empty());
    for (const std::string& name : file.names()) {
      CHECK(static_cast<Index>(file.get<double>(name).size()) == file.info(name).size());
    }
    ++files;
  }
  CHECK(files > 0);
}
