#include "serene/eval/calibration.h"

#include <cmath>

namespace serene {

double nll_at(std::span<const Prediction> predictions, double temperature) {
  double sum = 0;
  for (const Prediction& p : predictions) {
    sum -= log_probabilities(p.logits, temperature)[static_cast<std::size_t>(p.truth)];
  }
  return predictions.empty() ? 0 : sum / static_cast<double>(predictions.size());
}

TemperatureFit fit_temperature(std::span<const Prediction> validation) {
  check_predictions(validation, validation.empty() ? 1 : static_cast<Index>(validation.front().logits.size()));
  // The loss is convex in 1/T, hence has one valley in log T: golden section finds it within bounds known beforehand.
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double low = std::log(min_temperature), high = std::log(max_temperature);
  double left = high - ratio * (high - low), right = low + ratio * (high - low);
  double at_left = nll_at(validation, std::exp(left)), at_right = nll_at(validation, std::exp(right));
  for (int i = 0; i < 60; ++i) {
    if (at_left <= at_right) {
      high = right, right = left, at_right = at_left;
      left = high - ratio * (high - low);
      at_left = nll_at(validation, std::exp(left));
    } else {
      low = left, left = right, at_left = at_right;
      right = low + ratio * (high - low);
      at_right = nll_at(validation, std::exp(right));
    }
  }
  TemperatureFit fit;
  fit.nll_before = nll_at(validation, 1);
  fit.temperature = std::exp((low + high) / 2);
  fit.nll_after = nll_at(validation, fit.temperature);
  if (!(fit.nll_after < fit.nll_before)) fit = {1, fit.nll_before, fit.nll_before};
  return fit;
}

}  // namespace serene
