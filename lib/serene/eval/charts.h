// The pictures of a report, each a self-contained SVG document (see svg.h).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serene/eval/metrics.h"

namespace serene {

// One line or cloud of points; x and y have the same length. Points that are not finite are left out.
struct Series {
  std::string name;
  std::vector<double> x, y;
  bool line = true;
  bool points = false;
};

struct LineChart {
  std::string title, x_label, y_label;
  std::vector<Series> series;
  std::optional<double> mark_x;  // a dashed vertical line
  std::string mark_label;
  std::optional<double> y_low, y_high;  // otherwise from the data
};
// The chart as SVG text. Thread-safe.
std::string line_chart(const LineChart& chart);

// One entry per epoch; a curve that was not measured stays empty.
struct LearningCurves {
  std::vector<double> epoch;
  std::vector<double> train_loss, validation_loss;
  std::vector<double> train_score, validation_score;  // fractions
  std::string score_name = "UAR";
  std::optional<double> best_epoch;
};
// Loss and score side by side.
std::string learning_curves_chart(const LearningCurves& curves, const std::string& title);

// Counts, coloured by the share of the row, with the share in each cell.
std::string confusion_chart(const ConfusionMatrix& matrix, const std::vector<std::string>& labels,
                            const std::string& title);

// Accuracy against confidence, and below it how many clips each bin has.
std::string reliability_chart(std::span<const ReliabilityBin> bins, const std::string& title);

struct Bar {
  std::string label;
  double value = 0;
  std::optional<double> low, high;  // whisker
  int colour = 0;                   // index into BarChart::colours
};
struct BarChart {
  std::string title, y_label;
  std::vector<Bar> bars;
  std::vector<std::string> colours;  // legend, may be empty
  std::optional<double> reference;   // a dashed horizontal line
  std::string reference_label;
  std::optional<double> y_high;  // otherwise from the data; bars start at 0
};
// The chart as SVG text. Thread-safe.
std::string bar_chart(const BarChart& chart);

}  // namespace serene
