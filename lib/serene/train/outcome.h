// What one run trains on, and what it comes to: the split that its config chooses, and temperature, threshold and
// scores of the finished model. `serene train`, `serene crossval` and the Python module share it.
#pragma once

#include <vector>

#include "serene/train/experiment.h"

namespace serene {

// The fold split.fold of the config's protocol; the only one where there is only one. Throws Error(usage) when there is
// no such fold.
Split chosen_split(const RunConfig& config, const FeatureSet& features);

// Which part of the split a finished model is scored on.
enum class Part { test, validation };
inline constexpr const char* validation_title = ", validation part";

struct Outcome {
  double temperature = 1;
  double uncertain_below = 0;
  std::vector<Prediction> predictions;
  Evaluation evaluation;
};
// Calibrates on the validation part of a finished experiment and scores its test part, or (to compare recipes without
// a look at the test speakers) the validation part itself.
Outcome finish(Experiment& experiment, Part part = Part::test);

}  // namespace serene
