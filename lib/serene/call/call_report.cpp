#include "serene/call/call_report.h"

#include <algorithm>

#include "serene/call/call_picture.h"
#include "serene/eval/html_report.h"
#include "serene/eval/report.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

std::string plain_seconds(std::int64_t ms) { return fixed(static_cast<double>(ms) / 1000, 1); }
std::string seconds(std::int64_t ms) { return plain_seconds(ms) + " s"; }
std::string share(double fraction) { return fixed(100 * fraction, 1) + " %"; }
std::string moment(const std::optional<std::int64_t>& ms) { return ms ? clock_text(*ms) : "-"; }

std::string reason_words(const CallSummary& s) {
  if (!s.complete) return "The record stops without an end: the call was dropped.";
  if (s.reason == "hang_up") return "The customer hung up.";
  return "The call ended as usual.";
}

// The call in two or three sentences.
std::string in_short(const CallSummary& s) {
  std::string text = "A call of " + clock_text(s.duration_ms) + " minutes, " + clock_text(s.speech[0].total_ms) +
                     " of them the customer's speech. ";
  if (s.duration_ms >= 3600000) text = "A call of " + clock_text(s.duration_ms) + " hours. ";
  if (s.recognised) {
    text += "The customer's voice sounded " + state_words(s.feeling_start) + " at the start and " +
            state_words(s.feeling_end) + " at the end. ";
    if (s.anger && s.recovered) text += "Anger was heard and eased within " + seconds(s.recovery_ms) + ". ";
    if (s.anger && !s.recovered) text += "Anger was heard and did not ease before the end. ";
  } else {
    text += "The customer's emotion was not estimated. ";
  }
  return text + reason_words(s);
}

void add_figures(HtmlReport& page, const CallSummary& s) {
  std::vector<std::vector<std::string>> rows = {
      {"Length", clock_text(s.duration_ms)},
      {"Windows of speech the model saw", std::to_string(s.windows)},
      {"Alerts", std::to_string(s.alerts.size())},
      {"Pieces of advice shown", std::to_string(s.advice.size())},
  };
  if (s.recognised) {
    rows.push_back({"Feeling at start, end", state_words(s.feeling_start) + ", " + state_words(s.feeling_end)});
    rows.push_back({"Share of unpleasant states at start, end, mean",
                    share(s.negative_start) + ", " + share(s.negative_end) + ", " + share(s.negative_mean)});
    const TimeSpan& worst = s.longest_negative;
    rows.push_back({"Longest unpleasant stretch", worst.length() == 0 ? "none"
                                                                      : seconds(worst.length()) + ", from " +
                                                                            clock_text(worst.from_ms) + " to " +
                                                                            clock_text(worst.to_ms)});
    rows.push_back({"Recovery after anger", !s.anger      ? "no anger was heard"
                                            : s.recovered ? "after " + seconds(s.recovery_ms)
                                                          : "none before the end"});
  }
  page.table("The call in figures", {"what", "value"}, rows);
}

void add_shares(HtmlReport& page, const CallSummary& s) {
  page.heading("Share of time per state");
  page.figure(shares_picture(s.shares, "Share of time per state"),
              "Above: of the customer's speech. Below: of the whole call, where a state stands until the next one.");
  std::vector<std::vector<std::string>> rows;
  for (const StateShare& x : s.shares) {
    rows.push_back({state_words(x.state), plain_seconds(x.speech_ms), share(x.of_speech), plain_seconds(x.call_ms),
                    share(x.of_call)});
  }
  page.table("Share of time per state", {"state", "speech (s)", "of speech", "call (s)", "of call"}, rows);
}

void add_turning_points(HtmlReport& page, const CallSummary& s) {
  page.heading("Turning points");
  std::vector<std::vector<std::string>> rows;
  for (const TurningPoint& p : s.turning_points) {
    const std::string what = p.kind == "state"  ? "from " + state_words(p.from) + " to " + state_words(p.to)
                             : p.kind == "peak" ? "unpleasantness peaked"
                                                : "unpleasantness was lowest";
    rows.push_back({clock_text(p.t_ms), what, share(p.negative)});
  }
  if (rows.empty())
    page.paragraph("No state change lasted three seconds, and the level of unpleasant states kept its course.");
  if (!rows.empty()) page.table("What changed, and when", {"at", "what", "share of unpleasant states"}, rows);
}

