#include "serene/server/strain.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace serene {
namespace {

constexpr std::int64_t break_s = 30 * 60, day_s = 86400;

std::vector<std::string> watched_rules(const Playbook& playbook) {
  std::vector<std::string> rules;
  for (const Rule& rule : playbook.rules) {
    if (rule.signal == SignalKind::strain) rules.push_back(rule.other_rule);
  }
  return rules;
}

bool rule_spoke(const std::string& line, const std::string& rule) {
  if (line.find(rule) == std::string::npos) return false;
  try {
    const Json event = parse_json(line, "event");
    if (!event.is_object() || event.value("rule", Json()) != rule) return false;
    const Json type = event.value("type", Json()), action = event.value("action", Json());
    return (type == "alert" && action == "raised") || (type == "advice" && action == "shown");
  } catch (const Error&) {  // a torn line says nothing
    return false;
  }
}

bool was_angry(const CallRecord& call, const std::vector<std::string>& rules) {
  return std::any_of(call.lines.begin(), call.lines.end(), [&](const std::string& line) {
    return std::any_of(rules.begin(), rules.end(), [&](const std::string& rule) { return rule_spoke(line, rule); });
  });
}

}  // namespace

double strain_before_min(const History& history, const Playbook& playbook, std::int64_t now_s) {
  const std::vector<std::string> rules = watched_rules(playbook);
  if (rules.empty()) return 0;
  if (now_s == 0) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    now_s = std::chrono::duration_cast<std::chrono::seconds>(now).count();
  }
  double minutes = 0;
  std::int64_t next_s = now_s;  // when the call after this one started
  for (const HistoryEntry& entry : history.list({utc_text(now_s - day_s), "", 0})) {
    const CallRecord& head = entry.header;
    if (head.reason.empty()) continue;
    const std::int64_t start_s = unix_seconds(head.started_at, "call " + head.id);
    if (next_s - (start_s + entry.duration_ms / 1000) >= break_s) break;
    if (!was_angry(history.get(head.id), rules)) break;
    minutes += static_cast<double>(entry.duration_ms) / 60000;
    next_s = start_s;
  }
  return std::clamp(minutes, 0.0, 1440.0);
}

}  // namespace serene
