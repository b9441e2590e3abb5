// The events of a call read back from their lines into time lines: who spoke when, which state stood when, what was
// raised and answered. The one reader of event lines; summary, report and tables are made of it.
//
// All times are milliseconds of call audio. Strict about what it knows (a wrong type, a falling t_ms or a share outside
// 0..1 is an Error naming the line), tolerant of event types and fields that it does not know. A last line that is
// broken is the mark of a crash and is left out.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "serene/call/call_record.h"
#include "serene/call/event.h"

namespace serene {

struct TimeSpan {
  std::int64_t from_ms = 0, to_ms = 0;
  std::int64_t length() const noexcept { return to_ms - from_ms; }  // ms
};

// A stretch of the call in one state; the stretches of a call follow each other without gaps.
struct StateStretch {
  TimeSpan time;
  std::string state;
};

// One window of the customer's speech.
struct EmotionReading {
  std::int64_t t_ms = 0, speech_ms = 0;
  std::string state;
  std::vector<double> probabilities;  // by place in CallTimeline::states
  double negative = 0;                // weighted share of the unpleasant states, 0..1
};

struct AlertEntry {
  std::int64_t number = 0, raised_ms = 0;
  std::string rule, severity, text, reason;
  bool supervisor = false;
  std::optional<std::int64_t> escalated_ms, acknowledged_ms, cleared_ms;
};

struct AdviceEntry {
  std::int64_t shown_ms = 0;
  std::optional<std::int64_t> withdrawn_ms;
  std::string rule, text, reason;
};

struct QualityReading {
  std::int64_t t_ms = 0;
  Leg leg = Leg::customer;
  std::string lamp;
  double level_dbfs = 0, snr_db = 0, clipping = 0, loss = 0;
  bool band_limited = false;
  std::int64_t bad_samples = 0;
};

struct CallTimeline {
  std::string model;
  std::vector<std::string> states;         // of the model, in its order
  std::map<std::string, double> negative;  // weight of each state
  std::int64_t duration_ms = 0;
  bool agent_leg = true, consent = true;  // as the call started
  bool ended = false;                     // false: the log stops without call/end
  bool torn = false;                      // the last line was broken
  std::string reason;                     // of call/end, "dropped" without
  std::array<std::vector<TimeSpan>, leg_count> speech;
  std::vector<TimeSpan> overlaps, silences;  // as the session reported them: long enough to matter
  std::vector<StateStretch> stretches;
  std::vector<EmotionReading> readings;
  std::vector<AlertEntry> alerts;
  std::vector<AdviceEntry> advice;
  std::vector<QualityReading> quality;
  std::vector<std::pair<std::int64_t, bool>> consent_changes;

  // 0 for a state without a weight.
  double weight(const std::string& state) const;
};

// Thread-safe. Throws Error(input) that names the call and the line.
CallTimeline read_timeline(const CallRecord& record);

// Both of them at once, and the parts of 0..duration that neither covers. Intervals in order, not touching one another.
std::vector<TimeSpan> intersection(const std::vector<TimeSpan>& a, const std::vector<TimeSpan>& b);
std::vector<TimeSpan> gaps(const std::vector<TimeSpan>& a, const std::vector<TimeSpan>& b, std::int64_t duration_ms);

}  // namespace serene
