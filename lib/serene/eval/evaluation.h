// Everything a report says about one set of predictions, as data, as JSON and as a table of plain text.
//
// A leaky evaluation (its test data helped to make the model) says LEAKY in the heading and beside every number.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serene/core/json.h"
#include "serene/eval/bootstrap.h"
#include "serene/eval/coverage.h"
#include "serene/eval/metrics.h"
#include "serene/eval/prediction.h"

namespace serene {

struct EvaluationOptions {
  std::string title = {};     // what was evaluated, such as the name of the model
  std::string protocol = {};  // such as "ravdess-luna5"
  bool leaky = false;
  Index bins = 15;  // of the reliability diagram and ECE
  // Answers below this are uncertain; chosen on validation speakers (coverage.h). 0: the model has no threshold.
  double uncertain_below = 0;
  BootstrapOptions bootstrap = {};
};

// Scores of the clips of one speaker or one sex; the UAR runs over the classes the group has.
struct GroupScore {
  std::string name;  // "unknown" when the predictions leave it empty
  std::string sex;   // of a speaker
  Index clips = 0;
  double uar = 0, war = 0;
};

struct Evaluation {
  std::string title, protocol;
  bool leaky = false;
  std::vector<std::string> labels;
  Index clips = 0;

  ConfusionMatrix confusion;
  Scores scores;
  Interval uar, war;                 // 95 % intervals over speakers
  std::vector<GroupScore> speakers;  // sorted by name
  MinMedianMax speaker_uar;
  std::vector<GroupScore> sexes;  // sorted by name
  std::optional<double> sex_gap;  // UAR of "male" minus UAR of "female", when both are there

  double temperature_min = 1, temperature_max = 1;  // of the models that took part
  ProbabilityScores uncalibrated;                   // at temperature 1
  ProbabilityScores calibrated;                     // at each model's own temperature
  std::vector<ReliabilityBin> reliability;          // calibrated
  CoverageCurve coverage;                           // calibrated
  std::optional<CoveragePoint> certain;             // answers that are not uncertain, when there is a threshold
  std::vector<std::string> notes;                   // what a reader must know, such as classes without clips
};

// Throws Error(input) for unusable predictions (see check_predictions) or empty or repeated labels.
Evaluation evaluate(std::span<const Prediction> predictions, const std::vector<std::string>& labels,
                    const EvaluationOptions& options = {});

// For reports; scores from 0 to 1.
Json to_json(const Interval& interval);
Json to_json(const Evaluation& evaluation);
// At most 100 columns for up to 9 classes, ends with a newline.
std::string to_table(const Evaluation& evaluation);
// Several evaluations side by side, one column each, such as with and without per-speaker normalisation.
std::string to_comparison(std::span<const Evaluation> evaluations);

// "title, protocol", with "LEAKY: " in front where that holds. For headings.
std::string heading_of(const std::string& title, const std::string& protocol, bool leaky);
inline constexpr const char* leaky_warning =
    "LEAKY: test data took part in training or selection. The numbers below say nothing about new voices.";

}  // namespace serene
