#include "serene/train/sweep_space.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "serene/core/random.h"
#include "serene/core/sha256.h"

namespace serene {
namespace {

using Kind = SweepDimension::Kind;

constexpr std::size_t most_dimensions = 64, most_choices = 1000, longest_key = 200;
constexpr double largest_integer = 9007199254740992.0;  // 2^53: exact in a double
constexpr std::pair<const char*, Kind> kinds[] = {{"uniform", Kind::uniform},
                                                  {"log_uniform", Kind::log_uniform},
                                                  {"int", Kind::integer},
                                                  {"log_int", Kind::log_integer},
                                                  {"choice", Kind::choice}};
// With another of these, trials would not be scored on the same clips.
constexpr const char* fixed_keys[] = {"name",        "seed",      "labels",        "split",         "data",
                                      "data.corpus", "data.root", "data.manifest", "data.cache_dir"};

Error key_error(const std::string& key, const std::string& problem) {
  return Error(ErrorCode::input, printable(key), problem);
}

void check_key(const std::string& key) {
  const bool whole = !key.empty() && key.front() != '.' && key.back() != '.' && key.find("..") == std::string::npos;
  if (!whole || key.size() > longest_key || key.find('=') != std::string::npos || printable(key, longest_key) != key) {
    throw key_error(key.empty() ? "\"\"" : key, "not a key of a config").expected("such as train.batch_size");
  }
  for (const std::string fixed : fixed_keys) {
    if (key == fixed || (fixed != "data" && key.starts_with(fixed + "."))) {
      throw key_error(key, "cannot be searched").hint("trials are compared on the same clips and seeds");
    }
  }
}

bool is_integer_kind(Kind kind) { return kind == Kind::integer || kind == Kind::log_integer; }

void read_range(JsonReader& r, const std::string& name, SweepDimension& d) {
  const std::vector<double> ends = r.numbers(name);
  if (ends.size() != 2) throw r.error(name, "not a range").expected("[low, high]");
  d.low = ends[0], d.high = ends[1];
  if (is_integer_kind(d.kind)) {
    for (const Json& end : r.raw(name)) {
      if (!end.is_number_integer()) throw r.error(name, "not whole numbers").got(end.dump());
    }
    if (std::abs(d.low) > largest_integer || std::abs(d.high) > largest_integer) {
      throw r.error(name, "out of range").expected("at most 2^53");
    }
  }
  if (!(d.low < d.high)) throw r.error(name, "an empty range").expected("low below high");
  if (!std::isfinite(d.high - d.low)) throw r.error(name, "too wide a range");
  if (d.is_log() && !(d.low > 0)) throw r.error(name, "a logarithm needs numbers above 0");
}

void read_choices(JsonReader& r, SweepDimension& d) {
  const Json& list = r.raw("choice");
  if (!list.is_array() || list.empty() || list.size() > most_choices) {
    throw r.error("choice", "not a list of 1 to " + std::to_string(most_choices) + " values");
  }
  for (const Json& value : list) {
    if (std::find(d.choices.begin(), d.choices.end(), value) != d.choices.end()) {
      throw r.error("choice", "the same value twice").got(printable(value.dump(), 60));
    }
    d.choices.push_back(value);
  }
}

SweepDimension dimension_from_json(const std::string& key, JsonReader r) {
  SweepDimension d;
  d.key = key;
  int found = 0;
  std::string names, name;
  for (const auto& [text, kind] : kinds) {
    names += (names.empty() ? "" : ", ") + std::string(text);
    if (r.has(text)) ++found, d.kind = kind, name = text;
  }
  if (found != 1) {
    if (found == 0) {
      for (const auto& entry : kinds) r.text(entry.first, "");  // now known: a misspelt one is named beside them
      if (r.has("when")) r.raw("when");
      r.finish();
    }
    throw r.error("", "one kind of values is needed").expected("one of " + names);
  }
  d.is_choice() ? read_choices(r, d) : read_range(r, name, d);
  if (r.has("when")) {
    r.object("when");
    for (const auto& item : r.raw("when").items()) d.when.emplace_back(item.key(), item.value());
    if (d.when.empty()) throw r.error("when", "empty");
  }
  r.finish();
  return d;
}

const SweepDimension* find(const SweepSpace& space, const std::string& key) {
  for (const SweepDimension& d : space.dimensions) {
    if (d.key == key) return &d;
  }
  return nullptr;
}

void check_conditions(const SweepSpace& space, const SweepDimension& d, std::size_t depth) {
  if (depth > space.dimensions.size()) throw key_error(d.key + ".when", "turns in a circle");
  for (const auto& [key, value] : d.when) {
    const std::string place = d.key + ".when." + key;
    const SweepDimension* other = find(space, key);
    if (other == nullptr) throw key_error(place, "no key of this space");
    if (!other->is_choice()) throw key_error(place, "not a choice").hint("only values of a choice can be a condition");
    if (std::find(other->choices.begin(), other->choices.end(), value) == other->choices.end()) {
      throw key_error(place, "never holds: not among the choices").got(printable(value.dump(), 60));
    }
    check_conditions(space, *other, depth + 1);
  }
}

std::vector<int> read_folds(JsonReader& r) {
  std::vector<int> folds;
  for (const double fold : r.numbers("folds")) {
    if (!(fold >= 0 && fold <= 100000) || fold != std::floor(fold)) throw r.error("folds", "not numbers of folds");
    if (std::find(folds.begin(), folds.end(), static_cast<int>(fold)) != folds.end()) {
      throw r.error("folds", "the same fold twice");
    }
    folds.push_back(static_cast<int>(fold));
  }
  if (r.has("folds") && folds.empty()) throw r.error("folds", "empty");
  return folds;
}

std::uint64_t number_of(const std::string& key) {
  Sha256 sum;
  sum.update(key);
  std::uint64_t number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | sum.digest()[static_cast<std::size_t>(i)];
  return number;
}

// Six significant digits, in any locale.
double rounded(double value) {
  std::array<char, 64> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 6);
  double result = value;
  std::from_chars(text.data(), end.ptr, result);
  return result;
}

Json draw_value(const SweepDimension& d, Random random) {
  switch (d.kind) {
    case Kind::choice:
      return d.choices[random.below(d.choices.size())];
    case Kind::uniform:
      return std::clamp(rounded(random.uniform(d.low, d.high)), d.low, d.high);
    case Kind::log_uniform:
      return std::clamp(rounded(std::exp(random.uniform(std::log(d.low), std::log(d.high)))), d.low, d.high);
    case Kind::integer:
      return static_cast<std::int64_t>(d.low) +
             static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(d.high - d.low) + 1));
    case Kind::log_integer: {
      const double value = std::floor(std::exp(random.uniform(std::log(d.low), std::log(d.high + 1))));
      return static_cast<std::int64_t>(std::clamp(value, d.low, d.high));
    }
  }
  return {};
}

