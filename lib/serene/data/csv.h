// Comma-separated tables with a header row, quoted by RFC 4180. Strict: what is broken is an error that names
// file:line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace serene {

// Longer lines and tables are refused.
inline constexpr std::size_t max_line_bytes = std::size_t{1} << 20;
inline constexpr std::size_t max_table_rows = 1'000'000;

struct CsvTable {
  std::string where;  // the file, for errors
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;  // each as long as columns
  std::vector<std::size_t> lines;              // where each row starts, from 1

  // Place of the first of these columns that the table has (letter case does not matter), or npos.
  std::size_t find(const std::vector<std::string_view>& names) const noexcept;
  // The same; throws Error when there is none.
  std::size_t column(const std::vector<std::string_view>& names) const;
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
};

// Refuses NUL bytes, invalid UTF-8, open quotes, rows of another length than the header's, repeated column names, rows
// over 1 MiB and more than a million of them. A byte order mark, CRLF and empty lines are taken. Thread-safe.
CsvTable parse_csv(std::string_view text, const std::string& where);
CsvTable read_csv(const std::string& path);

// Whether text is well-formed UTF-8 without NUL.
bool is_clean_text(std::string_view text);

// ASCII letters to lower case.
std::string lower_case(std::string_view text);

}  // namespace serene
