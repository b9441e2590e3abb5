#include "serene/call/call_timeline.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace serene {
namespace {

constexpr std::int64_t longest_call_ms = std::int64_t{1} << 40;

// One event whose fields are fetched by type; unknown fields are let through.
class Fields {
 public:
  Fields(const Json& event, const std::string& where) : event_(event), where_(where) {}

  std::string text(const char* key, const std::string& fallback = "") const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_string()) throw wrong(key, "string", *value);
    return value->get<std::string>();
  }
  std::int64_t integer(const char* key, std::int64_t fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_number_integer()) throw wrong(key, "whole number", *value);
    const bool huge = value->is_number_unsigned() && value->get<std::uint64_t>() > std::uint64_t{longest_call_ms};
    const std::int64_t number = huge ? -1 : value->get<std::int64_t>();
    if (number < 0 || number > longest_call_ms) throw wrong(key, "0 to 2^40", *value);
    return number;
  }
  double number(const char* key, double low, double high) const {
    const Json* value = find(key);
    return value == nullptr ? std::clamp(0.0, low, high) : checked(key, *value, low, high);
  }
  bool boolean(const char* key, bool fallback) const {
    const Json* value = find(key);
    if (value == nullptr) return fallback;
    if (!value->is_boolean()) throw wrong(key, "true or false", *value);
    return value->get<bool>();
  }
  // An object of numbers; empty when missing.
  std::vector<std::pair<std::string, double>> shares(const char* key) const {
    std::vector<std::pair<std::string, double>> list;
    const Json* value = find(key);
    if (value == nullptr) return list;
    if (!value->is_object()) throw wrong(key, "object", *value);
    for (const auto& [name, share] : value->items()) list.emplace_back(name, checked(key, share, 0, 1));
    return list;
  }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> list;
    const Json* value = find(key);
    if (value == nullptr) return list;
    if (!value->is_array()) throw wrong(key, "array", *value);
    for (const Json& item : *value) {
      if (!item.is_string()) throw wrong(key, "strings", item);
      list.push_back(item.get<std::string>());
    }
    return list;
  }
  Leg leg() const {
    const std::string name = text("leg");
    if (name != "customer" && name != "agent") throw Error(ErrorCode::input, where_ + "leg", "no such leg").got(name);
    return name == "agent" ? Leg::agent : Leg::customer;
  }
  const std::string& where() const { return where_; }

 private:
  const Json* find(const char* key) const {
    const auto at = event_.find(key);
    return at == event_.end() || at->is_null() ? nullptr : &*at;
  }
  double checked(const char* key, const Json& value, double low, double high) const {
    if (!value.is_number()) throw wrong(key, "number", value);
    const double number = value.get<double>();
    if (!(number >= low && number <= high)) throw wrong(key, "a value in its range", value);
    return number;
  }
  Error wrong(const char* key, const char* expected, const Json& value) const {
    return Error(ErrorCode::input, where_ + key, "broken value").expected(expected).got(printable(value.dump(), 40));
  }

  const Json& event_;
  const std::string& where_;
};

// Builds the time lines event by event.
class Reader {
 public:
  void take(const Fields& f) {
    const std::int64_t t = f.integer("t_ms", -1);
    if (t < now_) throw Error(ErrorCode::input, f.where() + "t_ms", "missing or earlier than the line before");
    now_ = t;
    const std::string type = f.text("type"), action = f.text("action");
    if (type == "call") call(f, action);
    if (type == "speech") stretch(f, action, speech_[f.leg() == Leg::agent], line_.speech[f.leg() == Leg::agent]);
    if (type == "overlap") stretch(f, action, overlap_, line_.overlaps);
    if (type == "silence") stretch(f, action, silence_, line_.silences);
    if (type == "emotion") emotion(f);
    if (type == "state") state(known_state(f));
    if (type == "alert") alert(f, action);
    if (type == "advice") advice(f, action);
    if (type == "quality") quality(f);
    if (type == "consent") line_.consent_changes.emplace_back(now_, action == "given");
  }

  CallTimeline finish(bool torn) {
    line_.torn = torn;
    line_.duration_ms = now_;
    if (!line_.ended) line_.reason = "dropped";
    for (std::size_t leg = 0; leg < leg_count; ++leg) close(speech_[leg], now_, line_.speech[leg]);
    close(overlap_, now_, line_.overlaps);
    close(silence_, now_, line_.silences);
    state("");
    return std::move(line_);
  }

 private:
  void call(const Fields& f, const std::string& action) {
    if (action == "start") {
      line_.model = f.text("model");
      line_.states = f.texts("states");
      if (line_.states.size() > max_states) throw Error(ErrorCode::input, f.where() + "states", "too many");
      for (const auto& [name, weight] : f.shares("negative")) line_.negative[name] = weight;
      line_.agent_leg = f.boolean("agent_leg", true);
      line_.consent = f.boolean("consent", true);
    }
    if (action == "end") {
      line_.ended = true;
      line_.reason = f.text("reason", "finished");
    }
  }

  // The moment of a stop may lie before it is known, never after it, nor before what was closed last.
  void stretch(const Fields& f, const std::string& action, std::optional<std::int64_t>& open,
               std::vector<TimeSpan>& list) {
    const std::int64_t at = std::min(f.integer("at_ms", now_), now_);
    if (action == "start" && !open) open = list.empty() ? at : std::max(at, list.back().to_ms);
    if (action == "stop") close(open, at, list);
  }
  static void close(std::optional<std::int64_t>& open, std::int64_t at, std::vector<TimeSpan>& list) {
    if (open && at > *open) {
      if (!list.empty() && list.back().to_ms == *open) {
        list.back().to_ms = at;
      } else {
        list.push_back({*open, at});
      }
    }
    open.reset();
  }

