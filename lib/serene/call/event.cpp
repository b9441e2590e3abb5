#include "serene/call/event.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "serene/call/call_model.h"
#include "serene/core/utf8.h"

namespace serene {

namespace {

// One JSON object, written straight into a string: a value built first would cost an allocation for every key.
class LineWriter {
 public:
  LineWriter() {
    line_.reserve(512);
    line_ += '{';
  }

  void number(std::string_view key, double value) {
    name(key);
    append(value);
  }
  void integer(std::string_view key, std::int64_t value) {
    name(key);
    append(value);
  }
  void boolean(std::string_view key, bool value) {
    name(key);
    line_ += value ? "true" : "false";
  }
  void text(std::string_view key, std::string_view value) {
    name(key);
    quote(value);
  }
  void open(std::string_view key, char bracket) {
    name(key);
    line_ += bracket;
    first_ = true;
  }
  void item(std::string_view value) {
    comma();
    quote(value);
  }
  void close(char bracket) {
    line_ += bracket;
    first_ = false;
  }
  std::string take() {
    line_ += '}';
    return std::move(line_);
  }

 private:
  void comma() {
    if (!first_) line_ += ',';
    first_ = false;
  }
  void name(std::string_view key) {
    comma();
    quote(key);
    line_ += ':';
  }
  void append(std::int64_t value) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    line_.append(digits.data(), end.ptr);
  }
  // At most 4 decimals, trailing zeros left out.
  void append(double value) {
    const std::int64_t scaled = std::isfinite(value) ? std::llround(std::clamp(value, -1e12, 1e12) * 1e4) : 0;
    const std::int64_t size = std::abs(scaled);
    if (scaled < 0) line_ += '-';
    append(size / 10000);
    std::int64_t rest = size % 10000;
    if (rest == 0) return;
    line_ += '.';
    for (std::int64_t digit = 1000; rest > 0; digit /= 10) {
      line_ += static_cast<char>('0' + rest / digit);
      rest %= digit;
    }
  }
  void quote(std::string_view value) {
    line_ += '"';
    for (std::size_t i = 0; i < value.size();) {
      const std::size_t length = utf8_length(value, i);
      const auto byte = static_cast<unsigned char>(value[i]);
      if (length == 0) {
        line_ += '?';
      } else if (byte < 0x20) {
        constexpr const char* hex = "0123456789abcdef";
        line_ += "\\u00";
        line_ += hex[byte >> 4];
        line_ += hex[byte & 15];
      } else {
        if (byte == '"' || byte == '\\') line_ += '\\';
        line_.append(value.substr(i, length));
      }
      i += std::max<std::size_t>(length, 1);
    }
    line_ += '"';
  }

  std::string line_;
  bool first_ = true;
};

std::string_view name_of_state(int state, const EventNames& names) {
  if (state == state_no_speech) return "no_speech";
  if (state < 0 || static_cast<std::size_t>(state) >= names.states.size()) return "uncertain";
  return names.states[static_cast<std::size_t>(state)].name;
}

const char* lamp_name(Lamp lamp) {
  switch (lamp) {
    case Lamp::good:
      return "good";
    case Lamp::fair:
      return "fair";
    case Lamp::poor:
      break;
  }
  return "poor";
}

const char* direction_name(Direction direction) {
  switch (direction) {
    case Direction::rising:
      return "rising";
    case Direction::falling:
      return "falling";
    case Direction::steady:
      break;
  }
  return "steady";
}

void write_call(LineWriter& line, const Event& e, const EventNames& names) {
  if (e.action == EventAction::end) {
    line.text("reason", e.reason);
    line.integer("customer_speech_ms", e.leg_speech_ms[0]);
    line.integer("agent_speech_ms", e.leg_speech_ms[1]);
    return;
  }
  line.text("model", names.model);
  line.open("states", '[');
  for (const StateGroup& state : names.states) line.item(state.name);
  line.close(']');
  line.open("negative", '{');
  for (const StateGroup& state : names.states) line.number(state.name, state.negative);
  line.close('}');
  line.boolean("agent_leg", e.agent_leg);
  line.boolean("consent", e.consent);
}

void write_shares(LineWriter& line, std::string_view key, const std::array<double, max_states>& values,
                  const EventNames& names) {
  line.open(key, '{');
  for (std::size_t i = 0; i < std::min(names.states.size(), values.size()); ++i) {
    line.number(names.states[i].name, values[i]);
  }
  line.close('}');
}

void write_emotion(LineWriter& line, const Event& e, const EventNames& names) {
  line.text("state", name_of_state(e.state, names));
  line.text("top", name_of_state(e.top, names));
  line.number("confidence", e.confidence);
  write_shares(line, "probabilities", e.probabilities, names);
  write_shares(line, "window", e.window, names);
  line.integer("window_ms", e.window_ms);
  line.integer("speech_ms", e.speech_ms);
}

void write_rule(LineWriter& line, const Event& e, const EventNames& names) {
  const auto& rules = names.playbook.rules;
  static const Rule unknown;
  const bool known = e.rule >= 0 && static_cast<std::size_t>(e.rule) < rules.size();
  const Rule& rule = known ? rules[static_cast<std::size_t>(e.rule)] : unknown;
  const bool over = e.action == EventAction::cleared || e.action == EventAction::withdrawn;
  if (e.type == EventType::alert) line.integer("alert", e.alert);
  line.text("rule", rule.id);
  line.text("severity", severity_name(rule.severity));
  line.text("text", e.type == EventType::alert ? rule.text : rule.advice);
  line.text("reason", over ? std::string() : reason_text(rule, e.value, e.duration_ms));
  line.number("value", e.value);
  line.integer("for_ms", e.duration_ms);
  if (e.type == EventType::alert) line.boolean("supervisor", e.supervisor);
}

void write_quality(LineWriter& line, const Event& e) {
  line.text("leg", leg_name(e.leg));
  line.text("lamp", lamp_name(e.lamp));
  line.number("level_dbfs", e.level_dbfs);
  line.number("snr_db", e.snr_db);
  line.number("clipping", e.clipping);
  line.number("loss", e.loss);
  line.boolean("band_limited", e.band_limited);
  line.integer("bad_samples", e.bad_samples);
}

void write_state(LineWriter& line, const Event& e, const EventNames& names) {
  line.text("state", name_of_state(e.state, names));
  line.text("previous", name_of_state(e.previous, names));
  line.number("confidence", e.confidence);
}

void write_trend(LineWriter& line, const Event& e) {
  line.text("direction", direction_name(e.direction));
  line.number("negative", e.negative);
  line.number("slope_per_min", e.slope_per_min);
}

}  // namespace

