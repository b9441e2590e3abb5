#include "call_screen.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "serene/eval/text_table.h"

namespace serene::cli {
namespace {

constexpr std::size_t kTrendPoints = 240;
constexpr std::size_t kMostAlerts = 50;
constexpr std::int64_t kLaneMs = 120'000;  // of speech that is kept for the lanes

}  // namespace

std::string text_in(const Json& event, const std::string& key, std::size_t max_chars) {
  const auto at = event.find(key);
  return at != event.end() && at->is_string() ? printable(at->get_ref<const std::string&>(), max_chars) : "";
}

double number_in(const Json& event, const std::string& key) {
  const auto at = event.find(key);
  const double value = at != event.end() && at->is_number() ? at->get<double>() : 0;
  return std::isfinite(value) ? value : 0;
}

std::int64_t integer_in(const Json& event, const std::string& key) {
  const auto at = event.find(key);
  return at != event.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
}

std::string clock_text(std::int64_t t_ms) {
  const std::int64_t tenths = std::max<std::int64_t>(0, t_ms) / 100;
  const long long hours = tenths / 36000, minutes = tenths / 600 % 60, seconds = tenths / 10 % 60, rest = tenths % 10;
  char text[64];
  if (hours > 0) {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld.%lld", hours, minutes, seconds, rest);
  } else {
    std::snprintf(text, sizeof text, "%02lld:%02lld.%lld", minutes, seconds, rest);
  }
  return text;
}

const char* state_icon(const std::string& state, bool utf8) {
  struct Icon {
    const char *state, *symbol, *plain;
  };
  static constexpr Icon kIcons[] = {
      {"angry", "▲", "!!"},     {"disgust", "◆", "! "},   {"fearful", "◇", "~!"},   {"sad", "▼", ":("},
      {"happy", "●", ":)"},     {"neutral", "■", "= "},   {"surprised", "★", "! "}, {"boredom", "□", ". "},
      {"uncertain", "?", "? "}, {"no_speech", "–", "- "},
  };
  for (const Icon& icon : kIcons) {
    if (state == icon.state) return utf8 ? icon.symbol : icon.plain;
  }
  return utf8 ? "○" : "o ";
}

void SpeechLane::stop(std::int64_t at_ms) {
  if (!spans.empty() && spans.back().second < 0) spans.back().second = std::max(at_ms, spans.back().first);
}

void SpeechLane::forget(std::int64_t before_ms) {
  while (!spans.empty() && spans.front().second >= 0 && spans.front().second < before_ms) spans.pop_front();
}

double SpeechLane::share(std::int64_t from_ms, std::int64_t to_ms, std::int64_t now_ms) const {
  std::int64_t speech = 0;
  for (const auto& [start, stop] : spans) {
    const std::int64_t low = std::max(start, from_ms), high = std::min(stop < 0 ? now_ms : stop, to_ms);
    speech += std::max<std::int64_t>(0, high - low);
  }
  return to_ms > from_ms ? static_cast<double>(speech) / static_cast<double>(to_ms - from_ms) : 0;
}

const ShownAlert* CallScreen::worst_alert() const {
  const auto rank = [](const ShownAlert& a) { return a.severity == "critical" ? 2 : a.severity == "warning" ? 1 : 0; };
  const ShownAlert* worst = nullptr;
  for (const ShownAlert& a : alerts) {
    if (worst == nullptr || rank(a) > rank(*worst)) worst = &a;
  }
  return worst;
}

void CallScreen::on_emotion(const Json& event) {
  top = text_in(event, "top", 24);
  confidence = number_in(event, "confidence");
  state = text_in(event, "state", 24);
  const auto list = event.find("probabilities");
  if (list == event.end() || !list->is_object() || list->size() > max_states) return;
  probabilities.clear();
  double unpleasant = 0;
  for (const auto& [name, p] : list->items()) {
    probabilities.emplace_back(printable(name, 24), number_in(*list, name));
    const auto weight = negative.find(name);
    if (weight != negative.end()) unpleasant += weight->second * probabilities.back().second;
  }
  trend.push_back(std::clamp(unpleasant, 0.0, 1.0));
  if (trend.size() > kTrendPoints) trend.pop_front();
}

void CallScreen::on_alert(const Json& event, const std::string& action) {
  const std::int64_t number = integer_in(event, "alert");
  std::erase_if(alerts, [&](const ShownAlert& a) { return a.number == number; });
  if (action == "cleared") return;
  alerts.push_back({number, integer_in(event, "t_ms"), text_in(event, "severity", 16), text_in(event, "text"),
                    text_in(event, "reason"), action});
  if (alerts.size() > kMostAlerts) alerts.pop_front();
}

void CallScreen::event(const Json& event) {
  const std::string type = text_in(event, "type", 16), action = text_in(event, "action", 16);
  const std::size_t leg = text_in(event, "leg", 16) == "agent" ? 1 : 0;
  t_ms = std::max(t_ms, integer_in(event, "t_ms"));
  for (SpeechLane& lane : lanes) lane.forget(t_ms - kLaneMs);
  if (type == "call" && action == "start") {
    const auto weights = event.find("negative");
    if (weights != event.end() && weights->is_object()) {
      for (const auto& [name, weight] : weights->items()) negative[name] = number_in(*weights, name);
    }
    const auto agent = event.find("agent_leg");
    agent_leg = agent == event.end() || *agent != false;
    const auto given = event.find("consent");
    consent = given == event.end() || *given != false;
  } else if (type == "call") {
    ended = true;
    ending = text_in(event, "reason", 24);
  } else if (type == "speech") {
    action == "start" ? lanes[leg].start(integer_in(event, "at_ms")) : lanes[leg].stop(integer_in(event, "at_ms"));
  } else if (type == "emotion") {
    on_emotion(event);
  } else if (type == "state") {
    state = text_in(event, "state", 24);
    confidence = number_in(event, "confidence");
  } else if (type == "trend") {
    direction = text_in(event, "direction", 16);
  } else if (type == "alert") {
    on_alert(event, action);
  } else if (type == "advice") {
    advice = action == "shown" ? text_in(event, "text") : "";
    advice_reason = action == "shown" ? text_in(event, "reason") : "";
  } else if (type == "consent") {
    consent = action == "given";
  } else if (type == "quality") {
    quality[leg] = text_in(event, "lamp", 16);
  }
}

}  // namespace serene::cli