void add_alerts(HtmlReport& page, const CallSummary& s) {
  page.heading("Alerts and advice");
  std::vector<std::vector<std::string>> rows, advice;
  for (const AlertEntry& a : s.alerts) {
    const bool by_end = a.cleared_ms && *a.cleared_ms >= s.duration_ms;
    rows.push_back({std::to_string(a.number), clock_text(a.raised_ms), a.severity, a.text, a.reason,
                    moment(a.acknowledged_ms), moment(a.escalated_ms), by_end ? "end of call" : moment(a.cleared_ms)});
  }
  for (const AdviceEntry& a : s.advice) {
    advice.push_back({clock_text(a.shown_ms), moment(a.withdrawn_ms), a.text, a.reason});
  }
  if (rows.empty()) page.paragraph("No alert was raised.");
  if (!rows.empty()) {
    page.table("Alerts", {"number", "raised", "severity", "alert", "why", "acknowledged", "to supervisor", "cleared"},
               rows);
  }
  if (advice.empty()) page.paragraph("No advice was shown.");
  if (!advice.empty())
    page.table("Advice shown to the agent, about the customer", {"shown", "until", "advice", "why"}, advice);
}

void add_talk(HtmlReport& page, const CallSummary& s) {
  page.heading("Course of the talk");
  const auto row = [&](const std::string& name, const Stretches& x) {
    const double part = s.duration_ms > 0 ? static_cast<double>(x.total_ms) / static_cast<double>(s.duration_ms) : 0;
    return std::vector<std::string>{name, plain_seconds(x.total_ms), share(part), plain_seconds(x.longest_ms),
                                    std::to_string(x.count)};
  };
  std::vector<std::vector<std::string>> rows = {row("customer speaks", s.speech[0])};
  if (s.agent_leg) rows.push_back(row("agent speaks", s.speech[1]));
  rows.push_back(row("nobody speaks", s.silence));
  if (s.agent_leg) rows.push_back(row("both speak", s.overlap));
  page.table("Who spoke when; for silence and overlap the last column counts those long enough to be reported",
             {"what", "in all (s)", "of the call", "longest (s)", "times"}, rows);
}

void add_quality(HtmlReport& page, const CallSummary& s) {
  page.heading("Quality of the sound");
  std::vector<std::vector<std::string>> rows;
  for (std::size_t leg = 0; leg < leg_count; ++leg) {
    const LegQuality& q = s.quality[leg];
    if (q.readings == 0) continue;
    rows.push_back({leg_name(static_cast<Leg>(leg)), std::to_string(q.readings),
                    std::to_string(q.readings - q.fair - q.poor), std::to_string(q.fair), std::to_string(q.poor),
                    fixed(q.level_dbfs, 1), fixed(q.snr_db, 1), share(q.worst_clipping), share(q.worst_loss),
                    q.band_limited ? "telephone" : "full", std::to_string(q.bad_samples)});
  }
  if (rows.empty()) page.paragraph("Nothing was measured.");
  if (rows.empty()) return;
  page.table(
      "Readings of the lamp, mean level and distance to the noise, worst clipping and loss",
      {"leg", "readings", "good", "fair", "poor", "level dBFS", "SNR dB", "clipping", "loss", "band", "broken samples"},
      rows);
}

void add_origin(HtmlReport& page, const CallRecord& record, const CallSummary& s) {
  page.heading("About this record");
  page.table("Where it comes from", {"what", "value"},
             {{"Call", record.id},
              {"Started (UTC)", record.started_at},
              {"Source", record.source},
              {"Model", s.model},
              {"Consent", record.consent},
              {"Events", std::to_string(record.lines.size())}});
  page.heading("What the figures mean, and what not");
  page.paragraph(ai_notice());
  page.paragraph(limits_statement());
}

}  // namespace

std::string ai_notice() {
  return "An AI system estimated how the customer's voice sounded, to help the person on the line in that moment. Only "
         "the "
         "customer's side was analysed, with the notice and consent named in the record; of the agent's side it is "
         "known "
         "only when there was speech, and no figure in this report grades the agent. Whoever reads it must not use it "
         "to "
         "judge a customer or a worker.";
}

std::string call_report_html(const CallRecord& record, const CallSummary& summary) {
  const CallTimeline timeline = read_timeline(record);
  const std::string title = summary.title.empty() ? summary.id : summary.title;
  HtmlReport page("Call report: " + printable(title, 100),
                  printable(summary.id, 64) + ", started " + printable(record.started_at, 40) + ", " +
                      clock_text(summary.duration_ms) + ", model " + printable(summary.model, 60));
  if (!summary.complete) page.warning("This record is not complete: it stops without the end of the call.");
  if (!summary.recognised) page.warning("The customer's emotion was not estimated in this call.");
  page.heading("In short");
  page.paragraph(in_short(summary));
  page.figure(
      timeline_picture(timeline, record.truth, "The call over time"),
      "From above: alerts (! with their number, a dot where one was acknowledged) and advice, the state shown on the "
      "screen, the probabilities of the customer's states, the share of unpleasant ones, and who spoke when; together: "
      "both at once, or nobody; played: what a simulation played. The tables below say the same in words.");
  add_figures(page, summary);
  add_shares(page, summary);
  add_turning_points(page, summary);
  add_alerts(page, summary);
  add_talk(page, summary);
  add_quality(page, summary);
  add_origin(page, record, summary);
  return page.str();
}

}  // namespace serene