bool exists(const SweepSpace& space, const TrialValues& drawn, std::size_t i) {
  for (const auto& [key, value] : space.dimensions[i].when) {
    const auto other = static_cast<std::size_t>(find(space, key) - space.dimensions.data());
    if (*drawn[other] != value || !exists(space, drawn, other)) return false;
  }
  return true;
}

std::string suffix(const std::string& key, int parts) {
  std::size_t at = key.size();
  for (int i = 0; i < parts && at != std::string::npos && at > 0; ++i) at = key.rfind('.', at - 1);
  return at == std::string::npos || at == 0 ? key : key.substr(at + 1);
}

void sort_by_depth(std::vector<std::string>& overrides) {
  const auto depth = [](const std::string& text) {
    return std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(text.find('=')), '.');
  };
  std::stable_sort(overrides.begin(), overrides.end(),
                   [&](const std::string& a, const std::string& b) { return depth(a) < depth(b); });
}

}  // namespace

const SweepDimension& SweepSpace::at(const std::string& key) const {
  const SweepDimension* d = find(*this, key);
  if (d == nullptr) throw Error(ErrorCode::internal, printable(key), "no key of the space");
  return *d;
}

SweepSpace sweep_space_from_json(const Json& json) {
  JsonReader r(json, "");
  SweepSpace space;
  space.protocol = r.text("protocol", "");
  if (r.has("protocol") && space.protocol.empty()) throw r.error("protocol", "empty");
  space.folds = read_folds(r);
  for (const auto& item : json.items()) {
    if (item.key() == "protocol" || item.key() == "folds") continue;
    check_key(item.key());
    space.dimensions.push_back(dimension_from_json(item.key(), r.object(item.key())));
    if (space.dimensions.size() > most_dimensions) {
      throw key_error(item.key(), "too many keys").expected("at most " + std::to_string(most_dimensions));
    }
  }
  r.finish();
  if (space.dimensions.empty()) throw Error(ErrorCode::input, "", "no key to search");
  for (const SweepDimension& d : space.dimensions) check_conditions(space, d, 0);
  return space;
}

