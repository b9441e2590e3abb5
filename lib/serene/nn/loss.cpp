#include "serene/nn/loss.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "serene/core/error.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

namespace {

void check_vector(const std::vector<double>& values, Index classes, const char* what) {
  if (values.empty()) return;
  if (static_cast<Index>(values.size()) != classes) {
    throw Error(ErrorCode::usage, "loss", std::string("wrong number of ") + what)
        .expected(std::to_string(classes))
        .got(std::to_string(values.size()));
  }
  for (double v : values) {
    if (!(v >= 0 && std::isfinite(v))) {
      throw Error(ErrorCode::usage, "loss", std::string(what) + " must be finite and not negative")
          .got(std::to_string(v));
    }
  }
}

}  // namespace

ClassificationLoss::ClassificationLoss(LossOptions options, Index classes)
    : options_(std::move(options)), classes_(classes) {
  if (classes < 1) throw Error(ErrorCode::usage, "loss", "no classes");
  if (!(options_.label_smoothing >= 0 && options_.label_smoothing < 1)) {
    throw Error(ErrorCode::usage, "loss", "label smoothing out of range")
        .expected("0 <= s < 1")
        .got(std::to_string(options_.label_smoothing));
  }
  if (!(options_.gamma >= 0 && std::isfinite(options_.gamma))) {
    throw Error(ErrorCode::usage, "loss", "gamma must not be negative").got(std::to_string(options_.gamma));
  }
  check_vector(options_.class_weights, classes, "class weights");
  check_vector(options_.alpha, classes, "alpha values");
}

std::string ClassificationLoss::summary() const {
  char number[40];
  std::string text = "cross-entropy";
  if (options_.kind == LossOptions::Kind::focal) {
    std::snprintf(number, sizeof number, "focal, gamma %g", options_.gamma);
    text = number;
  }
  std::snprintf(number, sizeof number, ", label smoothing %g", options_.label_smoothing);
  return text + number + (options_.class_weights.empty() ? "" : ", class weights");
}

template <class S>
double ClassificationLoss::target(Targets<S> targets, Index b, Index k) const noexcept {
  if (targets.soft != nullptr) return static_cast<double>(targets.soft[b * classes_ + k]);
  return targets.labels[b] == k ? 1.0 : 0.0;
}

template <class S>
double ClassificationLoss::weight(Targets<S> targets, Index b) const noexcept {
  if (options_.class_weights.empty()) return 1;
  if (targets.soft == nullptr) return options_.class_weights[static_cast<std::size_t>(targets.labels[b])];
  double sum = 0;
  for (Index k = 0; k < classes_; ++k)
    sum += target(targets, b, k) * options_.class_weights[static_cast<std::size_t>(k)];
  return sum;
}

template <class S>
double ClassificationLoss::divisor(Index batch, Targets<S> targets) const noexcept {
  double sum = 0;
  for (Index b = 0; b < batch; ++b) sum += options_.weighted_mean ? weight(targets, b) : 1.0;
  return sum > 0 ? sum : 1;
}

// Class k's part of l; g (see the header) is set, not added to.
double ClassificationLoss::term(double q, Index k, double log_p, double* g) const noexcept {
  if (options_.kind == LossOptions::Kind::cross_entropy) {
    *g = -q;
    return -q * log_p;
  }
  if (!options_.alpha.empty()) q *= options_.alpha[static_cast<std::size_t>(k)];
  const double rest = -std::expm1(log_p), p = std::exp(log_p);  // 1 - p without cancellation
  const double power = options_.gamma == 0 ? 1 : std::pow(rest, options_.gamma);
  // At p = 1 the first part is 0 for every gamma, though (1 - p)^(gamma - 1) may be infinite there.
  const double slope = rest > 0 ? options_.gamma * power / rest * p * log_p : 0;
  *g = q * (slope - power);
  return -q * power * log_p;
}

template <class S>
double ClassificationLoss::run(Index batch, const S* logits, Targets<S> targets, double divisor,
                               LossOutputs<S> out) const noexcept {
  const double s = options_.label_smoothing;
  double total = 0;
  for (Index b = 0; b < batch; ++b) {
    const S* z = logits + b * classes_;
    const std::uint8_t* mask = targets.allowed != nullptr ? targets.allowed + b * classes_ : nullptr;
    const auto open = [&](Index k) { return mask == nullptr || mask[k] != 0; };
    Index first = 0, count = 0;
    while (first + 1 < classes_ && !open(first)) ++first;
    double top = static_cast<double>(z[first]);
    for (Index k = first; k < classes_; ++k) {
      if (open(k)) top = std::max(top, static_cast<double>(z[k])), ++count;
    }
    const double floor = s / static_cast<double>(std::max<Index>(count, 1));
    const double log_sum = std::log(
        sum_over(classes_, [&](Index k) { return open(k) ? std::exp(static_cast<double>(z[k]) - top) : 0.0; }));
    double loss = 0, g = 0, g_sum = 0;
    for (Index k = 0; k < classes_; ++k) {
      if (!open(k)) {
        if (out.probabilities != nullptr) out.probabilities[b * classes_ + k] = S(0);
        continue;
      }
      const double log_p = (static_cast<double>(z[k]) - top) - log_sum;
      loss += term((1 - s) * target(targets, b, k) + floor, k, log_p, &g);
      g_sum += g;
      if (out.probabilities != nullptr) out.probabilities[b * classes_ + k] = static_cast<S>(std::exp(log_p));
    }
    const double w = weight(targets, b);
    if (out.losses != nullptr) out.losses[b] = loss;
    total += w * loss;
    for (Index k = 0; out.gradient != nullptr && k < classes_; ++k) {
      if (!open(k)) {
        out.gradient[b * classes_ + k] = S(0);
        continue;
      }
      const double log_p = (static_cast<double>(z[k]) - top) - log_sum;
      term((1 - s) * target(targets, b, k) + floor, k, log_p, &g);
      out.gradient[b * classes_ + k] = static_cast<S>(w / divisor * (g - std::exp(log_p) * g_sum));
    }
  }
  return total / divisor;
}

#define SERENE_INSTANTIATE(S)                                                    \
  template double ClassificationLoss::divisor(Index, Targets<S>) const noexcept; \
  template double ClassificationLoss::run(Index, const S*, Targets<S>, double, LossOutputs<S>) const noexcept;
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

}  // namespace serene
