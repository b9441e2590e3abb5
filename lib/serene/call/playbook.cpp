#include "serene/call/playbook.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>

#include "serene/core/utf8.h"

namespace serene {

namespace {

constexpr double max_minutes = 1440;
constexpr double max_seconds = 3600;
constexpr double max_over_s = 600;

// States that models of the known corpora have; a playbook may speak of them to a model that lacks some.
constexpr std::array<std::string_view, 9> usual_states = {"neutral", "calm",    "happy",     "sad",    "angry",
                                                          "fearful", "disgust", "surprised", "boredom"};
constexpr std::array<std::string_view, 3> kFields = {"{value}", "{percent}", "{duration}"};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name, 60);
  return text;
}

bool names_rule(SignalKind kind) { return kind == SignalKind::recovery || kind == SignalKind::strain; }

// One line for a screen: no control characters, at most max_chars characters.
std::string line_of(JsonReader& reader, const std::string& key, std::size_t max_chars) {
  const std::string text = reader.text(key, "");
  std::size_t chars = 0;
  for (std::size_t i = 0; i < text.size(); ++chars) {
    const std::size_t length = utf8_length(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0 || byte < 0x20 || byte == 0x7f) throw reader.error(key, "not one line of printable text");
    i += length;
  }
  if (chars > max_chars) {
    throw reader.error(key, "too long")
        .expected("at most " + std::to_string(max_chars) + " characters")
        .got(std::to_string(chars));
  }
  return text;
}

void check_fields(const JsonReader& reader, const std::string& reason) {
  for (auto open = reason.find('{'); open != std::string::npos; open = reason.find('{', open + 1)) {
    const std::string_view rest = std::string_view(reason).substr(open);
    const bool known =
        std::any_of(kFields.begin(), kFields.end(), [&](std::string_view name) { return rest.starts_with(name); });
    if (known) continue;
    throw reader.error("reason", "unknown field in braces")
        .expected("one of {value}, {percent}, {duration}")
        .got("\"" + printable(rest.substr(0, rest.find('}') + 1), 40) + "\"");
  }
}

std::string id_from(JsonReader& reader) {
  const std::string id = reader.text("id");
  const bool good = !id.empty() && id.size() <= 40 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!good) {
    throw reader.error("id", "not a rule's name")
        .expected("1 to 40 of a-z, 0-9 and _")
        .got("\"" + printable(id, 60) + "\"");
  }
  return id;
}

std::vector<std::pair<std::string, double>> states_from(JsonReader& signal) {
  const Json& object = signal.raw("states");
  JsonReader reader(object, signal.path_of("states"));
  if (object.empty()) throw signal.error("states", "no states").hint("for instance {\"angry\": 1}");
  if (object.size() > 64) throw signal.error("states", "too many states").expected("at most 64");
  std::vector<std::pair<std::string, double>> states;
  for (const auto& item : object.items()) {
    const double weight = reader.number(item.key());
    if (!(weight > 0 && weight <= 1)) {
      throw reader.error(item.key(), "out of range").expected("above 0, at most 1").got(Json(weight).dump());
    }
    states.emplace_back(item.key(), weight);
  }
  return states;
}

// Keys without a value of their own, such as "silence_s".
void marker(JsonReader& signal, const std::string& key) {
  if (!signal.boolean(key)) throw signal.error(key, "false means nothing").hint("leave the rule out instead");
}

double seconds_over(JsonReader& signal, const std::string& key) {
  if (!signal.has(key)) throw signal.error(key, "missing key").expected("seconds");
  return signal.number_in(key, 1, max_over_s, 1);
}

void signal_from_json(JsonReader& signal, Rule& rule) {
  if (signal.has("recovery_of")) {
    rule.signal = SignalKind::recovery;
    rule.other_rule = signal.text("recovery_of");
    rule.over_s = seconds_over(signal, "within_s");
  } else if (signal.has("strain_of")) {
    rule.signal = SignalKind::strain;
    rule.other_rule = signal.text("strain_of");
  } else if (signal.has("silence_s")) {
    rule.signal = SignalKind::silence;
    marker(signal, "silence_s");
  } else if (signal.has("overlap_share") || signal.has("loss_share")) {
    rule.signal = signal.has("overlap_share") ? SignalKind::overlap : SignalKind::loss;
    marker(signal, rule.signal == SignalKind::overlap ? "overlap_share" : "loss_share");
    rule.over_s = seconds_over(signal, "over_s");
  } else if (signal.has("trend")) {
    rule.signal = SignalKind::trend;
    rule.falling = signal.choice("trend", {"rising", "falling"}, "rising") == "falling";
    rule.states = states_from(signal);
    rule.over_s = seconds_over(signal, "over_s");
  } else if (signal.has("states")) {
    rule.states = states_from(signal);
    rule.signal = signal.has("average_s") ? SignalKind::average : SignalKind::states;
    if (rule.signal == SignalKind::average) rule.over_s = seconds_over(signal, "average_s");
  } else {
    throw signal.error("", "no signal")
        .expected("one of states, trend, recovery_of, silence_s, overlap_share, loss_share, strain_of");
  }
  signal.finish();
}

