// A manager's questions over many calls: how feelings start and end, which hours are hardest, how often anger is
// calmed, whether alerts are seen. Figures of calls and hours; none of a person exists.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serene/call/call_summary.h"

namespace serene {

// Calls that started in one hour of the day or on one day of the week.
struct TimeSlot {
  std::int64_t calls = 0, speech_ms = 0, alerts = 0;
  double negative = 0;         // mean, weighted by the windows of each call
  double alerts_per_hour = 0;  // of the customers' speech
};

struct RuleFigures {
  std::string rule;
  std::int64_t raised = 0, acknowledged = 0, escalated = 0;
  double acknowledge_median_s = 0, cleared_median_s = 0;  // 0 without any
  std::int64_t cleared = 0;
};

struct CallsOverview {
  std::int64_t calls = 0, incomplete = 0, recognised = 0;
  std::string first, last;  // started_at
  std::int64_t duration_ms = 0, speech_ms = 0;
  std::vector<StateShare> shares;
  std::map<std::pair<std::string, std::string>, std::int64_t> start_end;  // of recognised calls
  double negative_start = 0, negative_end = 0;                            // means over recognised calls
  std::array<TimeSlot, 24> hours;
  std::array<TimeSlot, 7> weekdays;  // from Monday
  std::int64_t anger = 0, recovered = 0;
  double recovery_median_s = 0, recovery_longest_s = 0;
  std::vector<RuleFigures> rules;  // by name
  std::int64_t quality_readings = 0, quality_fair = 0, quality_poor = 0, poor_calls = 0;
};

// utc: hours and weekdays in UTC; otherwise in the time zone of this machine (TZ). Thread-safe.
CallsOverview overview_of(std::span<const CallSummary> calls, bool utc);
Json to_json(const CallsOverview& overview);
std::string overview_text(const CallsOverview& overview);
std::string overview_html(const CallsOverview& overview, const std::string& subtitle);

const char* weekday_name(int day);  // 0: Monday

}  // namespace serene
