#include "serene/call/smoother.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace serene {

Smoother::Smoother(const CallConfig& config, int states)
    : smoothing_s_(config.smoothing_s),
      uncertain_below_(config.uncertain_below),
      certain_above_(config.certain_above),
      margin_(config.switch_margin),
      windows_(config.switch_windows),
      states_(static_cast<std::size_t>(states)) {}

bool Smoother::add(std::span<const double> window, double speech_s) noexcept {
  const double share = started_ && smoothing_s_ > 0 ? 1 - std::exp(-speech_s / smoothing_s_) : 1;
  for (std::size_t i = 0; i < states_; ++i) smooth_[i] += share * (window[i] - smooth_[i]);
  started_ = true;
  top_ = static_cast<int>(std::max_element(smooth_.begin(), smooth_.begin() + static_cast<Index>(states_)) -
                          smooth_.begin());
  const int next = wanted();
  if (next == state_) {
    candidate_windows_ = 0;
    return false;
  }
  if (state_ == state_no_speech) return enter(next);
  candidate_windows_ = next == candidate_ ? candidate_windows_ + 1 : 1;
  candidate_ = next;
  return candidate_windows_ >= windows_ && enter(next);
}

int Smoother::wanted() const noexcept {
  const double best = confidence();
  if (state_ < 0) return best >= certain_above_ ? top_ : state_uncertain;
  if (best < uncertain_below_) return state_uncertain;
  return best - smooth_[static_cast<std::size_t>(state_)] >= margin_ ? top_ : state_;
}

bool Smoother::enter(int state) noexcept {
  candidate_windows_ = 0;
  if (state == state_) return false;
  previous_ = std::exchange(state_, state);
  return true;
}

bool Smoother::reset() noexcept {
  smooth_.fill(0);
  started_ = false;
  top_ = 0;
  return enter(state_no_speech);
}

Trend::Trend(const CallConfig& config, std::vector<double> negative_weights)
    : span_s_(config.trend_s),
      rising_(config.trend_rising),
      weights_(std::move(negative_weights)),
      points_(static_cast<std::size_t>(config.trend_s / config.hop_s) + 2) {}

void Trend::reset() noexcept {
  next_ = count_ = 0;
  negative_ = slope_ = 0;
  direction_ = Direction::steady;
}

bool Trend::add(double speech_s, std::span<const double> probabilities) noexcept {
  negative_ = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) negative_ += weights_[i] * probabilities[i];
  negative_ = std::clamp(negative_, 0.0, 1.0);
  points_[next_] = {speech_s, negative_};
  next_ = (next_ + 1) % points_.size();
  count_ = std::min(count_ + 1, points_.size());
  fit();
  const double back = rising_ / 2;  // leaving a direction takes less than entering it
  Direction next = direction_;
  if (slope_ >= rising_) {
    next = Direction::rising;
  } else if (slope_ <= -rising_) {
    next = Direction::falling;
  } else if ((direction_ == Direction::rising && slope_ < back) ||
             (direction_ == Direction::falling && slope_ > -back)) {
    next = Direction::steady;
  }
  return std::exchange(direction_, next) != next;
}

// Slope per minute of speech; 0 until the points cover half of the span.
void Trend::fit() noexcept {
  slope_ = 0;
  const auto point = [&](std::size_t back) { return points_[(next_ + points_.size() - 1 - back) % points_.size()]; };
  const double now = point(0).at_s;
  std::size_t n = 0;
  double mean_t = 0, mean_y = 0;
  for (; n < count_ && now - point(n).at_s <= span_s_; ++n) mean_t += point(n).at_s, mean_y += point(n).negative;
  if (n < 3 || now - point(n - 1).at_s < span_s_ / 2) return;
  mean_t /= static_cast<double>(n), mean_y /= static_cast<double>(n);
  double above = 0, below = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double t = point(i).at_s - mean_t;
    above += t * (point(i).negative - mean_y);
    below += t * t;
  }
  if (below > 0) slope_ = 60 * above / below;
}

}  // namespace serene
