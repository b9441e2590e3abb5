#include "serene/eval/evaluation.h"

#include <doctest/doctest.h>

#include <sstream>

#include "predictions.h"
#include "serene/core/error.h"
#include "serene/eval/cross_validation.h"
#include "serene/eval/text_table.h"

using namespace serene;
using doctest::Approx;
using serene::test::crowd;
using serene::test::prediction;

namespace {

const std::vector<std::string> labels = {"neutral", "happy", "sad", "angry"};

std::vector<FoldResult> two_seeds() {
  std::vector<FoldResult> results;
  for (const std::uint64_t seed : {9u, 4u}) {
    for (Index fold = 0; fold < 3; ++fold)
      results.push_back({seed, fold, crowd(6, 20, 4, 10 * seed + 1 + static_cast<std::uint64_t>(fold))});
  }
  return results;
}

bool has_digit(const std::string& line) { return line.find_first_of("0123456789") != std::string::npos; }

}  // namespace

TEST_CASE("evaluation: groups, gap and notes by hand") {
  // Ann: 2 of 2 right. Bob: happy right, sad wrong. No angry clips at all.
  const std::vector<Prediction> list = {prediction(0, 0, 4, "ann", "female"), prediction(1, 1, 4, "ann", "female"),
                                        prediction(1, 1, 4, "bob", "male"), prediction(2, 3, 4, "bob", "male")};
  const Evaluation e = evaluate(list, labels);
  CHECK(e.clips == 4);
  CHECK(e.scores.uar == Approx(2.0 / 3));
  CHECK(e.scores.war == Approx(0.75));
  REQUIRE(e.speakers.size() == 2);
  CHECK(e.speakers[0].name == "ann");
  CHECK(e.speakers[0].uar == 1);
  CHECK(e.speakers[1].uar == 0.5);
  CHECK(e.speaker_uar.min == 0.5);
  CHECK(e.speaker_uar.median == 0.75);
  REQUIRE(e.sex_gap.has_value());
  CHECK(*e.sex_gap == Approx(-0.5));
  const std::string table = to_table(e);
  CHECK(table.find("class angry has no clips and is left out of the means, but was predicted 1 times") !=
        std::string::npos);
  CHECK(table.find("class sad was never predicted") != std::string::npos);
  CHECK(table.find("-50.00 points") != std::string::npos);
}

TEST_CASE("evaluation: unknown sex gives no gap") {
  const std::vector<Prediction> list = {prediction(0, 0, 4, "ann"), prediction(1, 1, 4, "bob", "male")};
  const Evaluation e = evaluate(list, labels);
  CHECK_FALSE(e.sex_gap.has_value());
  CHECK(e.sexes.back().name == "unknown");
  CHECK(to_json(e)["sex_gap_uar"].is_null());
}

TEST_CASE("evaluation: JSON holds everything, is the same twice and never holds NaN") {
  const auto list = crowd(8, 40, 4);
  const Evaluation e = evaluate(list, labels, {.title = "m", .protocol = "p"});
  const Json json = to_json(e);
  CHECK(json.dump() == to_json(evaluate(list, labels, {.title = "m", .protocol = "p"})).dump());
  for (const char* key : {"title", "protocol", "leaky", "clips", "labels", "uar", "war", "macro_f1", "classes",
                          "confusion", "speaker_uar", "speakers", "sexes", "sex_gap_uar", "temperature", "calibrated",
                          "uncalibrated", "reliability", "notes"}) {
    CHECK(json.contains(key));
  }
  CHECK(json["uar"]["estimate"].get<double>() == e.uar.estimate);
  CHECK(json["confusion"][1][1].get<int>() == e.confusion.at(1, 1));
  CHECK(json.dump().find("null") == std::string::npos);
  CHECK(json.dump().find("LEAKY") == std::string::npos);
}

TEST_CASE("evaluation: broken labels are refused") {
  const std::vector<Prediction> list = {prediction(0, 0, 2)};
  CHECK_THROWS_AS(evaluate(list, {}), Error);
  CHECK_THROWS_AS(evaluate(list, {"a", "a"}), Error);
  CHECK_THROWS_AS(evaluate(list, {"a", ""}), Error);
  CHECK_THROWS_AS(evaluate(list, {"a", "b", "c"}), Error);
  CHECK_THROWS_AS(evaluate({}, {"a"}), Error);
}

