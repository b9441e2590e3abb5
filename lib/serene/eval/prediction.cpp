#include "serene/eval/prediction.h"

#include <algorithm>
#include <cmath>

#include "serene/core/error.h"

namespace serene {

void check_predictions(std::span<const Prediction> predictions, Index classes) {
  if (classes < 1) throw Error(ErrorCode::input, "labels", "no classes");
  if (predictions.empty()) throw Error(ErrorCode::input, "predictions", "there is nothing to evaluate");
  for (const Prediction& p : predictions) {
    const std::string where = "prediction of " + printable(p.clip);
    if (p.truth < 0 || p.truth >= classes) {
      throw Error(ErrorCode::input, where, "truth is not a class")
          .expected("0 to " + std::to_string(classes - 1))
          .got(std::to_string(p.truth));
    }
    if (static_cast<Index>(p.logits.size()) != classes) {
      throw Error(ErrorCode::input, where, "wrong number of logits")
          .expected(std::to_string(classes))
          .got(std::to_string(p.logits.size()));
    }
    if (!std::all_of(p.logits.begin(), p.logits.end(), [](double z) { return std::isfinite(z); })) {
      throw Error(ErrorCode::input, where, "logits are not finite");
    }
    if (!(p.temperature > 0) || !std::isfinite(p.temperature)) {
      throw Error(ErrorCode::input, where, "temperature is not positive");
    }
  }
}

int predicted_class(const Prediction& p) {
  return static_cast<int>(std::max_element(p.logits.begin(), p.logits.end()) - p.logits.begin());
}

std::vector<double> log_probabilities(std::span<const double> logits, double temperature) {
  std::vector<double> out(logits.begin(), logits.end());
  if (out.empty()) return out;
  const double top = *std::max_element(out.begin(), out.end());
  double sum = 0;
  for (double& z : out) {
    z = (z - top) / temperature;
    sum += std::exp(z);
  }
  const double shift = std::log(sum);
  for (double& z : out) z = std::max(z - shift, -700.0);
  return out;
}

}  // namespace serene
