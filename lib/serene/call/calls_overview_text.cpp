#include <algorithm>
#include <set>

#include "serene/call/call_picture.h"
#include "serene/call/call_report.h"
#include "serene/call/calls_overview.h"
#include "serene/eval/charts.h"
#include "serene/eval/html_report.h"
#include "serene/eval/report.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

// A table that becomes text or HTML.
struct Table {
  std::string caption;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::string empty;  // said instead when there are no rows
};

std::string share(double fraction) { return fixed(100 * fraction, 1) + " %"; }
std::string hours_text(std::int64_t ms) { return fixed(static_cast<double>(ms) / 3.6e6, 2) + " h"; }
std::string part(std::int64_t some, std::int64_t all) {
  return all > 0 ? share(static_cast<double>(some) / static_cast<double>(all)) : "-";
}
std::string seconds(std::int64_t count, double value) { return count > 0 ? fixed(value, 1) + " s" : "-"; }

Table figures(const CallsOverview& o) {
  return {"Calls",
          {"what", "value"},
          {{"calls", std::to_string(o.calls)},
           {"without an end", std::to_string(o.incomplete)},
           {"with emotion estimated", std::to_string(o.recognised)},
           {"length of all calls", hours_text(o.duration_ms)},
           {"customers' speech", hours_text(o.speech_ms)},
           {"unpleasant at start, mean", share(o.negative_start)},
           {"unpleasant at end, mean", share(o.negative_end)},
           {"calls with anger", std::to_string(o.anger) + " (" + part(o.anger, o.recognised) + ")"},
           {"anger that eased", std::to_string(o.recovered) + " (" + part(o.recovered, o.anger) + ")"},
           {"time to ease, median", seconds(o.recovered, o.recovery_median_s)},
           {"time to ease, longest", seconds(o.recovered, o.recovery_longest_s)}},
          ""};
}

// Rows: how calls start; columns: how they end.
Table feelings(const CallsOverview& o) {
  std::vector<std::string> states;
  for (const StateShare& s : o.shares) {
    const bool seen = std::any_of(o.start_end.begin(), o.start_end.end(), [&](const auto& entry) {
      return entry.first.first == s.state || entry.first.second == s.state;
    });
    if (seen) states.push_back(s.state);
  }
  Table table{"How feelings start (rows) and end (columns), calls", {"start \\ end"}, {}, "No emotion was estimated."};
  for (const std::string& state : states) table.header.push_back(state_words(state));
  for (const std::string& start : states) {
    std::vector<std::string> row{state_words(start)};
    for (const std::string& end : states) {
      const auto found = o.start_end.find({start, end});
      row.push_back(found == o.start_end.end() ? "0" : std::to_string(found->second));
    }
    table.rows.push_back(row);
  }
  return table;
}

Table shares(const CallsOverview& o) {
  Table table{"Share of time per state", {"state", "of speech", "of calls"}, {}, "No time was recorded."};
  for (const StateShare& s : o.shares) {
    table.rows.push_back({state_words(s.state), share(s.of_speech), share(s.of_call)});
  }
  return table;
}

std::vector<std::string> slot_row(const std::string& name, const TimeSlot& slot) {
  return {name, std::to_string(slot.calls), share(slot.negative), std::to_string(slot.alerts),
          fixed(slot.alerts_per_hour, 1)};
}

std::string hour_name(std::size_t hour) { return (hour < 10 ? "0" : "") + std::to_string(hour) + ":00"; }

Table by_hour(const CallsOverview& o) {
  Table table{"By hour of the day in which calls start",
              {"hour", "calls", "unpleasant", "alerts", "per hour of speech"},
              {},
              "No calls."};
  for (std::size_t h = 0; h < o.hours.size(); ++h) {
    if (o.hours[h].calls > 0) table.rows.push_back(slot_row(hour_name(h), o.hours[h]));
  }
  return table;
}

