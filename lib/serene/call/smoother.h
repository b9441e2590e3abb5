// From the model's windows to a state: smoothed probabilities, hysteresis, and the trend of unpleasant feelings.
//
//   p <- p + (1 - exp(-dt / smoothing_s)) (window - p)        dt: speech since the last window, in seconds
//
// The state follows the largest p, with three brakes: below uncertain_below nothing is certain (until certain_above),
// a new state must lead the present one by switch_margin, and it must do so for switch_windows windows in a row. The
// first state after silence is taken at once.
//
// The trend is the least-squares slope of negative = sum of weight * p over the last trend_s of speech.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "serene/call/call_config.h"
#include "serene/call/event.h"

namespace serene {

class Smoother {
 public:
  // states: how many, at most max_states.
  Smoother(const CallConfig& config, int states);

  // One window's probabilities (states values). True when the state changed.
  bool add(std::span<const double> window, double speech_s) noexcept;
  // The customer is silent or must not be recognised: state no_speech, nothing remembered. True when that is a change.
  bool reset() noexcept;

  // By state, smoothed; of the last add.
  std::span<const double> probabilities() const noexcept { return {smooth_.data(), states_}; }
  int state() const noexcept { return state_; }
  int previous() const noexcept { return previous_; }
  int top() const noexcept { return top_; }
  // Probability of the top state.
  double confidence() const noexcept { return smooth_[static_cast<std::size_t>(top_)]; }

 private:
  int wanted() const noexcept;
  bool enter(int state) noexcept;

  double smoothing_s_, uncertain_below_, certain_above_, margin_;
  int windows_;
  std::size_t states_;
  std::array<double, max_states> smooth_{};
  bool started_ = false;
  int top_ = 0, state_ = state_no_speech, previous_ = state_no_speech;
  int candidate_ = state_no_speech, candidate_windows_ = 0;
};

class Trend {
 public:
  // negative_weights: one for each state, 0 to 1.
  Trend(const CallConfig& config, std::vector<double> negative_weights);

  // The smoothed probabilities after speech_s seconds of speech in all. True when the direction changed.
  bool add(double speech_s, std::span<const double> probabilities) noexcept;
  void reset() noexcept;

  Direction direction() const noexcept { return direction_; }
  double negative() const noexcept { return negative_; }
  double slope_per_min() const noexcept { return slope_; }  // change per minute of speech

 private:
  struct Point {
    double at_s = 0, negative = 0;
  };
  void fit() noexcept;

  double span_s_, rising_;
  std::vector<double> weights_;
  std::vector<Point> points_;  // ring
  std::size_t next_ = 0, count_ = 0;
  double negative_ = 0, slope_ = 0;
  Direction direction_ = Direction::steady;
};

}  // namespace serene
