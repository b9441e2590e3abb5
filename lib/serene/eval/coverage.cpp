#include "serene/eval/coverage.h"

#include <algorithm>
#include <cmath>

#include "serene/eval/charts.h"
#include "serene/eval/metrics.h"

namespace serene {
namespace {

constexpr std::size_t kPoints = 20;

struct Answer {
  double certainty;
  int truth, predicted;
};

// From the most certain to the least. The order among equals does not show in anything computed here.
std::vector<Answer> sorted_answers(std::span<const Prediction> predictions) {
  std::vector<Answer> answers;
  answers.reserve(predictions.size());
  for (const Prediction& p : predictions) answers.push_back({certainty(p), p.truth, predicted_class(p)});
  std::stable_sort(answers.begin(), answers.end(),
                   [](const Answer& a, const Answer& b) { return a.certainty > b.certainty; });
  return answers;
}

CoveragePoint point_of(const ConfusionMatrix& matrix, double threshold, std::size_t all) {
  const auto answered = static_cast<double>(matrix.total());
  return {threshold, answered / static_cast<double>(all), accuracy(matrix), unweighted_average_recall(matrix)};
}

}  // namespace

double certainty(const Prediction& p) {
  const std::vector<double> logs = log_probabilities(p.logits, p.temperature);
  return std::exp(*std::max_element(logs.begin(), logs.end()));
}

CoverageCurve coverage_curve(std::span<const Prediction> predictions, Index classes) {
  check_predictions(predictions, classes);
  const std::vector<Answer> answers = sorted_answers(predictions);
  const std::size_t n = answers.size();
  CoverageCurve curve;
  ConfusionMatrix matrix(classes);
  std::size_t next = 1;  // point to come, of kPoints
  for (std::size_t begin = 0; begin < n;) {
    std::size_t end = begin;
    for (; end < n && answers[end].certainty == answers[begin].certainty; ++end) {
      ++matrix.at(answers[end].truth, answers[end].predicted);
    }
    curve.area += static_cast<double>(end - begin) / static_cast<double>(n) * (1 - accuracy(matrix));
    if (end * kPoints >= next * n) {
      curve.points.push_back(point_of(matrix, answers[begin].certainty, n));
      next = end * kPoints / n + 1;
    }
    begin = end;
  }
  return curve;
}

CoveragePoint coverage_at(std::span<const Prediction> predictions, Index classes, double threshold) {
  check_predictions(predictions, classes);
  ConfusionMatrix matrix(classes);
  for (const Prediction& p : predictions) {
    if (certainty(p) >= threshold) ++matrix.at(p.truth, predicted_class(p));
  }
  return point_of(matrix, threshold, predictions.size());
}

double threshold_for_coverage(std::span<const Prediction> validation, double share) {
  if (validation.empty()) throw Error(ErrorCode::input, "predictions", "there is nothing to choose a threshold on");
  if (share >= 1) return 0;
  const std::vector<Answer> answers = sorted_answers(validation);
  const double wanted = std::ceil(share * static_cast<double>(answers.size()) - 1e-9);
  const auto place = static_cast<std::size_t>(std::clamp(wanted, 1.0, static_cast<double>(answers.size())));
  return answers[place - 1].certainty;
}

std::optional<double> threshold_for_accuracy(std::span<const Prediction> validation, double wanted) {
  if (validation.empty()) throw Error(ErrorCode::input, "predictions", "there is nothing to choose a threshold on");
  const std::vector<Answer> answers = sorted_answers(validation);
  std::optional<double> best;
  std::size_t right = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    right += answers[i].truth == answers[i].predicted;
    const bool last_of_equals = i + 1 == answers.size() || answers[i + 1].certainty != answers[i].certainty;
    if (last_of_equals && static_cast<double>(right) >= wanted * static_cast<double>(i + 1)) {
      best = answers[i].certainty;
    }
  }
  return best;
}

Json to_json(const CoveragePoint& p) {
  return {{"threshold", p.threshold}, {"coverage", p.coverage}, {"accuracy", p.accuracy}, {"uar", p.uar}};
}

Json to_json(const CoverageCurve& curve) {
  Json points = Json::array();
  for (const CoveragePoint& p : curve.points) points.push_back(to_json(p));
  return {{"area", curve.area}, {"points", points}};
}

std::string coverage_chart(const CoverageCurve& curve, const std::optional<CoveragePoint>& chosen,
                           const std::string& title) {
  LineChart chart;
  chart.title = title;
  chart.x_label = "answered (% of clips, the most certain first)";
  chart.y_label = "right (%)";
  Series accuracy{"accuracy", {}, {}, true, true}, uar{"UAR", {}, {}, true, false};
  for (const CoveragePoint& p : curve.points) {
    accuracy.x.push_back(100 * p.coverage), accuracy.y.push_back(100 * p.accuracy);
    uar.x.push_back(100 * p.coverage), uar.y.push_back(100 * p.uar);
  }
  chart.series = {accuracy, uar};
  if (chosen) chart.mark_x = 100 * chosen->coverage, chart.mark_label = "threshold";
  return line_chart(chart);
}

}  // namespace serene
