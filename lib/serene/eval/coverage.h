// How much better a model is when it may leave its least certain answers out: the accuracy-coverage curve (El-Yaniv,
// Wiener: On the foundations of noise-free selective classification, 2010; Geifman, El-Yaniv, 2017).
//
// Certainty of an answer: its best probability at the model's own temperature. A threshold answers the clips whose
// certainty is not below it, so clips of equal certainty are answered together.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serene/core/json.h"
#include "serene/eval/prediction.h"

namespace serene {

// What answering all clips of certainty >= threshold gives. Fractions.
struct CoveragePoint {
  double threshold = 0;
  double coverage = 0;  // share of clips answered
  double accuracy = 0;  // among these
  double uar = 0;       // likewise, over the classes among these
};

struct CoverageCurve {
  std::vector<CoveragePoint> points;  // from few answers to all; at most 20, at about every 5 % of the clips
  // Mean share of wrong answers over all coverages (area under the risk-coverage curve): 0 is perfect, and without any
  // sense of its own certainty a model has 1 - accuracy.
  double area = 0;
};

// The best probability at the prediction's own temperature, in (0, 1].
double certainty(const Prediction& prediction);

// Throws Error(input) for unusable predictions (see check_predictions).
CoverageCurve coverage_curve(std::span<const Prediction> predictions, Index classes);

// Answers at this threshold; all zero but the threshold when no clip is answered.
CoveragePoint coverage_at(std::span<const Prediction> predictions, Index classes, double threshold);

// The largest threshold that still answers this share of the clips, for choosing on validation speakers; 0 for a share
// of 1 or more. Throws Error(input) when there is no prediction.
double threshold_for_coverage(std::span<const Prediction> validation, double share);

// The smallest threshold whose answers are right in at least this share, so that as many clips as possible are
// answered; none when no threshold does it. For choosing on validation speakers.
std::optional<double> threshold_for_accuracy(std::span<const Prediction> validation, double accuracy);

// For reports; shares and scores from 0 to 1.
Json to_json(const CoverageCurve& curve);
Json to_json(const CoveragePoint& point);
// Points in percent over coverage in percent, as an SVG document. threshold: marked when it is there.
std::string coverage_chart(const CoverageCurve& curve, const std::optional<CoveragePoint>& chosen,
                           const std::string& title);

}  // namespace serene