const char* leg_name(Leg leg) noexcept { return leg == Leg::agent ? "agent" : "customer"; }

const char* type_name(EventType type) noexcept {
  switch (type) {
    case EventType::call:
      return "call";
    case EventType::speech:
      return "speech";
    case EventType::overlap:
      return "overlap";
    case EventType::silence:
      return "silence";
    case EventType::emotion:
      return "emotion";
    case EventType::state:
      return "state";
    case EventType::trend:
      return "trend";
    case EventType::alert:
      return "alert";
    case EventType::advice:
      return "advice";
    case EventType::quality:
      return "quality";
    case EventType::consent:
      return "consent";
  }
  return "unknown";
}

const char* action_name(EventAction action) noexcept {
  switch (action) {
    case EventAction::none:
      return "none";
    case EventAction::start:
      return "start";
    case EventAction::stop:
      return "stop";
    case EventAction::end:
      return "end";
    case EventAction::raised:
      return "raised";
    case EventAction::escalated:
      return "escalated";
    case EventAction::acknowledged:
      return "acknowledged";
    case EventAction::cleared:
      return "cleared";
    case EventAction::shown:
      return "shown";
    case EventAction::withdrawn:
      return "withdrawn";
    case EventAction::given:
      return "given";
  }
  return "unknown";
}

EventNames event_names(const CallModel& model) {
  const auto& notes = model.recognizer().notes();
  const auto name = notes.find("name");
  return {name == notes.end() ? std::string_view() : std::string_view(name->second), model.states(), model.playbook()};
}

std::string event_line(const Event& e, const EventNames& names) {
  LineWriter line;
  line.integer("seq", e.sequence);
  line.integer("t_ms", e.t_ms);
  line.text("type", type_name(e.type));
  if (e.type == EventType::speech) line.text("leg", leg_name(e.leg));
  if (e.action != EventAction::none) line.text("action", action_name(e.action));
  switch (e.type) {
    case EventType::call:
      write_call(line, e, names);
      break;
    case EventType::speech:
      line.integer("at_ms", e.at_ms);
      break;
    case EventType::overlap:
    case EventType::silence:
      line.integer("at_ms", e.at_ms);
      if (e.action == EventAction::stop) line.integer("duration_ms", e.duration_ms);
      break;
    case EventType::emotion:
      write_emotion(line, e, names);
      break;
    case EventType::state:
      write_state(line, e, names);
      break;
    case EventType::trend:
      write_trend(line, e);
      break;
    case EventType::alert:
    case EventType::advice:
      write_rule(line, e, names);
      break;
    case EventType::quality:
      write_quality(line, e);
      break;
    case EventType::consent:
      break;
  }
  return line.take();
}

std::string event_line(const Event& event, const CallModel& model) { return event_line(event, event_names(model)); }

}  // namespace serene