SweepSpace read_sweep_space(const std::string& path) {
  const Json json = read_json_file(path, 1u << 20);
  return with_context(path, [&] { return sweep_space_from_json(json); });
}

TrialValues draw_trial(const SweepSpace& space, std::uint64_t seed, std::uint64_t trial) {
  TrialValues drawn, values;
  for (const SweepDimension& d : space.dimensions) {
    drawn.push_back(draw_value(d, Random(seed, Purpose::sweep, trial, number_of(d.key))));
  }
  values = drawn;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!exists(space, drawn, i)) values[i].reset();
  }
  return values;
}

std::vector<std::string> trial_overrides(const SweepSpace& space, const TrialValues& values) {
  std::vector<std::string> overrides;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i]) overrides.push_back(space.dimensions[i].key + "=" + values[i]->dump());
  }
  sort_by_depth(overrides);
  return overrides;
}

std::vector<std::string> probe_overrides(const SweepSpace& space, const std::string& key) {
  const SweepDimension& d = space.at(key);
  const Json value = d.is_choice()             ? d.choices.front()
                     : is_integer_kind(d.kind) ? Json(static_cast<std::int64_t>(d.low))
                                               : Json(d.low);
  std::vector<std::string> overrides{d.key + "=" + value.dump()};
  for (std::vector<const SweepDimension*> open{&d}; !open.empty();) {
    const SweepDimension* at = open.back();
    open.pop_back();
    for (const auto& [other, needed] : at->when) {
      const std::string text = other + "=" + needed.dump();
      if (std::find(overrides.begin(), overrides.end(), text) != overrides.end()) continue;
      overrides.push_back(text);
      open.push_back(&space.at(other));
    }
  }
  sort_by_depth(overrides);
  return overrides;
}

Json values_to_json(const SweepSpace& space, const TrialValues& values) {
  Json json = Json::object();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i]) json[space.dimensions[i].key] = *values[i];
  }
  return json;
}

std::vector<std::string> short_keys(const SweepSpace& space) {
  std::vector<std::string> names;
  for (const SweepDimension& d : space.dimensions) {
    const auto same = [&](int parts) {
      return std::count_if(space.dimensions.begin(), space.dimensions.end(), [&](const SweepDimension& other) {
        return suffix(other.key, parts) == suffix(d.key, parts);
      });
    };
    int parts = 1;
    while (same(parts) > 1 && parts < 100) ++parts;
    names.push_back(suffix(d.key, parts));
  }
  return names;
}

std::string value_text(const std::optional<Json>& value) {
  if (!value) return "-";
  if (value->is_string()) return printable(value->get<std::string>(), 40);
  if (!value->is_number_float()) return printable(value->dump(), 40);
  std::array<char, 64> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value->get<double>(), std::chars_format::general, 4);
  return std::string(text.data(), end.ptr);
}

}  // namespace serene