  std::string known_state(const Fields& f) const {
    const std::string state = f.text("state", "uncertain");
    const bool known = state == "uncertain" || state == "no_speech" ||
                       std::find(line_.states.begin(), line_.states.end(), state) != line_.states.end();
    if (!known) throw Error(ErrorCode::input, f.where() + "state", "not among the states of call/start").got(state);
    return state;
  }

  void emotion(const Fields& f) {
    EmotionReading r{now_, f.integer("speech_ms", 0), known_state(f), {}, 0};
    const auto given = f.shares("probabilities");
    double sum = 0;
    for (const std::string& state : line_.states) {
      const auto found = std::find_if(given.begin(), given.end(), [&](const auto& p) { return p.first == state; });
      r.probabilities.push_back(found == given.end() ? 0 : found->second);
      r.negative += line_.weight(state) * r.probabilities.back();
      sum += r.probabilities.back();
    }
    if (sum > 0) r.negative /= std::max(1.0, sum);  // rounded shares may sum to a little more than 1
    line_.readings.push_back(std::move(r));
  }

  void state(const std::string& next) {
    const std::int64_t from = line_.stretches.empty() ? 0 : line_.stretches.back().time.to_ms;
    if (next == state_ && !next.empty()) return;
    if (now_ > from) line_.stretches.push_back({{from, now_}, state_});
    state_ = next;
  }

  void alert(const Fields& f, const std::string& action) {
    const std::int64_t number = f.integer("alert", 0);
    if (action == "raised") {
      place_of_alert_[number] = line_.alerts.size();
      line_.alerts.push_back({number,
                              now_,
                              f.text("rule"),
                              f.text("severity", "info"),
                              f.text("text"),
                              f.text("reason"),
                              f.boolean("supervisor", false),
                              {},
                              {},
                              {}});
      return;
    }
    const auto place = place_of_alert_.find(number);
    if (place == place_of_alert_.end()) return;
    AlertEntry* const found = &line_.alerts[place->second];
    if (action == "escalated" && !found->escalated_ms) found->escalated_ms = now_, found->supervisor = true;
    if (action == "acknowledged" && !found->acknowledged_ms) found->acknowledged_ms = now_;
    if (action == "cleared" && !found->cleared_ms) found->cleared_ms = now_;
  }

  void advice(const Fields& f, const std::string& action) {
    if (!line_.advice.empty() && !line_.advice.back().withdrawn_ms) line_.advice.back().withdrawn_ms = now_;
    if (action == "shown") line_.advice.push_back({now_, {}, f.text("rule"), f.text("text"), f.text("reason")});
  }

  void quality(const Fields& f) {
    line_.quality.push_back({now_, f.leg(), f.text("lamp", "good"), f.number("level_dbfs", -200, 100),
                             f.number("snr_db", -300, 300), f.number("clipping", 0, 1), f.number("loss", 0, 1),
                             f.boolean("band_limited", false), f.integer("bad_samples", 0)});
  }

  CallTimeline line_;
  std::int64_t now_ = 0;
  std::string state_ = "no_speech";
  std::array<std::optional<std::int64_t>, leg_count> speech_;
  std::optional<std::int64_t> overlap_, silence_;
  std::map<std::int64_t, std::size_t> place_of_alert_;
};

}  // namespace

double CallTimeline::weight(const std::string& state) const {
  const auto found = negative.find(state);
  return found == negative.end() ? 0 : found->second;
}

CallTimeline read_timeline(const CallRecord& record) {
  Reader reader;
  bool torn = false;
  const std::string call = "call " + printable(record.id, 64) + ": line ";
  for (std::size_t i = 0; i < record.lines.size(); ++i) {
    const std::string where = call + std::to_string(i + 1);
    Json event;
    try {
      event = parse_json(record.lines[i], where);
    } catch (const Error&) {
      if (i + 1 < record.lines.size()) throw;
      torn = true;
      break;
    }
    if (!event.is_object()) throw Error(ErrorCode::input, where, "not an event").got(json_type(event));
    reader.take(Fields(event, where + ": "));
  }
  return reader.finish(torn);
}

std::vector<TimeSpan> intersection(const std::vector<TimeSpan>& a, const std::vector<TimeSpan>& b) {
  std::vector<TimeSpan> both;
  for (std::size_t i = 0, k = 0; i < a.size() && k < b.size();) {
    const TimeSpan common{std::max(a[i].from_ms, b[k].from_ms), std::min(a[i].to_ms, b[k].to_ms)};
    if (common.length() > 0) both.push_back(common);
    (a[i].to_ms < b[k].to_ms ? i : k)++;
  }
  return both;
}

std::vector<TimeSpan> gaps(const std::vector<TimeSpan>& a, const std::vector<TimeSpan>& b, std::int64_t duration_ms) {
  std::vector<TimeSpan> all = a, free;
  all.insert(all.end(), b.begin(), b.end());
  std::sort(all.begin(), all.end(), [](const TimeSpan& x, const TimeSpan& y) { return x.from_ms < y.from_ms; });
  all.push_back({duration_ms, duration_ms});
  std::int64_t covered = 0;
  for (const TimeSpan& i : all) {
    if (i.from_ms > covered) free.push_back({covered, i.from_ms});
    covered = std::max(covered, i.to_ms);
  }
  return free;
}

}  // namespace serene
