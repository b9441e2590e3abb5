#include "serene/core/json.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <system_error>
#include <unordered_set>

namespace serene {

namespace {

constexpr std::size_t max_depth = 64;

// "line 3, column 7" of the byte at `offset`.
std::string line_and_column(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t newline = before.rfind('\n');
  const std::size_t column = newline == std::string_view::npos ? offset + 1 : offset - newline;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

// nlohmann's "[json.exception.x.101] parse error at line 1, column 2: <reason>" -> "<reason>".
std::string reason_of(std::string_view what) {
  if (const auto bracket = what.find("] "); what.starts_with('[') && bracket != std::string_view::npos) {
    what.remove_prefix(bracket + 2);
  }
  if (what.starts_with("parse error")) {
    if (const auto colon = what.find(": "); colon != std::string_view::npos) what.remove_prefix(colon + 2);
  }
  return printable(what, 240);
}

// Builds the document from parser events. nlohmann's own tree builder keeps the last of two equal keys silently and has
// no limit of depth.
class TreeBuilder {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text) {}

  bool null() { return add(Json(nullptr)); }
  bool boolean(bool v) { return add(Json(v)); }
  bool number_integer(Json::number_integer_t v) { return add(Json(v)); }
  bool number_unsigned(Json::number_unsigned_t v) { return add(Json(v)); }
  bool number_float(Json::number_float_t v, const std::string& digits) {
    return std::isfinite(v) ? add(Json(v)) : fail("number out of range: " + printable(digits, 40));
  }
  bool string(std::string& v) { return add(Json(std::move(v))); }
  bool binary(Json::binary_t&) { return fail("binary data"); }

  bool start_object(std::size_t) {
    if (!open(Json::object())) return false;
    keys_.emplace_back();
    return true;
  }
  bool key(std::string& name) {
    if (!keys_.back().insert(name).second) return fail("duplicate key \"" + printable(name, 60) + "\"");
    // Straight to the list of members: the map's own insertion searches linearly, quadratic for hostile files.
    auto& members = open_.back()->get_ref<Json::object_t&>();
    members.emplace_back(std::move(name), nullptr);
    slot_ = &members.back().second;
    return true;
  }
  bool end_object() {
    keys_.pop_back();
    open_.pop_back();
    return true;
  }
  bool start_array(std::size_t) { return open(Json::array()); }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& e) {
    problem_ =
        "not valid JSON at " + line_and_column(text_, position > 0 ? position - 1 : 0) + ": " + reason_of(e.what());
    return false;
  }

  Json& root() { return root_; }
  const std::string& problem() const { return problem_; }

 private:
  Json* place(Json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& items = open_.back()->get_ref<Json::array_t&>();
      items.push_back(std::move(value));
      return &items.back();
    }
    *slot_ = std::move(value);
    return slot_;
  }
  bool add(Json&& value) {
    place(std::move(value));
    return true;
  }
  bool open(Json&& container) {
    if (open_.size() >= max_depth) return fail("nested deeper than " + std::to_string(max_depth) + " levels");
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  std::string_view text_;
  Json root_;
  std::vector<Json*> open_;  // a container grows only while it is the innermost one, so these stay valid
  std::vector<std::unordered_set<std::string>> keys_;
  Json* slot_ = nullptr;
  std::string problem_;
};

// Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// The candidate that looks most like `word`, or "" when none is near.
template <class Candidates>
std::string nearest(std::string_view word, const Candidates& candidates) {
  word = word.substr(0, 64);
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

template <class Names>
std::string joined(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

template <class Candidates>
std::string suggestion(std::string_view word, const Candidates& candidates) {
  const std::string near = nearest(word, candidates);
  return near.empty() ? "" : "did you mean \"" + near + "\"?";
}

std::string shown(const Json& value) {
  if (value.is_number() || value.is_boolean()) return json_type(value) + " " + value.dump();
  return json_type(value);
}

std::string digits(double value) { return Json(value).dump(); }

}  // namespace

std::string json_type(const Json& value) {
  if (value.is_object()) return "object";
  if (value.is_array()) return "array";
  if (value.is_string()) return "string";
  if (value.is_number()) return "number";
  if (value.is_boolean()) return "boolean";
  return "null";
}

Json parse_json(std::string_view text, const std::string& where) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    throw Error(ErrorCode::input, where, "empty, expected a JSON document");
  }
  // The parser takes a zero byte for the end of the text and would ignore what follows it.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw Error(ErrorCode::input, where, "not valid JSON at " + line_and_column(text, zero) + ": zero byte");
  }
  TreeBuilder builder(text);
  bool ok = false;
  try {
    ok = Json::sax_parse(text.begin(), text.end(), &builder);
  } catch (const nlohmann::json::exception& e) {
    throw Error(ErrorCode::input, where, "not valid JSON: " + reason_of(e.what()));
  }
  if (!ok) throw Error(ErrorCode::input, where, builder.problem().empty() ? "not valid JSON" : builder.problem());
  return std::move(builder.root());
}

Json read_json_file(const std::string& path, std::size_t max_bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::not_found, path, "cannot be opened");
  std::string text;
  std::vector<char> block(std::size_t{1} << 16);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0) {
    text.append(block.data(), static_cast<std::size_t>(file.gcount()));
    if (text.size() > max_bytes) {
      throw Error(ErrorCode::input, path, "too large for a JSON file")
          .expected("at most " + std::to_string(max_bytes) + " bytes");
    }
  }
  if (file.bad()) throw Error(ErrorCode::input, path, "cannot be read").hint("is it a folder?");
  return parse_json(text, path);
}

