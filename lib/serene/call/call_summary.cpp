#include "serene/call/call_summary.h"

#include <algorithm>
#include <cmath>

namespace serene {
namespace {

constexpr std::int64_t edge_speech_ms = 15000;  // "the start" and "the end" of a feeling
constexpr std::int64_t lasting_ms = 3000;
constexpr double turn_size = 0.3, unpleasant_from = 0.5, calm_below = 0.3;

bool is_known(const std::string& state) { return state != "uncertain" && state != "no_speech"; }

Stretches measure(const std::vector<TimeSpan>& list) {
  Stretches s;
  for (const TimeSpan& i : list) {
    s.total_ms += i.length();
    s.longest_ms = std::max(s.longest_ms, i.length());
  }
  s.count = static_cast<std::int64_t>(list.size());
  return s;
}

void add_talk(CallSummary& s, const CallTimeline& t) {
  for (std::size_t leg = 0; leg < leg_count; ++leg) s.speech[leg] = measure(t.speech[leg]);
  s.silence = measure(gaps(t.speech[0], t.speech[1], t.duration_ms));
  s.overlap = measure(intersection(t.speech[0], t.speech[1]));
  s.silence.count = static_cast<std::int64_t>(t.silences.size());
  s.overlap.count = static_cast<std::int64_t>(t.overlaps.size());
}

StateShare& share_of(std::vector<StateShare>& shares, const std::string& state) {
  const auto found = std::find_if(shares.begin(), shares.end(), [&](const auto& s) { return s.state == state; });
  return found == shares.end() ? shares.emplace_back(StateShare{state, 0, 0, 0, 0}) : *found;
}

// Speech within each stretch, in one walk along both lists.
std::vector<std::int64_t> heard_within(const std::vector<StateStretch>& stretches,
                                       const std::vector<TimeSpan>& speech) {
  std::vector<std::int64_t> heard(stretches.size(), 0);
  for (std::size_t i = 0, k = 0; i < stretches.size() && k < speech.size();) {
    const TimeSpan& time = stretches[i].time;
    const std::int64_t from = std::max(time.from_ms, speech[k].from_ms), to = std::min(time.to_ms, speech[k].to_ms);
    heard[i] += std::max<std::int64_t>(to - from, 0);
    (time.to_ms < speech[k].to_ms ? i : k)++;
  }
  return heard;
}

void add_shares(CallSummary& s, const CallTimeline& t) {
  for (const std::string& state : t.states) share_of(s.shares, state);
  for (const char* state : {"uncertain", "no_speech"}) share_of(s.shares, state);
  const std::vector<std::int64_t> heard = heard_within(t.stretches, t.speech[0]);
  for (std::size_t i = 0; i < t.stretches.size(); ++i) {
    const std::string& state = t.stretches[i].state;
    share_of(s.shares, state).call_ms += t.stretches[i].time.length();
    share_of(s.shares, state == "no_speech" ? "uncertain" : state).speech_ms += heard[i];
  }
  for (StateShare& share : s.shares) {
    const auto of = [](std::int64_t part, std::int64_t all) {
      return all > 0 ? static_cast<double>(part) / static_cast<double>(all) : 0.0;
    };
    share.of_speech = of(share.speech_ms, s.speech[0].total_ms);
    share.of_call = of(share.call_ms, t.duration_ms);
  }
}

struct Feeling {
  std::string state = "no_speech";
  double negative = 0;
};

// The most frequent state (the one that came first, among equals) and the mean of `negative` of some windows.
Feeling feeling_of(const std::vector<const EmotionReading*>& windows) {
  Feeling f;
  std::vector<std::pair<std::string, int>> counts;
  for (const EmotionReading* r : windows) {
    auto found = std::find_if(counts.begin(), counts.end(), [&](const auto& c) { return c.first == r->state; });
    if (found == counts.end()) found = counts.insert(counts.end(), {r->state, 0});
    ++found->second;
    f.negative += r->negative / static_cast<double>(windows.size());
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != counts.end()) f.state = most->first;
  return f;
}

void add_feelings(CallSummary& s, const CallTimeline& t) {
  s.windows = static_cast<std::int64_t>(t.readings.size());
  s.recognised = s.windows > 0;
  if (!s.recognised) return;
  const std::int64_t first = t.readings.front().speech_ms, last = t.readings.back().speech_ms;
  const std::int64_t edge = std::min(edge_speech_ms, last / 3);
  std::vector<const EmotionReading*> start, end, all;
  for (const EmotionReading& r : t.readings) {
    if (r.speech_ms <= std::max(edge, first)) start.push_back(&r);
    if (r.speech_ms >= last - edge) end.push_back(&r);
    all.push_back(&r);
  }
  const Feeling a = feeling_of(start), b = feeling_of(end);
  s.feeling_start = a.state, s.negative_start = a.negative;
  s.feeling_end = b.state, s.negative_end = b.negative;
  s.negative_mean = feeling_of(all).negative;
}

double negative_at(const CallTimeline& t, std::int64_t ms) {
  double value = 0;
  for (const EmotionReading& r : t.readings) {
    if (r.t_ms > ms) break;
    value = r.negative;
  }
  return value;
}

// Known states that lasted, with what stood between them taken out.
void add_state_changes(CallSummary& s, const CallTimeline& t) {
  std::string before;
  for (const StateStretch& stretch : t.stretches) {
    if (!is_known(stretch.state) || stretch.time.length() < lasting_ms || stretch.state == before) continue;
    const std::int64_t at = stretch.time.from_ms;
    if (!before.empty()) s.turning_points.push_back({at, "state", before, stretch.state, negative_at(t, at)});
    before = stretch.state;
  }
}

// Peaks and lows: an extreme counts when the level has since moved turn_size away from it.
void add_reversals(CallSummary& s, const CallTimeline& t) {
  if (t.readings.empty()) return;
  const EmotionReading* low = &t.readings.front();
  const EmotionReading* high = low;
  int direction = 0;  // of the present movement; 0: none yet
  for (const EmotionReading& r : t.readings) {
    if (r.negative > high->negative) high = &r;
    if (r.negative < low->negative) low = &r;
    if (direction >= 0 && high->negative - r.negative >= turn_size) {
      if (direction > 0) s.turning_points.push_back({high->t_ms, "peak", "", "", high->negative});
      direction = -1, low = &r;
    } else if (direction <= 0 && r.negative - low->negative >= turn_size) {
      if (direction < 0) s.turning_points.push_back({low->t_ms, "low", "", "", low->negative});
      direction = 1, high = &r;
    }
  }
}

void add_turning_points(CallSummary& s, const CallTimeline& t) {
  add_state_changes(s, t);
  add_reversals(s, t);
  std::stable_sort(s.turning_points.begin(), s.turning_points.end(),
                   [](const TurningPoint& a, const TurningPoint& b) { return a.t_ms < b.t_ms; });
}

void add_longest_negative(CallSummary& s, const CallTimeline& t) {
  bool open = false;
  TimeSpan run;
  for (const StateStretch& stretch : t.stretches) {
    if (!is_known(stretch.state)) continue;
    if (t.weight(stretch.state) < unpleasant_from) {
      open = false;
      continue;
    }
    if (!open) run.from_ms = stretch.time.from_ms;
    open = true, run.to_ms = stretch.time.to_ms;
    if (run.length() > s.longest_negative.length()) s.longest_negative = run;
  }
}

bool is_about_anger(const AlertEntry& alert) {
  return alert.rule.find("anger") != std::string::npos || alert.rule.find("angry") != std::string::npos;
}

// A clearing counts as recovery when the state is calm by then, or never was anything else.
void add_recovery(CallSummary& s, const CallTimeline& t) {
  const AlertEntry* alert = nullptr;
  for (const AlertEntry& a : t.alerts) {
    if (is_about_anger(a)) alert = &a;
  }
  std::int64_t since = alert != nullptr ? alert->raised_ms : -1;
  if (alert == nullptr) {
    for (const StateStretch& stretch : t.stretches) {
      if (stretch.state == "angry") since = stretch.time.from_ms;
    }
  }
  s.anger = since >= 0;
  if (!s.anger) return;
  for (const StateStretch& stretch : t.stretches) {
    if (!is_known(stretch.state) || t.weight(stretch.state) > calm_below) continue;
    const std::int64_t calm = stretch.time.from_ms;
    if (calm <= since && !(alert != nullptr && alert->cleared_ms && *alert->cleared_ms <= stretch.time.to_ms)) continue;
    s.recovered = true;
    s.recovery_ms = std::max(calm, calm <= since ? *alert->cleared_ms : calm) - since;
    return;
  }
}

void add_quality(CallSummary& s, const CallTimeline& t) {
  std::array<std::int64_t, leg_count> narrow{};
  for (const QualityReading& q : t.quality) {
    const auto leg = static_cast<std::size_t>(q.leg);
    LegQuality& sum = s.quality[leg];
    ++sum.readings;
    sum.fair += q.lamp == "fair", sum.poor += q.lamp == "poor";
    sum.level_dbfs += q.level_dbfs, sum.snr_db += q.snr_db;
    sum.worst_clipping = std::max(sum.worst_clipping, q.clipping);
    sum.worst_loss = std::max(sum.worst_loss, q.loss);
    sum.bad_samples = std::max(sum.bad_samples, q.bad_samples);  // counted since the start of the call
    narrow[leg] += q.band_limited;
  }
  for (std::size_t leg = 0; leg < leg_count; ++leg) {
    LegQuality& sum = s.quality[leg];
    if (sum.readings == 0) continue;
    sum.level_dbfs /= static_cast<double>(sum.readings), sum.snr_db /= static_cast<double>(sum.readings);
    sum.band_limited = 2 * narrow[leg] > sum.readings;
  }
}

}  // namespace

CallSummary summarize(const CallRecord& record) { return summarize(record, read_timeline(record)); }

CallSummary summarize(const CallRecord& record, const CallTimeline& t) {
  CallSummary s;
  s.id = record.id, s.title = record.title, s.started_at = record.started_at, s.source = record.source;
  s.model = record.model.empty() ? t.model : record.model;
  s.consent = record.consent, s.reason = t.reason;
  s.complete = t.ended, s.agent_leg = t.agent_leg, s.duration_ms = t.duration_ms;
  s.feeling_start = s.feeling_end = "no_speech";
  add_talk(s, t);
  add_shares(s, t);
  add_feelings(s, t);
  add_turning_points(s, t);
  add_longest_negative(s, t);
  add_recovery(s, t);
  s.alerts = t.alerts, s.advice = t.advice;
  add_quality(s, t);
  return s;
}

}  // namespace serene
