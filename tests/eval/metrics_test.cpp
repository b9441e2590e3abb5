#include "serene/eval/metrics.h"

#include <doctest/doctest.h>

#include <limits>

#include "predictions.h"
#include "serene/core/error.h"

using namespace serene;
using doctest::Approx;
using serene::test::prediction;
using serene::test::with_probabilities;

namespace {

ConfusionMatrix matrix_of(Index classes, std::vector<std::int64_t> counts) {
  ConfusionMatrix m(classes);
  m.counts = std::move(counts);
  return m;
}

}  // namespace

TEST_CASE("metrics: two classes by hand") {
  const Scores s = score(matrix_of(2, {3, 1, 2, 4}));
  CHECK(s.uar == Approx((0.75 + 4.0 / 6) / 2));
  CHECK(s.war == Approx(0.7));
  CHECK(s.macro_f1 == Approx((6.0 / 9 + 8.0 / 11) / 2));
  CHECK(s.classes[0].precision == Approx(0.6));
  CHECK(s.classes[1].precision == Approx(0.8));
  CHECK(s.classes[1].support == 6);
  CHECK(s.classes[1].predicted == 5);
  CHECK(s.absent == 0);
  CHECK(unweighted_average_recall(matrix_of(2, {3, 1, 2, 4})) == Approx(s.uar));
}

TEST_CASE("metrics: classes without clips are left out of the means") {
  // Class 2 has no clips but was predicted once; class 1 was never predicted.
  const Scores s = score(matrix_of(3, {4, 0, 1, 5, 0, 0, 0, 0, 0}));
  CHECK(s.absent == 1);
  CHECK(s.uar == Approx((0.8 + 0) / 2));
  CHECK(s.war == Approx(0.4));
  CHECK(s.macro_f1 == Approx((8.0 / 14 + 0) / 2));
  CHECK(s.classes[1].precision == 0);
  CHECK(s.classes[2].recall == 0);
  const Scores none = score(ConfusionMatrix(3));
  CHECK(none.uar == 0);
  CHECK(none.absent == 3);
}

TEST_CASE("metrics: rows are truth, columns are predictions") {
  const std::vector<Prediction> list = {prediction(0, 1, 2), prediction(0, 1, 2), prediction(1, 1, 2)};
  const ConfusionMatrix m = confusion_matrix(list, 2);
  CHECK(m.at(0, 1) == 2);
  CHECK(m.at(1, 0) == 0);
  CHECK(m.row_sum(0) == 2);
  CHECK(m.column_sum(1) == 3);
  CHECK(m.total() == 3);
}

TEST_CASE("metrics: NLL, Brier and ECE by hand") {
  const std::vector<Prediction> list = {with_probabilities(0, {0.9, 0.1}), with_probabilities(1, {0.9, 0.1}),
                                        with_probabilities(1, {0.4, 0.6})};
  const ProbabilityScores s = probability_scores(list, Calibrated::yes);
  CHECK(s.nll == Approx(-(std::log(0.9) + std::log(0.1) + std::log(0.6)) / 3));
  CHECK(s.brier == Approx((0.02 + 1.62 + 0.32) / 3));
  CHECK(s.ece == Approx((2 * std::abs(0.5 - 0.9) + std::abs(1 - 0.6)) / 3));
  const auto bins = reliability_bins(list, Calibrated::yes, 2);
  CHECK(bins.size() == 2);
  CHECK(bins[0].count == 0);
  CHECK(bins[1].count == 3);
  CHECK(bins[1].confidence == Approx(0.8));
  CHECK(bins[1].accuracy == Approx(2.0 / 3));
}

TEST_CASE("metrics: a prediction's temperature softens its probabilities") {
  std::vector<Prediction> list = {with_probabilities(0, {0.9, 0.1})};
  list[0].temperature = 2;  // (0.9/0.1)^(1/2) = 3 to 1
  CHECK(probability_scores(list, Calibrated::yes).nll == Approx(-std::log(0.75)));
  CHECK(probability_scores(list, Calibrated::no).nll == Approx(-std::log(0.9)));
}

TEST_CASE("metrics: huge logits stay finite") {
  Prediction p = prediction(1, 0, 2);
  p.logits = {1e308, -1e308};
  p.temperature = 0.05;
  const ProbabilityScores s = probability_scores(std::vector<Prediction>{p}, Calibrated::yes);
  CHECK(s.nll == Approx(700));
  CHECK(s.brier == Approx(2));
  CHECK(s.ece == Approx(1));
}

TEST_CASE("metrics: the first of equal logits wins") {
  Prediction p = prediction(0, 0, 3);
  p.logits = {1, 2, 2};
  CHECK(predicted_class(p) == 1);
}

TEST_CASE("metrics: unusable predictions are refused by the name of the clip") {
  const auto problem = [](Prediction p) {
    try {
      check_predictions(std::vector<Prediction>{p}, 2);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  Prediction good = prediction(0, 1, 2, "bob");
  CHECK(problem(good).empty());
  Prediction p = good;
  p.truth = 2;
  CHECK(problem(p).find("bob-0") != std::string::npos);
  p.truth = -1;
  CHECK_FALSE(problem(p).empty());
  p = good;
  p.logits[0] = std::numeric_limits<double>::quiet_NaN();
  CHECK(problem(p).find("not finite") != std::string::npos);
  p = good;
  p.logits.push_back(0);
  CHECK(problem(p).find("number of logits") != std::string::npos);
  p = good;
  p.temperature = 0;
  CHECK(problem(p).find("temperature") != std::string::npos);
  CHECK_THROWS_AS(check_predictions({}, 2), Error);
}

TEST_CASE("metrics: spreads") {
  CHECK(min_median_max({3, 1, 2}).median == 2);
  CHECK(min_median_max({4, 1, 2, 3}).median == 2.5);
  CHECK(min_median_max({4, 1, 2, 3}).max == 4);
  CHECK(min_median_max({}).median == 0);
  const std::vector<double> values = {2, 4, 4, 6};
  CHECK(mean_deviation(values).mean == 4);
  CHECK(mean_deviation(values).deviation == Approx(std::sqrt(8.0 / 3)));
  CHECK(mean_deviation(std::vector<double>{5}).deviation == 0);
}
