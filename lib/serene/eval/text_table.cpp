#include "serene/eval/text_table.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace serene {
namespace {

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// "12.50", "-3", "61.2 ± 1.3", "75 x 128", "[55.1, 63.0]"; "n/a" and "" fit any column.
bool looks_like_number(const std::string& cell) {
  if (cell.empty() || cell == "n/a" || cell == "-") return true;
  bool digit = false, letter = false;
  for (const char c : cell) {
    digit |= c >= '0' && c <= '9';
    letter |= c != 'x' && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
  }
  return digit && !letter;
}

}  // namespace

std::string fixed(double value, int digits) {
  if (!std::isfinite(value)) return "n/a";
  std::array<char, 512> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed, digits);
  if (end.ec != std::errc()) return "n/a";
  std::string text(buffer.data(), end.ptr);
  if (text.front() == '-' && text.find_first_not_of("-0.") == std::string::npos) text.erase(0, 1);
  return text;
}

std::string percent(double fraction) { return fixed(100 * fraction, 2); }

std::string pad_left(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, width_of(text)), ' ') + text;
}

std::string pad_right(const std::string& text, std::size_t width) {
  return text + std::string(width - std::min(width, width_of(text)), ' ');
}

TextTable::TextTable(std::vector<std::string> header, std::string mark) : mark_(std::move(mark)) {
  rows_.push_back(std::move(header));
}

void TextTable::row(std::vector<std::string> cells) {
  cells.resize(rows_.front().size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::str() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  std::vector<bool> numbers(widths.size(), rows_.size() > 1);
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    for (std::size_t c = 0; c < widths.size(); ++c) {
      widths[c] = std::max(widths[c], width_of(rows_[r][c]));
      if (r > 0 && !looks_like_number(rows_[r][c])) numbers[c] = false;
    }
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      line += (c == 0 ? "" : "  ") + (numbers[c] ? pad_left(row[c], widths[c]) : pad_right(row[c], widths[c]));
    }
    if (mark_.empty()) line.erase(line.find_last_not_of(' ') + 1);
    text += line + mark_ + "\n";
  }
  return text;
}

}  // namespace serene
