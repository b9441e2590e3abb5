#include "serene/data/votes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "serene/core/error.h"

namespace serene {
namespace {

constexpr double most_votes = 1e6;

using Column = std::pair<std::size_t, std::string>;  // place in the table, label

// The columns of emotions by the words of the shared vocabulary, or else CREMA-D's six letters.
std::vector<Column> emotion_columns(const CsvTable& table) {
  std::vector<Column> columns;
  const auto& words = emotion_vocabulary();
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const std::string& name = table.columns[i];
    const std::string word = name.size() > 1 ? canonical_label(name) : name;
    if (std::find(words.begin(), words.end(), word) == words.end()) continue;
    for (const Column& other : columns) {
      if (other.second != word) continue;
      throw Error(ErrorCode::input, table.where + ":1", "two columns of votes for " + word);
    }
    columns.emplace_back(i, word);
  }
  if (!columns.empty()) return columns;
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> letters = {
      {{"a", "angry"}, {"d", "disgust"}, {"f", "fearful"}, {"h", "happy"}, {"n", "neutral"}, {"s", "sad"}}};
  for (const auto& [letter, word] : letters) columns.emplace_back(table.column({letter}), word);
  return columns;
}

double vote_of(const std::string& text, const CsvTable& table, std::size_t row, std::size_t column) {
  double value = -1;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool number = failed == std::errc() && end == text.data() + text.size();
  if (number && value >= 0 && value <= most_votes) return value;
  throw Error(ErrorCode::input, table.where + ":" + std::to_string(table.lines[row]),
              "column '" + printable(table.columns[column], 40) + "' is not a number of votes")
      .expected("0 to 1e6")
      .got("'" + printable(text, 40) + "'");
}

bool is_row_number(const std::string& text) {
  return text.size() == 6 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

VoteTable votes_of_table(const CsvTable& table) {
  const std::size_t name = table.column({"filename", "clip", "id"});
  const std::vector<Column> columns = emotion_columns(table);
  const bool numbered = !table.columns.empty() && table.columns[0].empty();
  VoteTable votes;
  std::map<std::string, std::size_t> first_line;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    if (numbered && is_row_number(row[0]) && row[0][0] != '1') continue;
    const auto [place, fresh] = first_line.emplace(row[name], table.lines[r]);
    if (!fresh) {
      throw Error(ErrorCode::input, table.where + ":" + std::to_string(table.lines[r]),
                  "clip '" + printable(row[name], 60) + "' comes twice")
          .hint("first in line " + std::to_string(place->second));
    }
    Votes of_clip;
    for (const auto& [column, label] : columns) {
      const double value = vote_of(row[column], table, r, column);
      if (value > 0) of_clip[label] = value;
    }
    if (!of_clip.empty()) votes.emplace(row[name], std::move(of_clip));
  }
  return votes;
}

VoteTable read_votes(const std::string& path) { return votes_of_table(read_csv(path)); }

std::size_t add_votes(Manifest& manifest, const VoteTable& table) {
  std::size_t found = 0;
  for (Clip& clip : manifest.clips) {
    const std::size_t slash = clip.id.rfind('/');
    const auto votes = table.find(slash == std::string::npos ? clip.id : clip.id.substr(slash + 1));
    if (votes == table.end()) continue;
    clip.votes = votes->second;
    ++found;
  }
  return found;
}

}  // namespace serene
