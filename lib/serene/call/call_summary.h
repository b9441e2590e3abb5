// One call in figures, made of its events: feelings of the customer, course of the talk, alerts, quality of the sound.
// Nothing in it grades the agent: of the agent's side it knows only when there was speech.
//
// Definitions
//   share of speech   part of the customer's speech that fell into a state; speech before the first state is
//   "uncertain" share of call     part of the whole call in which the state stood feeling at start  the most frequent
//   state of the windows in the first 15 s of the customer's speech (or the first
//                     third of it, if that is shorter); at the end likewise
//   negative          mean over those windows of the weighted share of unpleasant states
//   turning points    a new state that lasted 3 s or more, and peaks and lows of `negative` that differ by 0.3 or more
//   negative stretch  time from a state with weight 0.5 or more to the next known state below that; "uncertain" and
//                     "no_speech" between two unpleasant states belong to it
//   recovery          from the last alert about anger (without one: the last change to "angry") to the next state with
//                     weight 0.3 or less
#pragma once

#include <optional>

#include "serene/call/call_timeline.h"

namespace serene {

struct Stretches {
  std::int64_t total_ms = 0, longest_ms = 0, count = 0;
};

struct StateShare {
  std::string state;
  std::int64_t speech_ms = 0, call_ms = 0;
  double of_speech = 0, of_call = 0;
};

struct TurningPoint {
  std::int64_t t_ms = 0;
  std::string kind;      // "state", "peak" or "low"
  std::string from, to;  // states; empty for peaks and lows
  double negative = 0;   // at that moment
};

struct LegQuality {
  std::int64_t readings = 0, fair = 0, poor = 0, bad_samples = 0;
  double level_dbfs = 0, snr_db = 0;          // means
  double worst_clipping = 0, worst_loss = 0;  // shares of samples
  bool band_limited = false;                  // in most readings
};

struct CallSummary {
  std::string id, title, started_at, source, model, consent, reason;
  bool complete = true;                       // false: the log ends without the end of the call
  bool agent_leg = true, recognised = false;  // recognised: there was at least one window of emotion
  std::int64_t duration_ms = 0, windows = 0;
  std::array<Stretches, leg_count> speech;
  Stretches silence, overlap;  // all time in which nobody and in which both spoke; count: those long enough to report
  std::vector<StateShare> shares;  // the model's states in its order, then "uncertain", "no_speech"; of_speech and
                                   // of_call each sum to 1 when there is speech, and time, at all
  std::string feeling_start, feeling_end;  // "no_speech" without any window
  double negative_start = 0, negative_end = 0, negative_mean = 0;
  std::vector<TurningPoint> turning_points;
  TimeSpan longest_negative;
  bool anger = false, recovered = false;
  std::int64_t recovery_ms = 0;  // when recovered
  std::vector<AlertEntry> alerts;
  std::vector<AdviceEntry> advice;
  std::array<LegQuality, leg_count> quality;
};

// Pure functions of the record; thread-safe. Throw Error as read_timeline does.
CallSummary summarize(const CallRecord& record);
CallSummary summarize(const CallRecord& record, const CallTimeline& timeline);
// Times in ms, shares and levels rounded to 4 decimals.
Json to_json(const CallSummary& summary);

}  // namespace serene
