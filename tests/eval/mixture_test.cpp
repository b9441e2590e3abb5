// Several models' answers as one.
#include "serene/eval/mixture.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "predictions.h"
#include "serene/core/error.h"
#include "serene/eval/cross_validation.h"

using namespace serene;
using test::with_probabilities;

namespace {

std::vector<double> shares(const Prediction& p) {
  std::vector<double> values = log_probabilities(p.logits, p.temperature);
  for (double& v : values) v = std::exp(v);
  return values;
}

std::vector<Prediction> one(const std::vector<double>& probabilities) { return {with_probabilities(0, probabilities)}; }

}  // namespace

TEST_CASE("mixture: the weighted mean of calibrated probabilities, each at its own temperature") {
  std::vector<std::vector<Prediction>> members{one({0.7, 0.2, 0.1}), one({0.1, 0.8, 0.1})};
  auto mixed = mix_predictions(members);
  REQUIRE(mixed.size() == 1);
  CHECK(mixed[0].temperature == 1);
  CHECK(shares(mixed[0])[0] == doctest::Approx(0.4));
  CHECK(shares(mixed[0])[1] == doctest::Approx(0.5));
  const double weights[] = {3, 1};
  CHECK(shares(mix_predictions(members, weights)[0])[0] == doctest::Approx(0.55));
  // At temperature 2 the first member's logits say less: sqrt(p), scaled.
  members[0][0].temperature = 2;
  const double sum = std::sqrt(0.7) + std::sqrt(0.2) + std::sqrt(0.1);
  CHECK(shares(mix_predictions(members)[0])[0] == doctest::Approx((std::sqrt(0.7) / sum + 0.1) / 2));
}

TEST_CASE("mixture: one that is sure of a wrong answer cannot veto the others, and nothing is infinite") {
  std::vector<std::vector<Prediction>> members{one({1e-300, 1, 1e-300}), one({0.9, 0.05, 0.05}),
                                               one({0.9, 0.05, 0.05})};
  CHECK(predicted_class(mix_predictions(members)[0]) == 0);
  members[0][0].logits = {-4000, 0, -4000};
  members[1] = members[2] = members[0];
  for (const double z : mix_predictions(members)[0].logits) CHECK(std::isfinite(z));
}

TEST_CASE("mixture: one member alone is itself; clips may come in any order") {
  const auto a = test::crowd(3, 4, 2, 1);
  const std::vector<std::vector<Prediction>> alone{a};
  CHECK(mix_predictions(alone)[5].logits == a[5].logits);
  auto b = test::crowd(3, 4, 2, 1);
  std::reverse(b.begin(), b.end());
  const std::vector<std::vector<Prediction>> both{a, b};
  CHECK(same_clips(both));
  const auto mixed = mix_predictions(both);
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(mixed[i].clip == a[i].clip);
    CHECK(shares(mixed[i])[0] == doctest::Approx(shares(a[i])[0]));
  }
}

TEST_CASE("mixture: clips that differ are refused by name") {
  auto members = std::vector<std::vector<Prediction>>{test::crowd(2, 3, 2), test::crowd(2, 3, 2)};
  members[1][4].clip = "other";
  CHECK_FALSE(same_clips(members));
  CHECK_THROWS_AS(mix_predictions(members), Error);
  members[1] = members[0];
  members[1][2].truth = 1 - members[1][2].truth;
  CHECK_FALSE(same_clips(members));
  CHECK_THROWS_AS(mix_predictions(members), Error);
  members[1] = members[0];
  members[1].push_back(members[1][0]);
  CHECK_THROWS_AS(mix_predictions(members), Error);
  members[1].pop_back();
  members[1].pop_back();
  CHECK_THROWS_AS(mix_predictions(members), Error);
  CHECK_THROWS_AS(mix_predictions({}), Error);
}

TEST_CASE("mixture: labels in another order") {
  std::vector<Prediction> p{with_probabilities(2, {0.2, 0.3, 0.5})};
  const int places[] = {1, 2, 0};
  reorder_labels(p, places);
  CHECK(p[0].truth == 0);
  CHECK(shares(p[0])[0] == doctest::Approx(0.5));
  CHECK(shares(p[0])[1] == doctest::Approx(0.2));
}

TEST_CASE("mixture: a cross-validation tells what its seeds are worth together") {
  std::vector<FoldResult> results;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    for (Index fold = 0; fold < 2; ++fold) {
      FoldResult r{seed, fold, {}};
      for (int i = 0; i < 30; ++i) {
        // Each seed is right on two thirds of the clips; together they are always right.
        const int truth = i % 3, guess = i % 3 == static_cast<int>(seed - 1) ? (truth + 1) % 3 : truth;
        r.predictions.push_back(test::prediction(truth, guess, 3, "s" + std::to_string(fold)));
        r.predictions.back().clip += "-" + std::to_string(i);
      }
      results.push_back(r);
    }
  }
  const std::vector<std::string> labels{"a", "b", "c"};
  const CrossValidation cv = summarize(results, labels);
  CHECK(cv.uar.mean == doctest::Approx(2.0 / 3));
  REQUIRE(cv.ensemble);
  CHECK(cv.ensemble->members == 3);
  CHECK(cv.ensemble->uar == doctest::Approx(1));
  CHECK(cv.ensemble->folds.size() == 2);
  CHECK(to_json(cv)["ensemble"]["folds"][1]["fold"] == 1);
  CHECK(to_table(cv).find("of the 3 seeds as one") != std::string::npos);

  // Other clips, or a fold less: there is nothing to mix.
  auto other = results;
  other[3].predictions[7].clip = "elsewhere";
  CHECK_FALSE(summarize(other, labels).ensemble);
  results.pop_back();
  CHECK_FALSE(summarize(results, labels).ensemble);
  results.resize(2);
  CHECK_FALSE(summarize(results, labels).ensemble);
}
