#include "serene/call/advisor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "serene/call/session.h"

namespace serene {

namespace {

// Speech that the first window of a call speaks for; later ones for all speech since the one before.
constexpr std::int64_t first_window_ms = 1000;

std::int64_t milliseconds(double seconds) noexcept { return std::llround(seconds * 1000); }

bool hears_windows(SignalKind kind) noexcept { return is_emotion(kind) && kind != SignalKind::recovery; }

}  // namespace

Advisor::Machine::Machine(const Rule& r, std::vector<double> weights)
    : rule(&r), signal(r, std::move(weights), block_ms) {}

Advisor::Advisor(const Playbook& playbook, const std::vector<std::string>& state_names, double strain_before_min)
    : strain_before_min_(std::isfinite(strain_before_min) ? std::max(0.0, strain_before_min) : 0.0),
      min_show_ms_(milliseconds(playbook.min_show_s)) {
  machines_.reserve(playbook.rules.size());
  for (const Rule& rule : playbook.rules) {
    machines_.emplace_back(rule, state_weights(rule, state_names));
    for (std::size_t k = 0; k < playbook.rules.size() && !rule.other_rule.empty(); ++k) {
      if (playbook.rules[k].id == rule.other_rule) machines_.back().other = static_cast<int>(k);
    }
  }
}

void Advisor::on_window(const Windowed& window, AdvisorSink& sink) noexcept {
  if (finished_) return;
  std::int64_t gained_ms = std::max<std::int64_t>(0, window.speech_ms - last_speech_ms_);
  if (first_window_) gained_ms = std::min(gained_ms, first_window_ms);
  const std::int64_t before_ms = std::max(first_window_ ? 0 : last_window_ms_, window.t_ms - gained_ms);
  const Moment moment{window.t_ms, before_ms, window.speech_ms, window.speech_ms - gained_ms};
  first_window_ = false;
  last_window_ms_ = window.t_ms;
  last_speech_ms_ = window.speech_ms;

  for (Machine& m : machines_) {
    if (!hears_windows(m.rule->signal)) continue;
    observe(m, m.signal.on_window(window.speech_ms, gained_ms, window.probabilities), moment, sink);
  }
  // After the rules of which they speak.
  for (Machine& m : machines_) {
    if (m.rule->signal == SignalKind::recovery) observe(m, recovery(m, window.t_ms), moment, sink);
  }
  settle(window.t_ms, sink);
}

void Advisor::on_block(const Block& block, AdvisorSink& sink) noexcept {
  if (finished_) return;
  if (block.speech[static_cast<std::size_t>(Leg::customer)]) customer_heard_ms_ = block.t_ms;
  const std::int64_t quiet_ms = block.t_ms - customer_heard_ms_;
  const Moment moment{block.t_ms, block.t_ms - block_ms, block.customer_speech_ms, block.customer_speech_ms};
  for (Machine& m : machines_) {
    if (!is_emotion(m.rule->signal)) {
      observe(m, block_signal(m, block), moment, sink);
    } else if (quiet_ms >= milliseconds(m.rule->clear_after_silence_s)) {
      clear(m, block.t_ms, sink);
      forget(m);
    }
  }
  for (Machine& m : machines_) {
    const bool over = m.rule->signal == SignalKind::recovery && m.value > 0 && recovery(m, block.t_ms) == 0;
    if (over) observe(m, 0, moment, sink);
  }
  settle(block.t_ms, sink);
}

double Advisor::block_signal(Machine& m, const Block& block) noexcept {
  switch (m.rule->signal) {
    case SignalKind::silence:
      return static_cast<double>(block.silence_ms) / 1000;
    case SignalKind::overlap:
      return m.signal.on_share(block.speech[0] && block.speech[1] ? 1.0 : 0.0);
    case SignalKind::loss:
      return m.signal.on_share(block.loss);
    case SignalKind::strain: {
      const bool counts = m.other >= 0 && machines_[static_cast<std::size_t>(m.other)].ever_raised;
      return strain_before_min_ + (counts ? static_cast<double>(block.t_ms) / 60000 : 0.0);
    }
    default:
      return 0;
  }
}

double Advisor::recovery(const Machine& m, std::int64_t t_ms) const noexcept {
  if (m.other < 0) return 0;
  const Machine& other = machines_[static_cast<std::size_t>(m.other)];
  const bool recent = !other.active && other.recovered && t_ms - other.cleared_ms <= milliseconds(m.rule->over_s);
  return recent ? std::clamp(1 - other.value, 0.0, 1.0) : 0.0;
}

void Advisor::observe(Machine& m, double value, const Moment& moment, AdvisorSink& sink) noexcept {
  m.value = std::isfinite(value) ? std::max(0.0, value) : 0.0;
  if (m.value >= m.rule->raise_at) {
    if (!m.above) {
      m.above_since_ms = moment.since_ms;
      m.above_since_speech_ms = moment.since_speech_ms;
      m.windows_above = 0;
    }
    m.above = true;
    m.windows_above = std::min(m.windows_above + 1, m.rule->windows);
  } else {
    m.above = false;
  }
  if (m.value >= m.rule->clear_below) {
    m.below_since_ms = -1;
  } else if (m.below_since_ms < 0) {
    m.below_since_ms = moment.t_ms;
  }
  if (may_raise(m, moment)) raise(m, moment.t_ms, sink);
}

bool Advisor::may_raise(const Machine& m, const Moment& moment) const noexcept {
  const Rule& rule = *m.rule;
  if (m.active || !m.above || m.windows_above < rule.windows) return false;
  if (moment.speech_ms - m.above_since_speech_ms < milliseconds(rule.min_speech_s)) return false;
  if (moment.t_ms - m.above_since_ms < milliseconds(rule.hold_s)) return false;
  return m.cleared_ms < 0 || moment.t_ms - m.cleared_ms >= milliseconds(rule.cooldown_s);
}

void Advisor::raise(Machine& m, std::int64_t t_ms, AdvisorSink& sink) noexcept {
  m.active = m.ever_raised = true;
  m.acknowledged = m.recovered = false;
  m.escalated = m.rule->supervisor;
  m.condition_since_ms = m.above_since_ms;
  m.raised_ms = t_ms;
  m.shown_ms = 0;
  if (!m.rule->alert) return;
  m.alert = ++alerts_;
  send(EventType::alert, EventAction::raised, m, t_ms, sink);
}

void Advisor::clear(Machine& m, std::int64_t t_ms, AdvisorSink& sink) noexcept {
  if (!m.active) return;
  m.active = false;
  m.recovered = true;
  m.cleared_ms = t_ms;
  if (m.rule->alert) send(EventType::alert, EventAction::cleared, m, t_ms, sink);
}

void Advisor::forget(Machine& m) noexcept {
  m.signal.forget();
  m.value = 0;
  m.above = m.recovered = false;
  m.below_since_ms = -1;
}

// What time alone brings: clearing, escalation, the advice on the screen.
void Advisor::settle(std::int64_t t_ms, AdvisorSink& sink) noexcept {
  for (Machine& m : machines_) {
    if (!m.active) continue;
    const Rule& rule = *m.rule;
    if (m.below_since_ms >= 0 && t_ms - m.below_since_ms >= milliseconds(rule.clear_for_s)) {
      clear(m, t_ms, sink);
    } else if (rule.alert && rule.escalate_after_s > 0 && !m.escalated && !m.acknowledged &&
               t_ms - m.raised_ms >= milliseconds(rule.escalate_after_s)) {
      m.escalated = true;
      send(EventType::alert, EventAction::escalated, m, t_ms, sink);
    }
  }
  update_advice(t_ms, sink);
}

bool Advisor::may_show(const Machine& m) const noexcept {
  return m.active && !m.rule->advice.empty() && milliseconds(m.rule->show_for_s) - m.shown_ms >= min_show_ms_;
}

int Advisor::best_advice() const noexcept {
  int best = -1;
  for (std::size_t i = 0; i < machines_.size(); ++i) {
    const bool better =
        best < 0 || machines_[i].rule->priority > machines_[static_cast<std::size_t>(best)].rule->priority;
    if (better && may_show(machines_[i])) best = static_cast<int>(i);
  }
  return best;
}

void Advisor::update_advice(std::int64_t t_ms, AdvisorSink& sink) noexcept {
  if (shown_ >= 0 && t_ms - shown_since_ms_ >= min_show_ms_) {
    const Machine& shown = machines_[static_cast<std::size_t>(shown_)];
    const std::int64_t shown_ms = shown.shown_ms + (t_ms - shown_since_ms_);
    const int best = best_advice();
    const bool outranked = best >= 0 && machines_[static_cast<std::size_t>(best)].rule->priority > shown.rule->priority;
    if (!shown.active || shown_ms >= milliseconds(shown.rule->show_for_s) || outranked) withdraw_advice(t_ms, sink);
  }
  if (shown_ >= 0) return;
  shown_ = best_advice();
  if (shown_ < 0) return;
  shown_since_ms_ = t_ms;
  send(EventType::advice, EventAction::shown, machines_[static_cast<std::size_t>(shown_)], t_ms, sink);
}

void Advisor::withdraw_advice(std::int64_t t_ms, AdvisorSink& sink) noexcept {
  if (shown_ < 0) return;
  Machine& m = machines_[static_cast<std::size_t>(shown_)];
  m.shown_ms += t_ms - shown_since_ms_;
  shown_ = -1;
  send(EventType::advice, EventAction::withdrawn, m, t_ms, sink);
}

void Advisor::acknowledge(std::int64_t alert, std::int64_t t_ms, AdvisorSink& sink) noexcept {
  if (finished_) return;
  for (Machine& m : machines_) {
    if (!m.active || !m.rule->alert || m.alert != alert || m.acknowledged) continue;
    m.acknowledged = true;
    send(EventType::alert, EventAction::acknowledged, m, t_ms, sink);
  }
}

void Advisor::withdraw_emotion(std::int64_t t_ms, AdvisorSink& sink) noexcept {
  if (finished_) return;
  for (Machine& m : machines_) {
    if (!is_emotion(m.rule->signal)) continue;
    clear(m, t_ms, sink);
    forget(m);
    m.ever_raised = false;
  }
  if (shown_ >= 0 && is_emotion(machines_[static_cast<std::size_t>(shown_)].rule->signal)) withdraw_advice(t_ms, sink);
  first_window_ = true;
  update_advice(t_ms, sink);
}

void Advisor::finish(std::int64_t t_ms, AdvisorSink& sink) noexcept {
  if (finished_) return;
  for (Machine& m : machines_) clear(m, t_ms, sink);
  withdraw_advice(t_ms, sink);
  finished_ = true;
}

void Advisor::send(EventType type, EventAction action, const Machine& m, std::int64_t t_ms,
                   AdvisorSink& sink) noexcept {
  Event event;
  event.t_ms = t_ms;
  event.type = type;
  event.action = action;
  event.rule = static_cast<int>(&m - machines_.data());
  event.alert = m.rule->alert ? m.alert : 0;
  event.value = m.value;
  event.at_ms = m.condition_since_ms;
  event.duration_ms = t_ms - m.condition_since_ms;
  event.supervisor = m.escalated;
  sink.emit(event);
}

}  // namespace serene
