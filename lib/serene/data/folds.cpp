#include "serene/data/folds.h"

#include <set>
#include <sstream>

#include "serene/core/error.h"
#include "serene/data/csv.h"

namespace serene {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

struct FoldRow {
  int fold;
  const char* test;
  const char* validation;
};

std::vector<SpeakerFold> from_rows(std::initializer_list<FoldRow> rows) {
  std::vector<SpeakerFold> folds;
  for (const FoldRow& row : rows) folds.push_back({row.fold, words_of(row.test), words_of(row.validation)});
  return folds;
}

// Digits at the end without leading zeros; "" when there are none.
std::string number_at_end(const std::string& text) {
  std::size_t begin = text.size();
  while (begin > 0 && text[begin - 1] >= '0' && text[begin - 1] <= '9') --begin;
  while (begin + 1 < text.size() && text[begin] == '0') ++begin;
  return text.substr(begin);
}

int fold_number(const std::string& text, const std::string& where) {
  const bool digits = !text.empty() && text.size() < 7 && text.find_first_not_of("0123456789") == std::string::npos;
  if (!digits) throw Error(ErrorCode::input, where, "fold is no number").got(printable(text));
  return std::stoi(text);
}

void check_fold(const SpeakerFold& fold, std::set<std::string>& tested, const std::string& where) {
  if (fold.test.empty()) throw Error(ErrorCode::input, where, "the fold has no test speakers");
  for (const std::string& speaker : fold.test) {
    if (!tested.insert(speaker).second) {
      throw Error(ErrorCode::input, where, "speaker " + printable(speaker) + " is tested twice");
    }
    for (const std::string& other : fold.validation) {
      if (other == speaker) {
        throw Error(ErrorCode::input, where,
                    "speaker " + printable(speaker) + " is in the test and the validation part");
      }
    }
  }
}

}  // namespace

bool is_same_speaker(const std::string& speaker, const std::string& written) {
  if (speaker == written) return true;
  const std::size_t dash = speaker.rfind('-');
  const std::string own = dash == std::string::npos ? speaker : speaker.substr(dash + 1);
  if (own == written) return true;
  const bool number = !written.empty() && written.find_first_not_of("0123456789") == std::string::npos;
  return number && number_at_end(own) == number_at_end(written) &&
         own.find_first_not_of("0123456789") == std::string::npos;
}

std::vector<SpeakerFold> built_in_folds(const std::string& protocol) {
  if (protocol == "ravdess-luna5") {
    return from_rows({{0, "2 5 14 15 16", "3 6"},
                      {1, "3 6 7 13 18", "10 11"},
                      {2, "10 11 12 19 20", "8 17"},
                      {3, "8 17 21 23 24", "1 14"},
                      {4, "1 4 9 22", "2 5"}});
  }
  if (protocol == "ravdess-emobox6") {
    return from_rows({{1, "1 11 20 21", ""},
                      {2, "4 10 12 14", ""},
                      {3, "8 9 19 23", ""},
                      {4, "3 5 7 24", ""},
                      {5, "2 15 16 18", ""},
                      {6, "6 13 17 22", ""}});
  }
  if (protocol == "cremad-hicmae5") {
    std::vector<SpeakerFold> folds;
    const int first[] = {1001, 1019, 1037, 1055, 1073, 1092};
    for (int f = 0; f < 5; ++f) {
      folds.push_back({f + 1, {}, {}});
      for (int actor = first[f]; actor < first[f + 1]; ++actor) folds.back().test.push_back(std::to_string(actor));
    }
    return folds;
  }
  throw Error(ErrorCode::usage, "protocol", "no folds are built in for '" + printable(protocol) + "'");
}

std::vector<SpeakerFold> read_folds(const std::string& path, const std::string& protocol) {
  const CsvTable table = read_csv(path);
  const std::size_t fold = table.column({"fold"});
  const std::size_t test = table.column({"test_actors", "test_speakers"});
  const std::size_t validation = table.find({"val_actors", "val_speakers", "validation_actors", "validation_speakers"});
  const std::size_t name = table.find({"protocol"});
  const std::string short_name = protocol.substr(protocol.find('-') + 1);
  std::vector<SpeakerFold> folds;
  std::set<std::string> tested;
  std::set<int> numbers;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const auto& row = table.rows[i];
    if (name != CsvTable::npos && row[name] != protocol && row[name] != short_name) continue;
    const std::string where = path + ":" + std::to_string(table.lines[i]);
    SpeakerFold one;
    one.fold = fold_number(row[fold], where);
    one.test = words_of(row[test]);
    if (validation != CsvTable::npos) one.validation = words_of(row[validation]);
    check_fold(one, tested, where);
    if (!numbers.insert(one.fold).second) throw Error(ErrorCode::input, where, "the fold comes twice");
    folds.push_back(std::move(one));
  }
  if (folds.empty()) throw Error(ErrorCode::input, path, "no row of protocol " + protocol);
  return folds;
}

}  // namespace serene
