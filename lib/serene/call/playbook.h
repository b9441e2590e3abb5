// The playbook: rules that turn the customer's state and the course of the talk into alerts and one piece of advice at
// a time (configs/call/playbook.json; every rule can be edited, every error names the path of its key). What each key
// means to the eye is in configs/call/README.md; how a rule behaves in time stands in advisor.h.
//
//   {"min_show_s": 4, "rules": [{
//     "id": "rising_anger", "alert": true, "severity": "critical", "priority": 90,
//     "signal": {"states": {"angry": 1}},
//     "raise_at": 0.7, "windows": 2, "min_speech_s": 3, "clear_below": 0.5, "clear_for_s": 6,
//     "cooldown_s": 30, "escalate_after_s": 20, "show_for_s": 15,
//     "text": "Anger is rising", "advice": "Slow down, name the problem, say what you will do.",
//     "reason": "anger {percent} for {duration} s"
//   }]}
//
// Signals, one per rule. The first four are signals of emotion; their value changes with windows of speech only:
//   {"states": {"angry": 1, "disgust": 0.5}}               weighted sum of smoothed probabilities, at most 1
//   {"states": {...}, "average_s": 20}                     its mean over so many seconds of speech: sustained feelings
//                                                          (speech not heard yet counts as 0)
//   {"trend": "rising", "states": {...}, "over_s": 15}     its change over so many seconds of speech (slope of the
//   least
//                                                          squares line; 0 before half of them was heard); or "falling"
//   {"recovery_of": "rising_anger", "within_s": 60}        1 - that rule's signal, within so long of its clearing
//   {"silence_s": true}                                    seconds that both legs have been quiet
//   {"overlap_share": true, "over_s": 30}                  share of the last seconds of call in which both spoke
//   {"loss_share": true, "over_s": 10}                     mean share of the customer's samples lost or clipped
//   {"strain_of": "rising_anger"}                          minutes of calls in a row in which that rule was raised:
//   those
//                                                          before, and this one once it was
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "serene/core/json.h"

namespace serene {

enum class SignalKind { states, average, trend, recovery, silence, overlap, loss, strain };
enum class Severity { info, warning, critical };

inline constexpr std::size_t max_rules = 64;  // of a playbook

struct Rule {
  std::string id;      // 1 to 40 of a-z, 0-9 and _
  bool alert = false;  // raises an alert for the screen; otherwise advice alone
  Severity severity = Severity::info;
  int priority = 0;  // 0 to 100: the advice of the highest active rule is shown
  SignalKind signal = SignalKind::states;
  std::vector<std::pair<std::string, double>> states;  // weights by state, above 0 and at most 1
  bool falling = false;                                // trend
  double over_s = 0;                                   // average_s, over_s or within_s
  std::string other_rule;                              // recovery_of or strain_of
  double raise_at = 0.7;                               // a share; seconds for silence, minutes for strain
  int windows = 1;          // consecutive windows at or above raise_at; signals of emotion only
  double min_speech_s = 0;  // of the customer while the signal is at or above raise_at; signals of emotion only
  double hold_s = 0;        // seconds of call the signal must stay at or above raise_at
  double clear_below = 0.5;
  double clear_for_s = 6;             // seconds of call below clear_below until it clears
  double clear_after_silence_s = 18;  // the customer has said nothing for so long: it clears; signals of emotion only
  double cooldown_s = 30;             // after clearing, before it may rise again
  double escalate_after_s = 0;        // an alert this old, not acknowledged, goes to the supervisor; 0: never
  bool supervisor = false;            // goes to the supervisor at once
  double show_for_s = 15;             // advice is withdrawn after so long, or when the rule clears
  std::string text;                   // what the alert says
  std::string advice;                 // one short sentence to the agent about the customer; may be empty for alerts
  std::string reason;                 // "{value}", "{percent}" and "{duration}" (whole seconds) are filled in
};

struct Playbook {
  double min_show_s = 4;  // advice stays for at least so long, so that the screen does not flicker
  std::vector<Rule> rules;
};

// Throws Error with the key's path ("rules[2].raise_at: ..."): unknown keys, wrong types, ranges, a signal that is not
// exactly one of the kinds, ids that repeat, a rule that is unknown, clear_below above raise_at, keys that mean nothing
// to the rule's signal, texts that are missing, too long or not one printable line. Calls finish().
Playbook playbook_from_json(JsonReader& reader);
// The same from a file; errors begin with its path.
Playbook read_playbook(const std::string& path);

// "info", "warning" or "critical".
const char* severity_name(Severity severity) noexcept;
// Signals whose value comes from the recognition of emotion: states, average, trend, recovery.
bool is_emotion(SignalKind kind) noexcept;

// Weights of a rule by place of the state. A usual state ("angry", "disgust", ...) that the model lacks counts nothing;
// any other unknown name throws Error naming rule and state and listing the known ones.
std::vector<double> state_weights(const Rule& rule, const std::vector<std::string>& state_names);
// Ids of rules that can never rise with these states because the model lacks all of theirs, in order: worth a warning.
std::vector<std::string> sleeping_rules(const Playbook& playbook, const std::vector<std::string>& state_names);

// The reason with its numbers filled in.
std::string reason_text(const Rule& rule, double value, std::int64_t for_ms);

}  // namespace serene
