// Temperature scaling: softmax(logits / T) with the T that makes validation answers as likely as possible (Guo, Pleiss,
// Sun, Weinberger: On calibration of modern neural networks, 2017). The class predicted never changes.
#pragma once

#include <span>

#include "serene/eval/prediction.h"

namespace serene {

// Between these the best temperature is sought.
inline constexpr double min_temperature = 0.05;
inline constexpr double max_temperature = 20;

struct TemperatureFit {
  double temperature = 1;
  double nll_before = 0;  // at T = 1, nats per clip
  double nll_after = 0;
};

// Fits T to logits and truths of validation predictions (their own temperatures play no part). Deterministic; T lies
// within [min_temperature, max_temperature]. Throws Error(input) for unusable predictions (see check_predictions).
TemperatureFit fit_temperature(std::span<const Prediction> validation);

// Mean of -log p(truth) at one temperature for all.
double nll_at(std::span<const Prediction> predictions, double temperature);

}  // namespace serene
