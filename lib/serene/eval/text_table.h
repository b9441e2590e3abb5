// Aligned plain text for terminals, and numbers as text. The same bytes in every locale.
#pragma once

#include <string>
#include <vector>

namespace serene {

// Fixed-point text, "n/a" for a value that is not finite, never "-0.00".
std::string fixed(double value, int digits);
// A fraction as percentage points with two digits: 0.6231 -> "62.31". No sign.
std::string percent(double fraction);

// Pads to `width` characters (of UTF-8).
std::string pad_left(const std::string& text, std::size_t width);
std::string pad_right(const std::string& text, std::size_t width);

// Columns of numbers stand to the right, columns with words to the left, two spaces between; `mark` ends every line.
class TextTable {
 public:
  // header: one text a column; mark: stands before every line.
  explicit TextTable(std::vector<std::string> header, std::string mark = "");
  // As many cells as columns.
  void row(std::vector<std::string> cells);
  std::string str() const;  // all lines, columns aligned

 private:
  std::vector<std::vector<std::string>> rows_;
  std::string mark_;
};

}  // namespace serene