Table by_weekday(const CallsOverview& o) {
  Table table{"By day of the week", {"day", "calls", "unpleasant", "alerts", "per hour of speech"}, {}, "No calls."};
  for (std::size_t d = 0; d < o.weekdays.size(); ++d) {
    if (o.weekdays[d].calls > 0) table.rows.push_back(slot_row(weekday_name(static_cast<int>(d)), o.weekdays[d]));
  }
  return table;
}

Table alerts(const CallsOverview& o) {
  Table table{
      "Alerts by rule",
      {"rule", "raised", "acknowledged", "after (median)", "to supervisor", "cleared in call", "after (median)"},
      {},
      "No alert was raised."};
  for (const RuleFigures& r : o.rules) {
    table.rows.push_back({printable(r.rule, 40), std::to_string(r.raised), part(r.acknowledged, r.raised),
                          seconds(r.acknowledged, r.acknowledge_median_s), std::to_string(r.escalated),
                          part(r.cleared, r.raised), seconds(r.cleared, r.cleared_median_s)});
  }
  return table;
}

Table quality(const CallsOverview& o) {
  const std::int64_t good = o.quality_readings - o.quality_fair - o.quality_poor;
  return {"Quality of the customers' sound",
          {"what", "value"},
          {{"good", part(good, o.quality_readings)},
           {"fair", part(o.quality_fair, o.quality_readings)},
           {"poor", part(o.quality_poor, o.quality_readings)},
           {"calls poor for a quarter of their time or more", std::to_string(o.poor_calls)}},
          ""};
}

std::string as_text(const Table& table) {
  if (table.rows.empty()) return table.caption + "\n  " + table.empty + "\n\n";
  TextTable text(table.header);
  for (const auto& row : table.rows) text.row(row);
  return table.caption + "\n" + text.str() + "\n";
}

void put(HtmlReport& page, const Table& table) {
  if (table.rows.empty()) {
    page.paragraph(table.empty);
  } else {
    page.table(table.caption, table.header, table.rows);
  }
}

template <std::size_t N, class Name>
std::string slots_chart(const std::array<TimeSlot, N>& slots, const std::string& title, const Name& name) {
  BarChart chart;
  chart.title = title;
  chart.y_label = "unpleasant states (%)";
  for (std::size_t i = 0; i < N; ++i) chart.bars.push_back({name(i), 100 * slots[i].negative, {}, {}, 1});
  return bar_chart(chart);
}

}  // namespace

std::string overview_text(const CallsOverview& o) {
  std::string text;
  for (const Table& table : {figures(o), feelings(o), shares(o), by_hour(o), by_weekday(o), alerts(o), quality(o)}) {
    text += as_text(table);
  }
  return text + "Figures of calls and hours; none of a person exists.\n";
}

std::string overview_html(const CallsOverview& o, const std::string& subtitle) {
  HtmlReport page("Calls", subtitle);
  page.heading("In figures");
  put(page, figures(o));
  page.heading("How feelings start and end");
  put(page, feelings(o));
  page.heading("Share of time per state");
  if (o.duration_ms > 0) {
    page.figure(shares_picture(o.shares, "Share of time per state, all calls"),
                "Above: of the customers' speech. Below: of the calls.");
  }
  put(page, shares(o));
  page.heading("Which hours are hardest");
  if (o.calls > 0) {
    page.figure(slots_chart(o.hours, "Share of unpleasant states by hour of the day",
                            [](std::size_t h) { return std::to_string(h); }),
                "Mean over the windows of the customers' speech in calls that start in the hour.");
    page.figure(slots_chart(o.weekdays, "Share of unpleasant states by day of the week",
                            [](std::size_t d) { return std::string(weekday_name(static_cast<int>(d))).substr(0, 3); }),
                "The same by day of the week.");
  }
  put(page, by_hour(o));
  put(page, by_weekday(o));
  page.heading("Alerts");
  put(page, alerts(o));
  page.heading("Quality of the sound");
  put(page, quality(o));
  page.heading("What the figures mean, and what not");
  page.paragraph(ai_notice());
  page.paragraph(limits_statement());
  return page.str();
}

}  // namespace serene
