// What a model said about one clip: the input of every metric.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

struct Prediction {
  std::string clip;            // path or id
  std::string speaker;         // unit of the bootstrap and of the per-speaker scores
  std::string sex;             // "male", "female" or "" when unknown
  int truth = 0;               // class index, 0..classes-1
  std::vector<double> logits;  // one per class; logarithms of probabilities serve as well
  double temperature = 1;      // fitted on validation speakers for the model that made the logits (calibration.h); > 0
};

// Throws Error(input) naming the clip when there is no prediction, a truth is not a class, the number of logits is not
// `classes`, a logit is not finite, or a temperature is not positive and finite.
void check_predictions(std::span<const Prediction> predictions, Index classes);

// Class with the largest logit, the first of equals.
int predicted_class(const Prediction& prediction);

// log softmax(logits / temperature). Values below -700 are raised to -700, so that no score of one clip is infinite.
std::vector<double> log_probabilities(std::span<const double> logits, double temperature);

}  // namespace serene
