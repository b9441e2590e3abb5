// The one exception of serene: what went wrong, where, what was expected, what was found, and a hint.
//
// Thrown while building, loading and parsing only; forward, backward and a call's push never throw.
// what() is always one line, ready for a terminal: "clips/a.wav: no samples (expected at least 1, got 0); hint".
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace serene {

// The classes of failure; the command line maps them to its exit codes 1, 2, 2, 2, 3.
enum class ErrorCode {
  usage,       // the caller asked for something that does not exist or does not fit together
  input,       // a file, a config or a value is broken
  not_found,   // a file or a key is missing
  divergence,  // training went non-finite
  internal,    // a fault of serene itself
};

class Error : public std::exception {
 public:
  // where: file, key path or layer the error stands at (may be empty); problem: what is wrong with it.
  Error(ErrorCode code, std::string where, std::string problem);

  // Details, to be chained: throw Error(...).expected("3").got("2").hint("...").
  Error&& expected(std::string_view value) &&;
  Error&& got(std::string_view value) &&;
  Error&& hint(std::string_view text) &&;

  // Puts an outer place before the present one ("run/config.json" + "train.epochs" -> "run/config.json: train.epochs").
  void add_context(std::string_view outer);

  ErrorCode code() const noexcept { return code_; }
  const std::string& where() const noexcept { return where_; }
  const std::string& problem() const noexcept { return problem_; }
  const char* what() const noexcept override { return text_.c_str(); }  // one line, as above

 private:
  void compose();

  ErrorCode code_;
  std::string where_, problem_, expected_, got_, hint_;
  std::string text_;
};

// Runs f and puts `outer` in front of the place of any Error that leaves it.
template <class F>
decltype(auto) with_context(std::string_view outer, F&& f) {
  try {
    return static_cast<F&&>(f)();
  } catch (Error& e) {
    e.add_context(outer);
    throw;
  }
}

// Makes text from outside safe to print on one line: control characters and bytes that are not UTF-8 become '?', long
// text is cut between characters.
std::string printable(std::string_view text, std::size_t max_chars = 120);

}  // namespace serene
