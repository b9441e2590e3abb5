#include "serene/call/truth_score.h"

#include <doctest/doctest.h>

using namespace serene;

namespace {

const std::vector<StateGroup> kGroups{{"neutral", {"neutral", "calm"}, 0}, {"angry", {"angry"}, 1}};

TruthPiece piece(std::int64_t start_ms, std::int64_t end_ms, const std::string& emotion, Leg leg = Leg::customer) {
  TruthPiece p;
  p.leg = leg;
  p.start_ms = start_ms;
  p.end_ms = end_ms;
  p.emotion = emotion;
  return p;
}

Json speech(const char* action, std::int64_t at_ms, const char* leg = "customer") {
  return Json{{"t_ms", at_ms + 300}, {"type", "speech"}, {"leg", leg}, {"action", action}, {"at_ms", at_ms}};
}

Json emotion(std::int64_t t_ms, const char* state, const char* top, std::int64_t window_ms = 3000) {
  return Json{{"t_ms", t_ms}, {"type", "emotion"}, {"state", state}, {"top", top}, {"window_ms", window_ms}};
}

}  // namespace

TEST_CASE("truth score: the state is right, uncertain or wrong, and calm counts as neutral") {
  const auto score = score_truth({piece(0, 10000, "calm")}, kGroups,
                                 {speech("start", 100), emotion(3200, "neutral", "neutral"),
                                  emotion(3700, "uncertain", "neutral"), emotion(4200, "angry", "angry")});
  CHECK(score.all.windows == 3);
  CHECK(score.all.right == 1);
  CHECK(score.all.uncertain == 1);
  CHECK(score.all.wrong == 1);
  CHECK(score.all.best_right == 2);
  CHECK(score.unmixed.windows == 3);
  CHECK(score.counts.at("neutral").at("angry") == 1);
}

TEST_CASE("truth score: a window reaches back over pauses, and the longer part decides") {
  // Speech 0..2 s calm, then 10..14 s angry: at 11 s the window of 3 s holds 1 s of anger and 2 s of calm.
  const std::vector<TruthPiece> truth{piece(0, 2000, "calm"), piece(10000, 14000, "angry")};
  const std::vector<Json> events{speech("start", 0),
                                 speech("stop", 2000),
                                 speech("start", 10000),
                                 emotion(11000, "neutral", "neutral"),
                                 emotion(11800, "angry", "angry"),
                                 emotion(13500, "angry", "angry")};
  const auto score = score_truth(truth, kGroups, events);
  CHECK(score.all.windows == 3);
  CHECK(score.all.right == 3);
  CHECK(score.unmixed.windows == 1);
  CHECK(score.counts.at("neutral").at("neutral") == 1);
  CHECK(score.counts.at("angry").at("angry") == 2);
}

TEST_CASE("truth score: equal parts go to the earlier one") {
  const std::vector<TruthPiece> truth{piece(0, 1000, "angry"), piece(1000, 2000, "calm")};
  const auto score = score_truth(truth, kGroups, {speech("start", 0), emotion(2000, "angry", "angry")});
  CHECK(score.all.right == 1);
}

TEST_CASE("truth score: what is not the customer's, or has no known emotion, does not count") {
  const std::vector<TruthPiece> truth{piece(0, 5000, "angry", Leg::agent), piece(0, 2000, ""),
                                      piece(2000, 4000, "boredom")};
  const auto score =
      score_truth(truth, kGroups, {speech("start", 0, "agent"), speech("start", 0), emotion(3000, "angry", "angry")});
  CHECK(score.all.windows == 0);
  CHECK(to_json(score)["right"].is_null());
}

TEST_CASE("truth score: as JSON, with shares") {
  const auto score = score_truth({piece(0, 9000, "angry")}, kGroups,
                                 {speech("start", 0), emotion(3000, "angry", "angry"), emotion(3500, "angry", "angry"),
                                  emotion(4000, "neutral", "neutral")});
  const Json json = to_json(score);
  CHECK(json["windows"] == 3);
  CHECK(json["right"].get<double>() == doctest::Approx(0.6667));
  CHECK(json["unmixed"]["wrong"].get<double>() == doctest::Approx(0.3333));
  CHECK(json["counts"]["angry"]["neutral"] == 1);
}
