#include "serene/call/calls_overview.h"

#include <algorithm>
#include <cmath>
#include <ctime>

namespace serene {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double in_seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000; }

struct HourAndDay {
  std::size_t hour = 0, weekday = 0;
};

HourAndDay hour_and_day(const std::string& started_at, bool utc) {
  const std::time_t moment = static_cast<std::time_t>(unix_seconds(started_at, "started_at"));
  std::tm parts{};
  if (utc) {
    gmtime_r(&moment, &parts);
  } else {
    localtime_r(&moment, &parts);
  }
  return {static_cast<std::size_t>(parts.tm_hour), static_cast<std::size_t>((parts.tm_wday + 6) % 7)};
}

// negative holds the sum over windows until finish().
struct SlotSums {
  std::int64_t windows = 0;
  void add(TimeSlot& slot, const CallSummary& call) {
    ++slot.calls;
    slot.speech_ms += call.speech[0].total_ms;
    slot.alerts += static_cast<std::int64_t>(call.alerts.size());
    slot.negative += call.negative_mean * static_cast<double>(call.windows);
    windows += call.windows;
  }
  void finish(TimeSlot& slot) const {
    slot.negative = windows > 0 ? slot.negative / static_cast<double>(windows) : 0;
    slot.alerts_per_hour =
        slot.speech_ms > 0 ? static_cast<double>(slot.alerts) * 3.6e6 / static_cast<double>(slot.speech_ms) : 0;
  }
};

void add_slots(CallsOverview& o, std::span<const CallSummary> calls, bool utc) {
  std::array<SlotSums, 24> hours;
  std::array<SlotSums, 7> weekdays;
  for (const CallSummary& call : calls) {
    const HourAndDay at = hour_and_day(call.started_at, utc);
    hours[at.hour].add(o.hours[at.hour], call);
    weekdays[at.weekday].add(o.weekdays[at.weekday], call);
  }
  for (std::size_t i = 0; i < hours.size(); ++i) hours[i].finish(o.hours[i]);
  for (std::size_t i = 0; i < weekdays.size(); ++i) weekdays[i].finish(o.weekdays[i]);
}

void add_shares(CallsOverview& o, std::span<const CallSummary> calls) {
  std::map<std::string, std::size_t> place;
  for (const CallSummary& call : calls) {
    for (const StateShare& share : call.shares) {
      const auto [found, is_new] = place.emplace(share.state, o.shares.size());
      if (is_new) o.shares.push_back({share.state, 0, 0, 0, 0});
      o.shares[found->second].speech_ms += share.speech_ms;
      o.shares[found->second].call_ms += share.call_ms;
    }
  }
  // Calls of different models have different states; those that belong to no model stand last.
  std::stable_partition(o.shares.begin(), o.shares.end(),
                        [](const StateShare& s) { return s.state != "uncertain" && s.state != "no_speech"; });
  for (StateShare& share : o.shares) {
    if (o.speech_ms > 0) share.of_speech = static_cast<double>(share.speech_ms) / static_cast<double>(o.speech_ms);
    if (o.duration_ms > 0) share.of_call = static_cast<double>(share.call_ms) / static_cast<double>(o.duration_ms);
  }
}

void add_rules(CallsOverview& o, std::span<const CallSummary> calls) {
  struct Times {
    RuleFigures figures;
    std::vector<double> acknowledge, clear;
  };
  std::map<std::string, Times> rules;
  for (const CallSummary& call : calls) {
    for (const AlertEntry& a : call.alerts) {
      Times& t = rules[a.rule];
      ++t.figures.raised;
      t.figures.escalated += a.escalated_ms.has_value();
      if (a.acknowledged_ms) t.acknowledge.push_back(in_seconds(*a.acknowledged_ms - a.raised_ms));
      // What only the end of the call closed did not clear.
      if (a.cleared_ms && *a.cleared_ms < call.duration_ms) t.clear.push_back(in_seconds(*a.cleared_ms - a.raised_ms));
    }
  }
  for (auto& [rule, t] : rules) {
    t.figures.rule = rule;
    t.figures.acknowledged = static_cast<std::int64_t>(t.acknowledge.size());
    t.figures.cleared = static_cast<std::int64_t>(t.clear.size());
    t.figures.acknowledge_median_s = median(t.acknowledge);
    t.figures.cleared_median_s = median(t.clear);
    o.rules.push_back(t.figures);
  }
}