TEST_CASE("evaluation: the table fits 100 columns and hostile names stay on their line") {
  auto list = crowd(8, 40, 8);
  for (Prediction& p : list) p.speaker += "\n\x1b[31mred " + std::string(200, 'x');
  const std::vector<std::string> names = {"neutral", "calm",    "happy",   "sad",
                                          "angry",   "fearful", "disgust", "surprised"};
  for (const bool leaky : {false, true}) {
    std::istringstream lines(
        to_table(evaluate(list, names, {.title = "model", .protocol = "random10", .leaky = leaky})));
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      if (line.find("note: ") != 0 && line.find("LEAKY: test data") != 0) CHECK(line.size() <= 100);
      CHECK(line.find('\x1b') == std::string::npos);
    }
  }
}

TEST_CASE("evaluation: LEAKY stands in the heading and beside every number") {
  const auto list = crowd(5, 20, 4);
  const EvaluationOptions leaky{.title = "m", .protocol = "kaggle-leaky", .leaky = true};
  for (const std::string& text :
       {to_table(evaluate(list, labels, leaky)), to_table(summarize(two_seeds(), labels, leaky))}) {
    CHECK(text.find("LEAKY: m, protocol kaggle-leaky\n") == 0);
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      if (has_digit(line) && line.find("note: ") != 0) CHECK(line.find("LEAKY") != std::string::npos);
    }
  }
  CHECK(to_json(evaluate(list, labels, leaky)).dump().find("LEAKY") != std::string::npos);
  CHECK(to_table(evaluate(list, labels, {.title = "m"})).find("LEAKY") == std::string::npos);
  const std::vector<Evaluation> both = {evaluate(list, labels, leaky), evaluate(list, labels, {.title = "clean"})};
  CHECK(to_comparison(both).find(" LEAKY") != std::string::npos);
}

TEST_CASE("cross-validation: spread over seeds of the means over folds") {
  const auto results = two_seeds();
  const CrossValidation cv = summarize(results, labels, {.title = "m", .protocol = "p"});
  REQUIRE(cv.folds.size() == 6);
  CHECK(cv.folds[0].seed == 4);  // sorted
  CHECK(cv.folds[5].fold == 2);
  double sums[2] = {0, 0};
  for (std::size_t i = 0; i < 6; ++i) sums[i / 3] += cv.folds[i].uar / 3;
  CHECK(cv.seeds[0].uar == Approx(sums[0]));
  CHECK(cv.uar.mean == Approx((sums[0] + sums[1]) / 2));
  CHECK(cv.uar.deviation == Approx(std::abs(sums[0] - sums[1]) / std::sqrt(2.0)));
  CHECK(cv.fold_uar.count == 6);
  CHECK(cv.pooled.clips == 6 * 120);
  CHECK(to_json(cv)["folds"].size() == 6);
  CHECK(to_json(cv)["pooled"]["clips"] == 720);
}

TEST_CASE("cross-validation: one seed has no spread; doubled folds are refused") {
  auto results = two_seeds();
  const auto one = std::span(results).first(3);
  const CrossValidation cv = summarize(one, labels);
  CHECK(cv.uar.deviation == 0);
  CHECK(to_json(cv)["uar"]["deviation"].is_null());
  CHECK(to_table(cv).find("one seed, no spread") != std::string::npos);
  results.push_back(results[0]);
  CHECK_THROWS_AS(summarize(results, labels), Error);
  CHECK_THROWS_AS(summarize({}, labels), Error);
}

TEST_CASE("text table: numbers and widths") {
  CHECK(fixed(-0.0004, 2) == "0.00");
  CHECK(fixed(1e300 * 1e300, 2) == "n/a");
  CHECK(percent(0.62314) == "62.31");
  CHECK(pad_left("caf\xc3\xa9", 6) == "  caf\xc3\xa9");
  TextTable table({"a", "long"}, " !");
  table.row({"xyz", "1"});
  CHECK(table.str() == "a    long !\nxyz     1 !\n");
  TextTable words({"#", "name", "shape", "share", "text"});
  words.row({"9", "conv", "75 x 128", "n/a", "one"});
  words.row({"10", "x1", "8", "-2.50", "three"});
  CHECK(words.str() ==
        " #  name     shape  share  text\n 9  conv  75 x 128    n/a  one\n10  x1           8  -2.50  three\n");
  CHECK(TextTable({"none", "two"}).str() == "none  two\n");
}
