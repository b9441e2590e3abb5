#include "serene/core/error.h"

#include <algorithm>
#include <utility>

#include "serene/core/utf8.h"

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
  for (std::size_t at = 0; at < text.size();) {
    if (out.size() >= max_chars) {
      out += "...";
      break;
    }
    const std::size_t length = utf8_length(text, at);
    const auto u = static_cast<unsigned char>(text[at]);
    if (length == 0 || u < 0x20 || u == 0x7f) {
      out += '?';
    } else {
      out += text.substr(at, length);
    }
    at += std::max<std::size_t>(length, 1);
  }
  return out;
}

}  // namespace serene