void levels_from_json(JsonReader& reader, Rule& rule) {
  const bool counts_time = rule.signal == SignalKind::silence || rule.signal == SignalKind::strain;
  const double most = rule.signal == SignalKind::silence ? max_seconds : counts_time ? max_minutes : 1.0;
  for (const char* key : {"raise_at", "clear_below"}) {
    if (counts_time && !reader.has(key)) {
      throw reader.error(key, "missing key").expected(rule.signal == SignalKind::silence ? "seconds" : "minutes");
    }
  }
  rule.raise_at = reader.number_in("raise_at", 0.001, most, rule.raise_at);
  rule.clear_below = reader.number_in("clear_below", 0.001, most, std::min(rule.clear_below, rule.raise_at));
  if (rule.clear_below > rule.raise_at) {
    throw reader.error("clear_below", "above raise_at")
        .expected("at most " + Json(rule.raise_at).dump())
        .got(Json(rule.clear_below).dump());
  }
}

void times_from_json(JsonReader& reader, Rule& rule, double min_show_s) {
  for (const char* key : {"windows", "min_speech_s", "clear_after_silence_s"}) {
    if (is_emotion(rule.signal) || !reader.has(key)) continue;
    throw reader.error(key, "means nothing to this signal").hint("only signals of emotion have windows of speech");
  }
  rule.windows = static_cast<int>(reader.integer_in("windows", 1, 1000, rule.windows));
  rule.min_speech_s = reader.number_in("min_speech_s", 0, max_over_s, rule.min_speech_s);
  rule.hold_s = reader.number_in("hold_s", 0, max_over_s, rule.hold_s);
  rule.clear_for_s = reader.number_in("clear_for_s", 0, max_over_s, rule.clear_for_s);
  rule.clear_after_silence_s = reader.number_in("clear_after_silence_s", 1, max_seconds, rule.clear_after_silence_s);
  rule.cooldown_s = reader.number_in("cooldown_s", 0, max_seconds, rule.cooldown_s);
  rule.show_for_s = reader.number_in("show_for_s", 1, max_seconds, rule.show_for_s);
  if (!rule.advice.empty() && rule.show_for_s < min_show_s) {
    throw reader.error("show_for_s", "below min_show_s")
        .expected("at least " + Json(min_show_s).dump())
        .got(Json(rule.show_for_s).dump());
  }
}

void escalation_from_json(JsonReader& reader, Rule& rule) {
  for (const char* key : {"escalate_after_s", "supervisor"}) {
    if (!rule.alert && reader.has(key)) {
      throw reader.error(key, "only alerts go to the supervisor").hint("set \"alert\": true");
    }
  }
  rule.escalate_after_s = reader.number_in("escalate_after_s", 0, max_seconds, 0);
  rule.supervisor = reader.boolean("supervisor", false);
  if (rule.supervisor && rule.escalate_after_s > 0) {
    throw reader.error("escalate_after_s", "the supervisor sees this rule at once").hint("remove one of the two keys");
  }
}

Rule rule_from_json(JsonReader& reader, double min_show_s) {
  Rule rule;
  rule.id = id_from(reader);
  rule.alert = reader.boolean("alert", false);
  const std::string severity = reader.choice("severity", {"info", "warning", "critical"}, "info");
  rule.severity = severity == "critical"  ? Severity::critical
                  : severity == "warning" ? Severity::warning
                                          : Severity::info;
  rule.priority = static_cast<int>(reader.integer_in("priority", 0, 100, 0));
  JsonReader signal = reader.object("signal");
  signal_from_json(signal, rule);
  rule.text = line_of(reader, "text", 80);
  rule.advice = line_of(reader, "advice", 160);
  rule.reason = line_of(reader, "reason", 160);
  check_fields(reader, rule.reason);
  if (rule.reason.empty()) throw reader.error("reason", "missing text").hint("the screen always shows why");
  if (rule.alert && rule.text.empty()) throw reader.error("text", "missing text").hint("it is what the alert says");
  if (!rule.alert && rule.advice.empty()) {
    throw reader.error("advice", "missing text").hint("a rule without alert shows its advice");
  }
  levels_from_json(reader, rule);
  times_from_json(reader, rule, min_show_s);
  escalation_from_json(reader, rule);
  reader.finish();
  return rule;
}

std::string rule_path(const JsonReader& reader, std::size_t i) {
  return reader.path_of("rules[" + std::to_string(i) + "]");
}

void check_ids(const JsonReader& reader, const Playbook& playbook) {
  std::set<std::string> ids;
  for (std::size_t i = 0; i < playbook.rules.size(); ++i) {
    const std::string& id = playbook.rules[i].id;
    if (!ids.insert(id).second) {
      throw Error(ErrorCode::input, rule_path(reader, i) + ".id", "another rule has this name").got("\"" + id + "\"");
    }
  }
}

