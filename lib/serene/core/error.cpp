#include "serene/core/error.h"

#include <utility>

namespace serene {

Error::Error(ErrorCode code, std::string where, std::string problem)
    : code_(code), where_(std::move(where)), problem_(std::move(problem)) {
  compose();
}

Error&& Error::expected(std::string_view value) && {
  expected_ = value;
  compose();
  return std::move(*this);
}

Error&& Error::got(std::string_view value) && {
  got_ = value;
  compose();
  return std::move(*this);
}

Error&& Error::hint(std::string_view text) && {
  hint_ = text;
  compose();
  return std::move(*this);
}

void Error::add_context(std::string_view outer) {
  where_ = where_.empty() ? std::string(outer) : std::string(outer) + ": " + where_;
  compose();
}

void Error::compose() {
  std::string text = where_.empty() ? problem_ : where_ + ": " + problem_;
  if (!expected_.empty() || !got_.empty()) {
    text += " (";
    if (!expected_.empty()) text += "expected " + expected_;
    if (!expected_.empty() && !got_.empty()) text += ", ";
    if (!got_.empty()) text += "got " + got_;
    text += ")";
  }
  if (!hint_.empty()) text += "; " + hint_;
  text_ = printable(text, 2000);
}

std::string printable(std::string_view text, std::size_t max_chars) {
  std::string out;
  out.reserve(text.size() < max_chars ? text.size() : max_chars + 3);
  for (char c : text) {
    if (out.size() >= max_chars) {
      out += "...";
      break;
    }
    const auto u = static_cast<unsigned char>(c);
    out += (u < 0x20 || u == 0x7f) ? '?' : c;
  }
  return out;
}

}  // namespace serene
