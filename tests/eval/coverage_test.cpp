// What a model gains by leaving uncertain answers out.
#include "serene/eval/coverage.h"

#include <doctest/doctest.h>

#include "markup_check.h"
#include "predictions.h"
#include "serene/core/error.h"
#include "serene/eval/evaluation.h"

using namespace serene;
using test::with_probabilities;

namespace {

// Certainties 0.95, 0.85, ... 0.55; the two least certain are wrong.
std::vector<Prediction> staircase() {
  std::vector<Prediction> list;
  for (int i = 0; i < 5; ++i) {
    const double sure = 0.95 - 0.1 * i;
    list.push_back(with_probabilities(i < 3 ? 0 : 1, {sure, 1 - sure}));
    list.back().clip = "c" + std::to_string(i);
  }
  return list;
}

}  // namespace

TEST_CASE("coverage: points, area and the answers at a threshold") {
  auto list = staircase();
  const CoverageCurve curve = coverage_curve(list, 2);
  REQUIRE(curve.points.size() == 5);
  CHECK(curve.points[2].coverage == doctest::Approx(0.6));
  CHECK(curve.points[2].accuracy == 1);
  CHECK(curve.points[2].threshold == doctest::Approx(0.75));
  CHECK(curve.points[4].coverage == 1);
  CHECK(curve.points[4].accuracy == doctest::Approx(0.6));
  CHECK(curve.points[4].uar == doctest::Approx(0.5));
  CHECK(curve.area == doctest::Approx((0 + 0 + 0 + 0.25 + 0.4) / 5));
  // The order of the clips does not count.
  std::swap(list[0], list[4]);
  CHECK(coverage_curve(list, 2).area == doctest::Approx(curve.area));
  const CoveragePoint at = coverage_at(list, 2, 0.7);
  CHECK(at.coverage == doctest::Approx(0.6));
  CHECK(at.accuracy == 1);
  CHECK(coverage_at(list, 2, 0.99).coverage == 0);
}

TEST_CASE("coverage: the temperature counts, and clips of equal certainty are answered together") {
  auto list = staircase();
  for (Prediction& p : list) p.temperature = 2;
  CHECK(coverage_curve(list, 2).points[0].threshold < 0.9);
  const std::vector<Prediction> equal{with_probabilities(0, {0.8, 0.2}), with_probabilities(1, {0.8, 0.2}),
                                      with_probabilities(0, {0.8, 0.2}), with_probabilities(1, {0.8, 0.2})};
  const CoverageCurve curve = coverage_curve(equal, 2);
  REQUIRE(curve.points.size() == 1);
  CHECK(curve.points[0].coverage == 1);
  CHECK(curve.area == doctest::Approx(0.5));
}

TEST_CASE("coverage: at most twenty points for many clips, the last of them all clips") {
  const auto many = test::crowd(10, 100, 4, 3);
  std::vector<Prediction> different = many;
  for (std::size_t i = 0; i < different.size(); ++i) different[i].temperature = 1 + 0.001 * static_cast<double>(i);
  const CoverageCurve curve = coverage_curve(different, 4);
  CHECK(curve.points.size() == 20);
  CHECK(curve.points.back().coverage == 1);
  for (std::size_t i = 1; i < curve.points.size(); ++i) {
    CHECK(curve.points[i].coverage > curve.points[i - 1].coverage);
    CHECK(curve.points[i].threshold <= curve.points[i - 1].threshold);
  }
}

TEST_CASE("coverage: thresholds for a share of the clips and for an accuracy") {
  const auto list = staircase();
  CHECK(threshold_for_coverage(list, 0.6) == doctest::Approx(0.75));
  CHECK(threshold_for_coverage(list, 0.61) == doctest::Approx(0.65));
  CHECK(threshold_for_coverage(list, 0) == doctest::Approx(0.95));
  CHECK(threshold_for_coverage(list, 1) == 0);
  for (const double share : {0.2, 0.4, 0.6, 0.8}) {
    CHECK(coverage_at(list, 2, threshold_for_coverage(list, share)).coverage == doctest::Approx(share));
  }
  CHECK(*threshold_for_accuracy(list, 1) == doctest::Approx(0.75));
  CHECK(*threshold_for_accuracy(list, 0.7) == doctest::Approx(0.65));
  CHECK(*threshold_for_accuracy(list, 0.1) == doctest::Approx(0.55));
  const std::vector<Prediction> wrong{with_probabilities(1, {0.9, 0.1})};
  CHECK_FALSE(threshold_for_accuracy(wrong, 0.5));
  CHECK_THROWS_AS(threshold_for_coverage({}, 0.5), Error);
  CHECK_THROWS_AS(coverage_curve({}, 2), Error);
}

TEST_CASE("coverage: an evaluation tells it in every form") {
  EvaluationOptions options;
  const Evaluation plain = evaluate(staircase(), {"x", "y"}, options);
  CHECK_FALSE(plain.certain);
  CHECK(to_table(plain).find("answers 80 % of clips: WAR 75.00") != std::string::npos);
  CHECK_FALSE(to_json(plain).contains("certain"));
  options.uncertain_below = 0.7;
  const Evaluation e = evaluate(staircase(), {"x", "y"}, options);
  REQUIRE(e.certain);
  CHECK(e.certain->accuracy == 1);
  CHECK(to_table(e).find("at 0.700 answers 60 % of clips: WAR 100.00") != std::string::npos);
  CHECK(to_json(e)["certain"]["coverage"].get<double>() == doctest::Approx(0.6));
  CHECK(to_json(e)["coverage"]["points"].size() == 5);
}
