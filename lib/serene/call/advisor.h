// The rules of one call at work: turns signals (playbook.h) into alerts and one piece of advice at a time.
//
// Every rule is a small machine of its own:
//
//   idle ── signal >= raise_at for `windows` windows, `min_speech_s` of speech and `hold_s` of call ──► active
//   active ── signal < clear_below for `clear_for_s` of call ──► idle, and not again for `cooldown_s`
//
// Signals of emotion (states, average, trend, recovery) change and raise with windows of the customer's speech only;
// while the customer is quiet they keep their last value, so an alert that had already fallen below its level clears in
// the silence too. A customer who says nothing for `clear_after_silence_s` clears the rule whatever its level was, and
// what was felt before is forgotten. The other signals change and raise with every block.
//
// An active rule with "alert" sends raised, at most one escalated (alerts with "supervisor" are raised as escalated),
// at most one acknowledged, and exactly one cleared. An acknowledged alert no longer escalates. Alerts are numbered 1,
// 2, 3, ... in the call.
//
// Advice: of the active rules with advice not shown to its end the one of highest priority (the first in the playbook
// among equals) is shown, one at a time. It stays for at least min_show_s, even when its rule clears or a higher one
// comes, and at most show_for_s for each time that its rule is raised.
//
// Events carry for_ms, the time of call since the condition began to hold, and the rule's present value.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serene/call/event.h"
#include "serene/call/playbook.h"
#include "serene/call/rule_signal.h"

namespace serene {

// Receives the advisor's events (alert and advice) with everything filled in but the sequence number.
class AdvisorSink {
 public:
  virtual ~AdvisorSink() = default;
  // Takes one event; the sink may fill in the number.
  virtual void emit(Event& event) noexcept = 0;
};

// Belongs to one thread at a time. Nothing allocates, locks or throws after construction; times must not fall.
class Advisor {
 public:
  // One block of both legs.
  struct Block {
    std::int64_t t_ms = 0;                 // its end
    std::array<bool, leg_count> speech{};  // by Leg
    std::int64_t customer_speech_ms = 0;   // heard so far
    std::int64_t silence_ms = 0;           // both legs quiet, running
    double loss = 0;                       // share of the customer's samples lost or clipped, 0 to 1
  };
  // One smoothed window of the customer's speech.
  struct Windowed {
    std::int64_t t_ms = 0, speech_ms = 0;   // speech_ms: customer's speech heard so far
    std::span<const double> probabilities;  // by state
    int state = state_uncertain;
  };

  // playbook must outlive the advisor. strain_before_min: minutes of angry calls in a row before this one. Throws Error
  // as state_weights does.
  Advisor(const Playbook& playbook, const std::vector<std::string>& state_names, double strain_before_min);

  // Takes the next block or window; what follows from it goes to the sink before the call returns.
  void on_block(const Block& block, AdvisorSink& sink) noexcept;
  void on_window(const Windowed& window, AdvisorSink& sink) noexcept;
  // Nothing happens for an alert that is unknown, cleared or acknowledged already.
  void acknowledge(std::int64_t alert, std::int64_t t_ms, AdvisorSink& sink) noexcept;
  // Consent was withdrawn: rules of emotion clear at once, their advice goes and their past is forgotten.
  void withdraw_emotion(std::int64_t t_ms, AdvisorSink& sink) noexcept;
  // Clears what is active and withdraws the advice. Afterwards nothing more is sent.
  void finish(std::int64_t t_ms, AdvisorSink& sink) noexcept;

 private:
  // One rule at work.
  struct Machine {
    Machine(const Rule& rule, std::vector<double> weights);

    const Rule* rule;
    RuleSignal signal;
    int other = -1;  // place of the rule that recovery_of or strain_of names

    double value = 0;
    bool above = false;  // value >= raise_at without a break since:
    std::int64_t above_since_ms = 0, above_since_speech_ms = 0;
    int windows_above = 0;
    std::int64_t below_since_ms = -1;  // value < clear_below since then; -1: it is not

    bool active = false, escalated = false, acknowledged = false;
    bool ever_raised = false;
    std::int64_t condition_since_ms = 0, raised_ms = 0, alert = 0;
    std::int64_t cleared_ms = -1;  // -1: never
    bool recovered = false;        // cleared, and not forgotten since: the customer was heard to calm down
    std::int64_t shown_ms = 0;     // of its advice since it was raised
  };
  // When a signal was taken: a window or block that ends at t_ms, of time since_ms and speech since_speech_ms on.
  struct Moment {
    std::int64_t t_ms = 0, since_ms = 0, speech_ms = 0, since_speech_ms = 0;
  };

  void observe(Machine& machine, double value, const Moment& moment, AdvisorSink& sink) noexcept;
  bool may_raise(const Machine& machine, const Moment& moment) const noexcept;
  void raise(Machine& machine, std::int64_t t_ms, AdvisorSink& sink) noexcept;
  void clear(Machine& machine, std::int64_t t_ms, AdvisorSink& sink) noexcept;
  void forget(Machine& machine) noexcept;
  double recovery(const Machine& machine, std::int64_t t_ms) const noexcept;
  double block_signal(Machine& machine, const Block& block) noexcept;
  void settle(std::int64_t t_ms, AdvisorSink& sink) noexcept;
  void update_advice(std::int64_t t_ms, AdvisorSink& sink) noexcept;
  void withdraw_advice(std::int64_t t_ms, AdvisorSink& sink) noexcept;
  int best_advice() const noexcept;
  bool may_show(const Machine& machine) const noexcept;
  void send(EventType type, EventAction action, const Machine& machine, std::int64_t t_ms, AdvisorSink& sink) noexcept;

  double strain_before_min_;
  std::int64_t min_show_ms_;
  std::vector<Machine> machines_;  // one per rule
  std::int64_t alerts_ = 0;
  int shown_ = -1;  // rule whose advice is on the screen
  std::int64_t shown_since_ms_ = 0;
  bool first_window_ = true;  // of the call, or since consent was given again
  std::int64_t last_window_ms_ = 0, last_speech_ms_ = 0;
  std::int64_t customer_heard_ms_ = 0;  // end of the last block in which the customer spoke
  bool finished_ = false;
};

}  // namespace serene
