#include "serene/core/json.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace serene;

namespace {

// The message of the Error that f throws, or "" when it throws none.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    const std::string text = e.what();
    CHECK(text.find('\n') == std::string::npos);
    return text;
  }
  return "";
}

std::string parse_message(const std::string& text) {
  return message_of([&] { parse_json(text, "a.json"); });
}

bool contains(const std::string& text, const std::string& part) {
  INFO("text: ", text, " part: ", part);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("json: a document comes back as it was written, keys in order") {
  const Json j =
      parse_json(R"({"z": [1, -2, 2.5, 18446744073709551615], "a": {"t": true, "n": null, "s": "é\n"}})", "x");
  CHECK(j.dump() == R"({"z":[1,-2,2.5,18446744073709551615],"a":{"t":true,"n":null,"s":"é\n"}})");
  CHECK(parse_json("  7 ", "x") == Json(7));
  CHECK(parse_json("[]", "x").is_array());
  CHECK(parse_json("{}", "x").is_object());
  CHECK(parse_json(R"([[[]], {"a": [{}]}])", "x").dump() == R"([[[]],{"a":[{}]}])");
}

TEST_CASE("json: syntax errors name the place by line and column") {
  CHECK(contains(parse_message("{\n  \"a\": 1,\n  \"b\" 2\n}"), "a.json: not valid JSON at line 3, column 7"));
  CHECK(contains(parse_message("{\"a\": 1"), "not valid JSON at line 1, column 8"));
  CHECK(contains(parse_message("{\"a\": 1} x"), "line 1, column 10"));
  CHECK(contains(parse_message("{\"a\": 1}{}"), "line 1, column 9"));
  CHECK(contains(parse_message(""), "empty"));
  CHECK(contains(parse_message(" \n"), "empty"));
}

TEST_CASE("json: what the language does not allow is refused") {
  for (const char* text :
       {"[1,]", "{\"a\":1,}", "[NaN]", "[Infinity]", "[01]", "['a']", "// c\n1", "[\"\t\"]", "[\"\xff\"]",
        "[\"\xc0\x80\"]", "[\"\\ud800\"]", "{a:1}", "\x01", "[1e999]", "[-1e999]", "tru"}) {
    INFO(text);
    CHECK(contains(parse_message(text), "a.json: not valid JSON"));
  }
  CHECK(contains(parse_message(std::string("[1]\0", 4)), "not valid JSON"));
}

TEST_CASE("json: duplicate keys are refused, in the same object only") {
  CHECK(contains(parse_message(R"({"a": 1, "b": {"a": 2, "a": 3}})"), "duplicate key \"a\""));
  CHECK(parse_message(R"({"a": {"a": 1}, "b": {"a": 2}})").empty());
}

TEST_CASE("json: an object of 200,000 keys is read in linear time, and a duplicate among them found") {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  const Json j = parse_json(text + "\"end\":0}", "x");
  CHECK(j.size() == 200001);
  CHECK(j.dump().size() == text.size() + 8);
  CHECK(contains(parse_message(text + "\"k7\":0}"), "duplicate key \"k7\""));
}

TEST_CASE("json: a zero byte is an error wherever it stands") {
  for (const std::string& around : {std::string("[1]"), std::string("{\"a\": \"bc\"}"), std::string("  7 ")}) {
    for (std::size_t at = 0; at <= around.size(); ++at) {
      std::string text = around;
      text.insert(at, 1, '\0');
      CHECK_MESSAGE(contains(parse_message(text), "a.json: not valid JSON"), around << " at " << at);
    }
  }
  CHECK(parse_message("[\"\\u0000\"]").empty());  // an escaped one is a character like any other
}

TEST_CASE("json: depth is limited to 64") {
  const auto nested = [](int n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK(parse_message(nested(64)).empty());
  CHECK(contains(parse_message(nested(65)), "nested deeper than 64"));
  CHECK(contains(parse_message(std::string(1000000, '[')), "nested deeper than 64"));
  std::string objects;
  for (int i = 0; i < 65; ++i) objects += "{\"a\":";
  CHECK(contains(parse_message(objects), "nested deeper than 64"));
}

TEST_CASE("json: files") {
  const auto path =
      (std::filesystem::temp_directory_path() / ("serene_json_test_" + std::to_string(std::rand()))).string();
  std::ofstream(path) << "{\"a\": 1}";
  CHECK(read_json_file(path).dump() == "{\"a\":1}");
  CHECK(contains(message_of([&] { read_json_file(path, 4); }), path + ": too large"));
  std::filesystem::remove(path);
  CHECK(contains(message_of([&] { read_json_file(path); }), path + ": cannot be opened"));
  CHECK_FALSE(message_of([] { read_json_file(std::filesystem::temp_directory_path().string()); }).empty());
}

TEST_CASE("json reader: values by type, with defaults and ranges") {
  const Json j =
      parse_json(R"({"s": "x", "n": 2, "f": 0.5, "b": false, "o": {"k": 1}, "l": ["p", "q"], "v": [1, 2.5]})", "x");
  JsonReader r(j, "");
  CHECK(r.text("s") == "x");
  CHECK(r.number("n") == 2.0);
  CHECK(r.number("f", 9.0) == 0.5);
  CHECK(r.integer("n", 7) == 2);
  CHECK_FALSE(r.boolean("b"));
  CHECK(r.object("o").integer("k") == 1);
  CHECK(r.texts("l") == std::vector<std::string>{"p", "q"});
  CHECK(r.numbers("v") == std::vector<double>{1, 2.5});
  CHECK_NOTHROW(r.finish());

  CHECK(r.text("missing", "d") == "d");
  CHECK(r.number("missing", 1.5) == 1.5);
  CHECK(r.integer_in("missing", 0, 10, 3) == 3);
  CHECK(r.choice("s", {"x", "y"}, "y") == "x");
  CHECK(r.choice("missing", {"x", "y"}, "y") == "y");
  CHECK(r.numbers("missing", {4}) == std::vector<double>{4});
  CHECK(r.has("s"));
  CHECK_FALSE(r.has("missing"));
}

TEST_CASE("json reader: errors name the path, what was expected and what was found") {
  const Json j = parse_json(
      R"({"o": {"s": "x", "n": 2, "f": 0.5, "big": 18446744073709551615, "l": ["p", 1], "z": null}, "a": [1]})", "x");
  JsonReader root(j, "");
  JsonReader r = root.object("o");
  CHECK(message_of([&] { r.number("s"); }) == "o.s: wrong type (expected number, got string)");
  CHECK(message_of([&] { r.integer("f"); }) == "o.f: wrong type (expected integer, got number 0.5)");
  CHECK(contains(message_of([&] { r.integer("big"); }), "o.big: integer too large"));
  CHECK(contains(message_of([&] { r.boolean("n"); }), "o.n: wrong type (expected boolean"));
  CHECK(contains(message_of([&] { r.text("z"); }), "got null"));
  CHECK(contains(message_of([&] { r.texts("l"); }), "o.l[1]: wrong type (expected string"));
  CHECK(message_of([&] { r.integer_in("n", 3, 5, 4); }) == "o.n: out of range (expected 3 to 5, got 2)");
  CHECK(contains(message_of([&] { r.number_in("f", 1, 2, 1); }), "o.f: out of range"));
  CHECK(contains(message_of([&] {
                   r.choice("s", {"xy", "z"}, "z");
                 }),
                 "o.s: unknown value (expected one of xy, z, got \"x\")"));
  CHECK(message_of([&] { r.text("none"); }) == "o.none: missing key");
  CHECK(message_of([&] { root.object("a"); }) == "a: wrong type (expected object, got array)");
  CHECK(std::string(r.error("s", "is bad").what()) == "o.s: is bad");
}

TEST_CASE("json reader: unknown keys are errors that suggest the nearest known one") {
  const Json j = parse_json(R"({"learning_rat": 1, "momentum": 2})", "x");
  JsonReader r(j, "train.optimizer");
  r.number("learning_rate", 0.1);
  r.number("momentum", 0.1);
  const std::string text = message_of([&] { r.finish(); });
  CHECK(contains(text, "train.optimizer.learning_rat: unknown key"));
  CHECK(contains(text, "did you mean \"learning_rate\"?"));
}

TEST_CASE("json reader: a hostile key stays on one line and is not suggested for") {
  const Json j = parse_json(R"({"completely\nelse": 1})", "x");
  JsonReader r(j, "");
  r.number("momentum", 0.1);
  const std::string text = message_of([&] { r.finish(); });
  CHECK(contains(text, "completely?else: unknown key"));
  CHECK(text.find("did you mean") == std::string::npos);
}