JsonReader::JsonReader(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object.is_object()) {
    throw Error(ErrorCode::input, path_, "wrong type").expected("object").got(shown(object));
  }
}

bool JsonReader::has(const std::string& key) const { return object_.find(key) != object_.end(); }

const Json& JsonReader::raw(const std::string& key) {
  seen_.insert(key);
  const auto found = object_.find(key);
  if (found == object_.end()) throw Error(ErrorCode::not_found, path_of(key), "missing key");
  return *found;
}

const Json& JsonReader::typed(const std::string& key, bool ok, const char* expected, const Json& value) const {
  if (!ok) throw Error(ErrorCode::input, path_of(key), "wrong type").expected(expected).got(shown(value));
  return value;
}

JsonReader JsonReader::object(const std::string& key) { return JsonReader(raw(key), path_of(key)); }

std::string JsonReader::text(const std::string& key) {
  const Json& value = raw(key);
  return typed(key, value.is_string(), "string", value).get<std::string>();
}

double JsonReader::number(const std::string& key) {
  const Json& value = raw(key);
  return typed(key, value.is_number(), "number", value).get<double>();
}

std::int64_t JsonReader::integer(const std::string& key) {
  const Json& value = raw(key);
  typed(key, value.is_number_integer(), "integer", value);
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    throw Error(ErrorCode::input, path_of(key), "integer too large").got(value.dump());
  }
  return value.get<std::int64_t>();
}

bool JsonReader::boolean(const std::string& key) {
  const Json& value = raw(key);
  return typed(key, value.is_boolean(), "boolean", value).get<bool>();
}

std::string JsonReader::text(const std::string& key, const std::string& fallback) {
  seen_.insert(key);
  return has(key) ? text(key) : fallback;
}

double JsonReader::number(const std::string& key, double fallback) {
  seen_.insert(key);
  return has(key) ? number(key) : fallback;
}

std::int64_t JsonReader::integer(const std::string& key, std::int64_t fallback) {
  seen_.insert(key);
  return has(key) ? integer(key) : fallback;
}

bool JsonReader::boolean(const std::string& key, bool fallback) {
  seen_.insert(key);
  return has(key) ? boolean(key) : fallback;
}

double JsonReader::number_in(const std::string& key, double low, double high, double fallback) {
  seen_.insert(key);
  if (!has(key)) return fallback;
  const double value = number(key);
  if (!(value >= low && value <= high)) {
    throw Error(ErrorCode::input, path_of(key), "out of range")
        .expected(digits(low) + " to " + digits(high))
        .got(digits(value));
  }
  return value;
}

std::int64_t JsonReader::integer_in(const std::string& key, std::int64_t low, std::int64_t high,
                                    std::int64_t fallback) {
  seen_.insert(key);
  return has(key) ? integer_in(key, low, high) : fallback;
}

std::int64_t JsonReader::integer_in(const std::string& key, std::int64_t low, std::int64_t high) {
  const std::int64_t value = integer(key);
  if (value < low || value > high) {
    throw Error(ErrorCode::input, path_of(key), "out of range")
        .expected(std::to_string(low) + " to " + std::to_string(high))
        .got(std::to_string(value));
  }
  return value;
}

std::string JsonReader::choice(const std::string& key, const std::vector<std::string>& choices,
                               const std::string& fallback) {
  const std::string value = text(key, fallback);
  if (has(key) && std::find(choices.begin(), choices.end(), value) == choices.end()) {
    throw Error(ErrorCode::input, path_of(key), "unknown value")
        .expected("one of " + joined(choices))
        .got("\"" + printable(value, 60) + "\"")
        .hint(suggestion(value, choices));
  }
  return value;
}

std::vector<std::string> JsonReader::texts(const std::string& key, const std::vector<std::string>& fallback) {
  seen_.insert(key);
  if (!has(key)) return fallback;
  const Json& list = raw(key);
  typed(key, list.is_array(), "array of strings", list);
  std::vector<std::string> values;
  for (const Json& item : list) {
    const std::string place = key + "[" + std::to_string(values.size()) + "]";
    values.push_back(typed(place, item.is_string(), "string", item).get<std::string>());
  }
  return values;
}

std::vector<double> JsonReader::numbers(const std::string& key, const std::vector<double>& fallback) {
  seen_.insert(key);
  if (!has(key)) return fallback;
  const Json& list = raw(key);
  typed(key, list.is_array(), "array of numbers", list);
  std::vector<double> values;
  for (const Json& item : list) {
    const std::string place = key + "[" + std::to_string(values.size()) + "]";
    values.push_back(typed(place, item.is_number(), "number", item).get<double>());
  }
  return values;
}

Error JsonReader::error(const std::string& key, const std::string& problem) const {
  return Error(ErrorCode::input, path_of(key), problem);
}

std::string JsonReader::path_of(const std::string& key) const {
  const std::string shown_key = printable(key, 80);
  if (path_.empty()) return shown_key;
  return shown_key.empty() ? path_ : path_ + "." + shown_key;
}

void JsonReader::finish() const {
  for (const auto& item : object_.items()) {
    if (seen_.count(item.key()) != 0) continue;
    const std::string near = suggestion(item.key(), seen_);
    throw Error(ErrorCode::input, path_of(item.key()), "unknown key")
        .expected(seen_.empty() ? "no keys" : "one of " + joined(seen_))
        .hint(near);
  }
}

}  // namespace serene