void add_feelings(CallsOverview& o, std::span<const CallSummary> calls) {
  std::vector<double> recoveries;
  for (const CallSummary& call : calls) {
    o.anger += call.anger, o.recovered += call.recovered;
    if (call.recovered) recoveries.push_back(in_seconds(call.recovery_ms));
    if (!call.recognised) continue;
    ++o.recognised;
    ++o.start_end[{call.feeling_start, call.feeling_end}];
    o.negative_start += call.negative_start, o.negative_end += call.negative_end;
  }
  if (o.recognised > 0) {
    o.negative_start /= static_cast<double>(o.recognised), o.negative_end /= static_cast<double>(o.recognised);
  }
  o.recovery_median_s = median(recoveries);
  for (const double s : recoveries) o.recovery_longest_s = std::max(o.recovery_longest_s, s);
}

Json slot_json(const TimeSlot& slot) {
  const auto rounded = [](double v) { return std::round(v * 1e4) / 1e4; };
  return Json{{"calls", slot.calls},
              {"speech_ms", slot.speech_ms},
              {"negative", rounded(slot.negative)},
              {"alerts", slot.alerts},
              {"alerts_per_hour", rounded(slot.alerts_per_hour)}};
}

}  // namespace

const char* weekday_name(int day) {
  constexpr const char* names[] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};
  return names[std::clamp(day, 0, 6)];
}

CallsOverview overview_of(std::span<const CallSummary> calls, bool utc) {
  CallsOverview o;
  for (const CallSummary& call : calls) {
    ++o.calls;
    o.incomplete += !call.complete;
    if (o.first.empty() || call.started_at < o.first) o.first = call.started_at;
    o.last = std::max(o.last, call.started_at);
    o.duration_ms += call.duration_ms, o.speech_ms += call.speech[0].total_ms;
    const LegQuality& q = call.quality[0];
    o.quality_readings += q.readings, o.quality_fair += q.fair, o.quality_poor += q.poor;
    o.poor_calls += q.readings > 0 && 4 * q.poor >= q.readings;
  }
  add_shares(o, calls);
  add_slots(o, calls, utc);
  add_feelings(o, calls);
  add_rules(o, calls);
  return o;
}

Json to_json(const CallsOverview& o) {
  const auto rounded = [](double v) { return std::round(v * 1e4) / 1e4; };
  Json json{{"calls", o.calls}, {"incomplete", o.incomplete},   {"recognised", o.recognised}, {"first", o.first},
            {"last", o.last},   {"duration_ms", o.duration_ms}, {"speech_ms", o.speech_ms}};
  Json shares = Json::array(), table = Json::array(), hours = Json::array(), days = Json::array(),
       rules = Json::array();
  for (const StateShare& s : o.shares) {
    shares.push_back(Json{{"state", s.state},
                          {"speech_ms", s.speech_ms},
                          {"of_speech", rounded(s.of_speech)},
                          {"call_ms", s.call_ms},
                          {"of_call", rounded(s.of_call)}});
  }
  for (const auto& [pair, count] : o.start_end) {
    table.push_back(Json{{"start", pair.first}, {"end", pair.second}, {"calls", count}});
  }
  for (std::size_t i = 0; i < o.hours.size(); ++i) {
    Json slot{{"hour", i}};
    slot.update(slot_json(o.hours[i]));
    hours.push_back(slot);
  }
  for (std::size_t i = 0; i < o.weekdays.size(); ++i) {
    Json slot{{"weekday", weekday_name(static_cast<int>(i))}};
    slot.update(slot_json(o.weekdays[i]));
    days.push_back(slot);
  }
  for (const RuleFigures& r : o.rules) {
    rules.push_back(Json{{"rule", r.rule},
                         {"raised", r.raised},
                         {"acknowledged", r.acknowledged},
                         {"acknowledge_median_s", rounded(r.acknowledge_median_s)},
                         {"escalated", r.escalated},
                         {"cleared", r.cleared},
                         {"cleared_median_s", rounded(r.cleared_median_s)}});
  }
  json["shares"] = shares;
  json["feelings"] = table;
  json["negative_start"] = rounded(o.negative_start), json["negative_end"] = rounded(o.negative_end);
  json["hours"] = hours, json["weekdays"] = days;
  json["anger"] = Json{{"calls", o.anger},
                       {"recovered", o.recovered},
                       {"recovery_median_s", rounded(o.recovery_median_s)},
                       {"recovery_longest_s", rounded(o.recovery_longest_s)}};
  json["alerts"] = rules;
  json["quality"] = Json{{"readings", o.quality_readings},
                         {"fair", o.quality_fair},
                         {"poor", o.quality_poor},
                         {"poor_calls", o.poor_calls}};
  return json;
}

}  // namespace serene
