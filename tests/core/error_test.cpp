#include "serene/core/error.h"

#include <doctest/doctest.h>

using namespace serene;

TEST_CASE("error: the message is one line with place, problem, expectation and hint") {
  CHECK(std::string(Error(ErrorCode::input, "a.wav", "no samples").what()) == "a.wav: no samples");
  CHECK(std::string(Error(ErrorCode::input, "", "no samples").what()) == "no samples");
  const Error e = Error(ErrorCode::usage, "x", "bad").expected("1").got("2").hint("try 1");
  CHECK(std::string(e.what()) == "x: bad (expected 1, got 2); try 1");
  CHECK(e.code() == ErrorCode::usage);
  CHECK(e.where() == "x");
  CHECK(e.problem() == "bad");
  CHECK(std::string(Error(ErrorCode::input, "x", "bad").got("2").what()) == "x: bad (got 2)");
}

TEST_CASE("error: contexts are put in front, from the inside out") {
  try {
    with_context("run/config.json",
                 [] { with_context("train", [] { throw Error(ErrorCode::not_found, "epochs", "missing key"); }); });
    FAIL("no exception");
  } catch (const Error& e) {
    CHECK(std::string(e.what()) == "run/config.json: train: epochs: missing key");
    CHECK(e.code() == ErrorCode::not_found);
  }
  CHECK(with_context("x", [] { return 7; }) == 7);
  Error bare(ErrorCode::input, "", "bad");
  bare.add_context("outer");
  CHECK(std::string(bare.what()) == "outer: bad");
}

TEST_CASE("error: text from outside cannot break the line or flood it") {
  CHECK(printable("a\nb\r\x1b[2J\x7f") == "a?b??[2J?");
  CHECK(printable(std::string(500, 'x')).size() == 123);
  CHECK(printable("straße") == "straße");
  CHECK(printable("a\xff"
                  "b\xc3") == "a?b?");
  CHECK(printable("straße", 5) == "straß...");
  const Error e(ErrorCode::input, "a\nb", std::string(100000, 'y'));
  CHECK(std::string(e.what()).find('\n') == std::string::npos);
  CHECK(std::string(e.what()).size() < 3000);
}