// recovery_of and strain_of name rules that exist and that speak of a feeling.
void check_references(const JsonReader& reader, const Playbook& playbook) {
  std::vector<std::string> possible;
  for (const Rule& rule : playbook.rules) {
    if (rule.signal == SignalKind::states || rule.signal == SignalKind::average) possible.push_back(rule.id);
  }
  for (std::size_t i = 0; i < playbook.rules.size(); ++i) {
    const Rule& rule = playbook.rules[i];
    if (!names_rule(rule.signal)) continue;
    if (std::find(possible.begin(), possible.end(), rule.other_rule) != possible.end()) continue;
    const char* key = rule.signal == SignalKind::recovery ? ".signal.recovery_of" : ".signal.strain_of";
    throw Error(ErrorCode::input, rule_path(reader, i) + key, "no rule of states has this name")
        .expected(possible.empty() ? "a rule with a signal of states" : "one of " + joined(possible))
        .got("\"" + printable(rule.other_rule, 60) + "\"");
  }
}

std::string fixed(double value, int decimals) {
  std::array<char, 40> digits{};
  const double shown = std::isfinite(value) ? std::clamp(value, -1e9, 1e9) : 0.0;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), shown, std::chars_format::fixed, decimals);
  return std::string(digits.data(), end.ptr);
}

}  // namespace

Playbook playbook_from_json(JsonReader& reader) {
  Playbook playbook;
  playbook.min_show_s = reader.number_in("min_show_s", 0, 60, playbook.min_show_s);
  const Json& list = reader.raw("rules");
  if (!list.is_array()) {
    throw reader.error("rules", "wrong type").expected("array of rules").got(json_type(list));
  }
  if (list.size() > max_rules) {
    throw reader.error("rules", "too many rules")
        .expected("at most " + std::to_string(max_rules))
        .got(std::to_string(list.size()));
  }
  for (const Json& item : list) {
    JsonReader rule(item, rule_path(reader, playbook.rules.size()));
    playbook.rules.push_back(rule_from_json(rule, playbook.min_show_s));
  }
  check_ids(reader, playbook);
  check_references(reader, playbook);
  reader.finish();
  return playbook;
}

Playbook read_playbook(const std::string& path) {
  const Json json = read_json_file(path, 1u << 20);
  return with_context(path, [&] {
    JsonReader reader(json, "");
    return playbook_from_json(reader);
  });
}

const char* severity_name(Severity severity) noexcept {
  switch (severity) {
    case Severity::critical:
      return "critical";
    case Severity::warning:
      return "warning";
    case Severity::info:
      break;
  }
  return "info";
}

bool is_emotion(SignalKind kind) noexcept {
  return kind == SignalKind::states || kind == SignalKind::average || kind == SignalKind::trend ||
         kind == SignalKind::recovery;
}

std::vector<double> state_weights(const Rule& rule, const std::vector<std::string>& state_names) {
  std::vector<double> weights(state_names.size(), 0.0);
  for (const auto& [state, weight] : rule.states) {
    const auto found = std::find(state_names.begin(), state_names.end(), state);
    if (found != state_names.end()) {
      weights[static_cast<std::size_t>(found - state_names.begin())] = weight;
    } else if (std::find(usual_states.begin(), usual_states.end(), state) == usual_states.end()) {
      throw Error(ErrorCode::input, "rule " + rule.id + ": signal.states." + printable(state, 60), "unknown state")
          .expected("one of " + joined(state_names));
    }
  }
  return weights;
}

std::vector<std::string> sleeping_rules(const Playbook& playbook, const std::vector<std::string>& state_names) {
  const auto sleeps = [&](const Rule& rule) {
    return !rule.states.empty() && std::none_of(rule.states.begin(), rule.states.end(), [&](const auto& state) {
      return std::find(state_names.begin(), state_names.end(), state.first) != state_names.end();
    });
  };
  std::set<std::string> asleep;
  for (const Rule& rule : playbook.rules) {
    if (sleeps(rule)) asleep.insert(rule.id);
  }
  std::vector<std::string> ids;
  for (const Rule& rule : playbook.rules) {
    const bool follows = rule.signal == SignalKind::recovery && asleep.count(rule.other_rule) != 0;
    if (follows || asleep.count(rule.id) != 0) ids.push_back(rule.id);
  }
  return ids;
}

std::string reason_text(const Rule& rule, double value, std::int64_t for_ms) {
  const bool counts_time = rule.signal == SignalKind::silence || rule.signal == SignalKind::strain;
  const std::array<std::string, 3> values = {fixed(value, counts_time ? 0 : 2), fixed(100 * value, 0) + " %",
                                             fixed(static_cast<double>(for_ms) / 1000, 0)};
  std::string text;
  for (std::size_t i = 0; i < rule.reason.size();) {
    std::size_t k = 0;
    while (k < kFields.size() && !std::string_view(rule.reason).substr(i).starts_with(kFields[k])) ++k;
    if (k < kFields.size()) {
      text += values[k];
      i += kFields[k].size();
    } else {
      text += rule.reason[i++];
    }
  }
  return text;
}

}  // namespace serene
