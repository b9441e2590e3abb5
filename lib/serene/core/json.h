// Strict reading of JSON: every value is fetched by name and type, every unknown key is an error, and every error names
// the file and the path of the key ("configs/a.json: train.optimizer.lr: wrong type (expected number, got string)").
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "serene/core/error.h"
#include "serene/core/types.h"

namespace serene {

// A JSON value; objects keep the order of their keys.
using Json = nlohmann::ordered_json;

// Parses text; refuses duplicate keys, nesting deeper than 64 and anything after the document. `where` names it in
// errors.
Json parse_json(std::string_view text, const std::string& where);
// Reads and parses a file (at most max_bytes).
Json read_json_file(const std::string& path, std::size_t max_bytes = 64u << 20);

// Reads one JSON object. Each key may be fetched once or more; finish() throws when a key was never fetched.
class JsonReader {
 public:
  // path: place of this object for errors ("" for the root). The reader refers to `object`, which must outlive it.
  JsonReader(const Json& object, std::string path);

  bool has(const std::string& key) const;  // does not mark the key as read
  // Fetches and marks as read; throws when missing.
  const Json& raw(const std::string& key);
  JsonReader object(const std::string& key);

  // The value of a key. Throws Error(input) when it is missing, or of another type.
  std::string text(const std::string& key);
  double number(const std::string& key);
  std::int64_t integer(const std::string& key);
  bool boolean(const std::string& key);

  // With a default when the key is absent.
  std::string text(const std::string& key, const std::string& fallback);
  double number(const std::string& key, double fallback);
  std::int64_t integer(const std::string& key, std::int64_t fallback);
  bool boolean(const std::string& key, bool fallback);

  // With a range, both ends included.
  double number_in(const std::string& key, double low, double high, double fallback);
  std::int64_t integer_in(const std::string& key, std::int64_t low, std::int64_t high, std::int64_t fallback);
  std::int64_t integer_in(const std::string& key, std::int64_t low, std::int64_t high);
  // One of `choices`.
  std::string choice(const std::string& key, const std::vector<std::string>& choices, const std::string& fallback);
  std::vector<std::string> texts(const std::string& key, const std::vector<std::string>& fallback = {});
  std::vector<double> numbers(const std::string& key, const std::vector<double>& fallback = {});

  // An error at this object or at one of its keys.
  Error error(const std::string& key, const std::string& problem) const;
  std::string path_of(const std::string& key) const;

  // Throws for the first key that was never fetched, naming its path and the known keys.
  void finish() const;

 private:
  const Json& typed(const std::string& key, bool ok, const char* expected, const Json& value) const;

  const Json& object_;
  std::string path_;
  std::set<std::string> seen_;
};

// "object", "array", "string", "number", "boolean" or "null".
std::string json_type(const Json& value);

}  // namespace serene
