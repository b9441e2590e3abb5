// A small checker for the XML and HTML that serene writes: tags balanced and nested, attributes quoted and unique,
// entities known, no stray '<' or '&'. Returns "" or what is wrong.
#pragma once

#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace serene::test {

class MarkupCheck {
 public:
  explicit MarkupCheck(std::string_view text) : text_(text) {}

  std::string run() {
    while (at_ < text_.size() && error_.empty()) {
      if (text_[at_] == '<') {
        tag();
      } else {
        character("text");
      }
    }
    if (error_.empty() && !open_.empty()) error_ = "not closed: " + open_.back();
    return error_;
  }

 private:
  void fail(const std::string& problem) {
    if (error_.empty())
      error_ = problem + " at byte " + std::to_string(at_) + ": " + std::string(text_.substr(at_, 60));
  }
  bool starts(std::string_view what) const { return text_.substr(at_, what.size()) == what; }

  void character(const char* where) {
    const unsigned char c = static_cast<unsigned char>(text_[at_]);
    if (c == '&') {
      const std::size_t end = text_.find(';', at_);
      const std::string_view name = end == std::string_view::npos ? "" : text_.substr(at_, end - at_ + 1);
      const std::set<std::string_view> known = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
      if (known.count(name) == 0) return fail(std::string("bare & in ") + where);
      at_ = end;
    } else if ((c < ' ' && c != '\n' && c != '\t') || c == 127) {
      return fail(std::string("control character in ") + where);
    }
    ++at_;
  }

  std::string name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '-'))
      ++at_;
    if (at_ == begin) fail("no name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  void attributes() {
    std::set<std::string> seen;
    while (error_.empty() && at_ < text_.size() && text_[at_] == ' ') {
      ++at_;
      const std::string key = name();
      if (!seen.insert(key).second) return fail("attribute twice: " + key);
      if (!starts("=\"")) return fail("attribute without a quoted value");
      at_ += 2;
      while (at_ < text_.size() && text_[at_] != '"' && error_.empty()) {
        if (text_[at_] == '<') return fail("< in an attribute");
        character("an attribute");
      }
      ++at_;
    }
  }

  void tag() {
    if (starts("<!DOCTYPE html>")) {
      at_ += 15;
      return;
    }
    ++at_;
    const bool closing = at_ < text_.size() && text_[at_] == '/';
    if (closing) ++at_;
    const std::string element = name();
    if (!error_.empty()) return;
    if (closing) {
      if (open_.empty() || open_.back() != element) return fail("unexpected </" + element + ">");
      open_.pop_back();
      if (!starts(">")) return fail("broken end tag");
      ++at_;
      return;
    }
    attributes();
    const bool empty = starts("/>");
    if (!empty && !starts(">")) return fail("broken tag <" + element);
    at_ += empty ? 2 : 1;
    if (element == "style") {  // raw text
      at_ = text_.find("</style>", at_);
      if (at_ == std::string_view::npos) at_ = text_.size();
    }
    if (!empty && element != "meta") open_.push_back(element);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> open_;
  std::string error_;
};

inline std::string markup_error(std::string_view text) { return MarkupCheck(text).run(); }

}  // namespace serene::test
