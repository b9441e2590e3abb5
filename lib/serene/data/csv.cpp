#include "serene/data/csv.h"

#include <algorithm>
#include <set>

#include "serene/core/error.h"
#include "serene/core/utf8.h"
#include "serene/io/file.h"

namespace serene {
namespace {

// Reads one record after another from a text.
class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& where) : text_(text), where_(where) {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") text_.remove_prefix(3);
  }

  // The next record that is not an empty line; false at the end. line() is where it starts.
  bool next(std::vector<std::string>& fields) {
    while (at_ < text_.size()) {
      fields.clear();
      start_line_ = line_;
      read_record(fields);
      if (fields.size() > 1 || !fields[0].empty()) return true;
    }
    return false;
  }

  std::size_t line() const noexcept { return start_line_; }

  Error error(const std::string& problem) const {
    return Error(ErrorCode::input, where_ + ":" + std::to_string(start_line_), problem);
  }

 private:
  void read_record(std::vector<std::string>& fields) {
    const std::size_t begin = at_;
    for (;;) {
      fields.push_back(read_field());
      if (at_ - begin > max_line_bytes) throw error("line is longer than 1 MiB");
      if (at_ >= text_.size()) return;
      const char end = text_[at_++];
      if (end == ',') continue;
      if (end == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
      ++line_;
      return;
    }
  }

  std::string read_field() {
    if (at_ < text_.size() && text_[at_] == '"') return read_quoted();
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    const std::string_view field = text_.substr(at_, end - at_);
    if (field.find('"') != std::string_view::npos) throw error("a quote inside a field that does not start with one");
    at_ = end;
    return std::string(field);
  }

  std::string read_quoted() {
    std::string field;
    for (++at_;;) {
      const std::size_t quote = text_.find('"', at_);
      if (quote == std::string_view::npos) throw error("a quote is never closed");
      line_ += static_cast<std::size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                   text_.begin() + static_cast<std::ptrdiff_t>(quote), '\n'));
      field += text_.substr(at_, quote - at_);
      if (field.size() > max_line_bytes) throw error("line is longer than 1 MiB");
      at_ = quote + 1;
      if (at_ >= text_.size() || text_[at_] != '"') break;
      field += '"';
      ++at_;
    }
    if (at_ < text_.size() && std::string_view(",\r\n").find(text_[at_]) == std::string_view::npos) {
      throw error("text after a closing quote");
    }
    return field;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0, line_ = 1, start_line_ = 1;
};

}  // namespace

bool is_clean_text(std::string_view text) { return text.find('\0') == std::string_view::npos && is_utf8(text); }

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::size_t CsvTable::find(const std::vector<std::string_view>& names) const noexcept {
  for (const std::string_view name : names) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i] == name) return i;
    }
  }
  return npos;
}

std::size_t CsvTable::column(const std::vector<std::string_view>& names) const {
  const std::size_t found = find(names);
  if (found != npos) return found;
  std::string known;
  for (const std::string_view name : names) known += (known.empty() ? "" : "|") + std::string(name);
  std::string have;
  for (const std::string& name : columns) have += (have.empty() ? "" : ",") + name;
  throw Error(ErrorCode::input, where + ":1", "column is missing").expected(known).got(printable(have));
}

CsvTable parse_csv(std::string_view text, const std::string& where) {
  CsvTable table;
  table.where = where;
  CsvReader reader(text, table.where);
  std::vector<std::string> fields;
  if (!reader.next(fields)) throw Error(ErrorCode::input, where, "the table is empty").expected("a header row");
  const auto check = [&] {
    for (const std::string& field : fields) {
      if (!is_clean_text(field)) throw reader.error("NUL byte or invalid UTF-8");
    }
  };
  check();
  std::set<std::string> seen;
  for (const std::string& name : fields) {
    table.columns.push_back(lower_case(name));
    if (!seen.insert(table.columns.back()).second) throw reader.error("column '" + printable(name) + "' stands twice");
  }
  while (reader.next(fields)) {
    check();
    if (fields.size() != table.columns.size()) {
      throw reader.error("wrong number of fields")
          .expected(std::to_string(table.columns.size()))
          .got(std::to_string(fields.size()));
    }
    if (table.rows.size() == max_table_rows) throw reader.error("more than a million rows");
    table.rows.push_back(fields);
    table.lines.push_back(reader.line());
  }
  return table;
}

CsvTable read_csv(const std::string& path) { return parse_csv(read_text(path, std::size_t{256} << 20), path); }

}  // namespace serene
