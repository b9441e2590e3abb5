#include "serene/call/rule_signal.h"

#include <algorithm>
#include <cmath>

namespace serene {

namespace {

// Stretches of a ring; windows closer than over_s / most_stretches are counted as one.
constexpr std::size_t most_stretches = 256;

double bounded(double value) noexcept { return std::isfinite(value) ? std::clamp(value, 0.0, 1.0) : 0.0; }

}  // namespace

RuleSignal::RuleSignal(const Rule& rule, std::vector<double> weights, int block_ms)
    : rule_(&rule), weights_(std::move(weights)), over_ms_(std::llround(rule.over_s * 1000)) {
  if (rule.signal == SignalKind::average || rule.signal == SignalKind::trend) stretches_.resize(most_stretches + 1);
  if (rule.signal == SignalKind::overlap || rule.signal == SignalKind::loss) {
    shares_.resize(static_cast<std::size_t>(std::max<std::int64_t>(1, over_ms_ / std::max(1, block_ms))));
  }
}

double RuleSignal::weighted_sum(std::span<const double> probabilities) const noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < std::min(weights_.size(), probabilities.size()); ++i) {
    if (weights_[i] > 0) sum += weights_[i] * bounded(probabilities[i]);
  }
  return bounded(sum);
}

double RuleSignal::on_window(std::int64_t speech_ms, std::int64_t gained_ms,
                             std::span<const double> probabilities) noexcept {
  const double sum = weighted_sum(probabilities);
  if (rule_->signal == SignalKind::states) return sum;
  if (stretches_.empty()) return 0;
  append({speech_ms, std::max<std::int64_t>(0, gained_ms), sum});
  return rule_->signal == SignalKind::average ? average(speech_ms) : change(speech_ms);
}

double RuleSignal::on_share(double share) noexcept {
  if (shares_.empty()) return 0;
  // A sum that is updated only would gather rounding for hours: it starts anew with each turn of the ring.
  const auto value = static_cast<float>(bounded(share));
  share_sum_ += static_cast<double>(value) - static_cast<double>(shares_[next_share_]);
  shares_[next_share_] = value;
  if (++next_share_ == shares_.size()) {
    next_share_ = 0;
    share_sum_ = 0;
    for (const float s : shares_) share_sum_ += static_cast<double>(s);
  }
  return bounded(share_sum_ / static_cast<double>(shares_.size()));
}

void RuleSignal::forget() noexcept { count_ = next_ = 0; }

const RuleSignal::Stretch& RuleSignal::newest(std::size_t i) const noexcept {
  return stretches_[(next_ + stretches_.size() - 1 - i) % stretches_.size()];
}

void RuleSignal::append(const Stretch& stretch) noexcept {
  if (count_ > 0) {
    Stretch& last = stretches_[(next_ + stretches_.size() - 1) % stretches_.size()];
    const std::int64_t length = last.length_ms + stretch.length_ms;
    if (length <= over_ms_ / static_cast<std::int64_t>(most_stretches)) {
      const double share = length > 0 ? static_cast<double>(stretch.length_ms) / static_cast<double>(length) : 1.0;
      last = {stretch.end_ms, length, last.sum + share * (stretch.sum - last.sum)};
      return;
    }
  }
  stretches_[next_] = stretch;
  next_ = (next_ + 1) % stretches_.size();
  count_ = std::min(count_ + 1, stretches_.size());
}

double RuleSignal::average(std::int64_t speech_ms) const noexcept {
  const std::int64_t from_ms = speech_ms - over_ms_;
  double sum = 0;
  for (std::size_t i = 0; i < count_ && newest(i).end_ms > from_ms; ++i) {
    const Stretch& s = newest(i);
    sum += s.sum * static_cast<double>(std::min(s.length_ms, s.end_ms - from_ms));
  }
  return bounded(sum / static_cast<double>(over_ms_));
}

// Least squares line through the windows of the last over_s; its slope times over_s.
double RuleSignal::change(std::int64_t speech_ms) const noexcept {
  std::size_t n = 0;
  double mean_t = 0, mean_v = 0;
  for (; n < count_ && newest(n).end_ms > speech_ms - over_ms_; ++n) {
    mean_t += static_cast<double>(newest(n).end_ms - speech_ms);
    mean_v += newest(n).sum;
  }
  if (n < 2 || speech_ms - newest(n - 1).end_ms < over_ms_ / 2) return 0;
  mean_t /= static_cast<double>(n);
  mean_v /= static_cast<double>(n);
  double tt = 0, tv = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double t = static_cast<double>(newest(i).end_ms - speech_ms) - mean_t;
    tt += t * t;
    tv += t * (newest(i).sum - mean_v);
  }
  const double rise = tt > 0 ? tv / tt * static_cast<double>(over_ms_) : 0.0;
  return bounded(rule_->falling ? -rise : rise);
}

}  // namespace serene
