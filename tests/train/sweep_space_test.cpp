#include "serene/train/sweep_space.h"

#include <doctest/doctest.h>

#include <set>

#include "../support/temp_folder.h"
#include "serene/train/run_config.h"

namespace serene {
namespace {

SweepSpace space_of(const std::string& text) { return sweep_space_from_json(parse_json(text, "space")); }
std::string refusal(const std::string& text) {
  return test::error_of([&] { space_of(text); });
}
bool holds(const std::string& text, const std::string& word) { return text.find(word) != std::string::npos; }

const char* kWide = R"({
  "protocol": "ravdess-luna5", "folds": [0, 2],
  "train.optimizer.learning_rate": {"log_uniform": [1e-4, 1e-1]},
  "train.loss.label_smoothing": {"uniform": [0, 0.3]},
  "train.batch_size": {"int": [4, 9]},
  "model.layers.lstm.units": {"log_int": [8, 256]},
  "train.schedule": {"choice": [{"type": "cosine"}, {"type": "constant"}, null]},
  "train.optimizer.type": {"choice": ["adam", "sgd"]},
  "train.optimizer.nesterov": {"choice": [true, false], "when": {"train.optimizer.type": "sgd"}},
  "train.optimizer.momentum": {"uniform": [0.5, 0.9], "when": {"train.optimizer.nesterov": true}}})";

}  // namespace

TEST_CASE("sweep space: protocol, folds and every kind of values are read") {
  const SweepSpace space = space_of(kWide);
  CHECK(space.protocol == "ravdess-luna5");
  CHECK(space.folds == std::vector<int>{0, 2});
  REQUIRE(space.dimensions.size() == 8);
  CHECK(space.at("train.batch_size").low == 4);
  CHECK(space.at("train.optimizer.learning_rate").is_log());
  CHECK(space.at("train.schedule").choices.size() == 3);
  CHECK(space.at("train.optimizer.momentum").when.size() == 1);
}

TEST_CASE("sweep space: hostile files are refused with the place and the reason") {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "no key to search"},
      {R"({"folds": [0]})", "no key to search"},
      {"[1]", "expected object"},
      {R"({"a": 3})", "a: wrong type"},
      {R"({"a": {}})", "a: one kind of values is needed"},
      {R"({"a": {"uniform": [0, 1], "int": [0, 1]}})", "one kind"},
      {R"({"a": {"unifrom": [0, 1]}})", "a.unifrom: unknown key"},
      {R"({"a": {"uniform": [0, 1], "step": 2}})", "a.step: unknown key"},
      {R"({"a": {"uniform": [1, 0]}})", "a.uniform: an empty range"},
      {R"({"a": {"uniform": [1, 1]}})", "empty range"},
      {R"({"a": {"uniform": [0, 1, 2]}})", "not a range"},
      {R"({"a": {"uniform": ["0", 1]}})", "a.uniform[0]: wrong type"},
      {R"({"a": {"uniform": [-1e308, 1e308]}})", "too wide"},
      {R"({"a": {"log_uniform": [0, 1]}})", "above 0"},
      {R"({"a": {"log_int": [-3, 8]}})", "above 0"},
      {R"({"a": {"int": [0.5, 3]}})", "not whole numbers"},
      {R"({"a": {"int": [0, 18446744073709551615]}})", "2^53"},
      {R"({"a": {"choice": []}})", "a.choice"},
      {R"({"a": {"choice": "x"}})", "a.choice"},
      {R"({"a": {"choice": [1, 2, 1]}})", "the same value twice"},
      {R"({"a": {"int": [0, 1], "when": {"b": 1}}})", "a.when.b: no key of this space"},
      {R"({"a": {"int": [0, 1], "when": {}}})", "a.when: empty"},
      {R"({"a": {"int": [0, 1], "when": 3}})", "a.when: wrong type"},
      {R"({"a": {"int": [0, 1], "when": {"b": 9}}, "b": {"choice": [1, 2]}})", "never holds"},
      {R"({"a": {"int": [0, 1], "when": {"b": 1}}, "b": {"int": [1, 2]}})", "not a choice"},
      {R"({"a": {"choice": [1], "when": {"a": 1}}})", "circle"},
      {R"({"a": {"choice": [1], "when": {"b": 1}}, "b": {"choice": [1], "when": {"a": 1}}})", "circle"},
      {R"({"a..b": {"int": [0, 1]}})", "not a key of a config"},
      {R"({".a": {"int": [0, 1]}})", "not a key of a config"},
      {R"({"": {"int": [0, 1]}})", "not a key of a config"},
      {R"({"a=b": {"int": [0, 1]}})", "not a key of a config"},
      {R"({"a\nb": {"int": [0, 1]}})", "not a key of a config"},
      {R"({"seed": {"int": [0, 1]}})", "seed: cannot be searched"},
      {R"({"split.seed": {"int": [0, 1]}})", "cannot be searched"},
      {R"({"split": {"choice": [{}]}})", "cannot be searched"},
      {R"({"data": {"choice": [{}]}})", "cannot be searched"},
      {R"({"data.corpus": {"choice": ["ravdess"]}})", "cannot be searched"},
      {R"({"protocol": 3, "a": {"int": [0, 1]}})", "protocol: wrong type"},
      {R"({"protocol": "", "a": {"int": [0, 1]}})", "protocol: empty"},
      {R"({"folds": [], "a": {"int": [0, 1]}})", "folds: empty"},
      {R"({"folds": [0.5], "a": {"int": [0, 1]}})", "folds: not numbers"},
      {R"({"folds": [-1], "a": {"int": [0, 1]}})", "folds: not numbers"},
      {R"({"folds": [1, 1], "a": {"int": [0, 1]}})", "the same fold twice"},
  };
  for (const auto& [text, word] : cases) CHECK_MESSAGE(holds(refusal(text), word), text << " -> " << refusal(text));

  Json many = Json::object();
  for (int i = 0; i < 65; ++i) many["k" + std::to_string(i)] = {{"int", {0, 1}}};
  CHECK(holds(test::error_of([&] { sweep_space_from_json(many); }), "too many keys"));
}

TEST_CASE("sweep space: draws are in range, follow their conditions and are a pure function of seed and trial") {
  const SweepSpace space = space_of(kWide);
  std::set<std::string> seen_batches, seen_schedules;
  int nesterov = 0, momentum = 0, low_rates = 0;
  for (std::uint64_t k = 0; k < 400; ++k) {
    const TrialValues v = draw_trial(space, 7, k);
    CHECK(v == draw_trial(space, 7, k));
    const double rate = v[0]->get<double>();
    CHECK((rate >= 1e-4 && rate <= 1e-1));
    low_rates += rate < 1e-3;
    const double smoothing = v[1]->get<double>();
    CHECK((smoothing >= 0 && smoothing <= 0.3));
    REQUIRE(v[2]->is_number_integer());
    seen_batches.insert(v[2]->dump());
    const auto units = v[3]->get<std::int64_t>();
    CHECK((units >= 8 && units <= 256));
    seen_schedules.insert(v[4]->dump());
    const bool sgd = *v[5] == "sgd";
    CHECK(v[6].has_value() == sgd);
    CHECK(v[7].has_value() == (sgd && *v[6] == true));
    nesterov += v[6].has_value(), momentum += v[7].has_value();
  }
  CHECK(seen_batches == std::set<std::string>{"4", "5", "6", "7", "8", "9"});
  CHECK(seen_schedules.size() == 3);
  CHECK((nesterov > 150 && nesterov < 250));
  CHECK((momentum > 60 && momentum < 140));
  CHECK((low_rates > 100 && low_rates < 170));  // a third, as uniform in the logarithm
  CHECK(draw_trial(space, 7, 0) != draw_trial(space, 8, 0));
}

TEST_CASE("sweep space: another key leaves the draws of the others as they are") {
  const SweepSpace one = space_of(R"({"a": {"uniform": [0, 1]}})");
  const SweepSpace two = space_of(R"({"b": {"choice": [1, 2, 3]}, "a": {"uniform": [0, 1]}})");
  for (std::uint64_t k = 0; k < 20; ++k) CHECK(draw_trial(one, 3, k)[0] == draw_trial(two, 3, k)[1]);
}

TEST_CASE("sweep space: overrides set what --set sets, whole objects before the keys in them") {
  const SweepSpace space = space_of(R"({
    "train.optimizer.learning_rate": {"uniform": [0.5, 0.6]},
    "train.optimizer": {"choice": [{"type": "sgd", "learning_rate": 9}]},
    "name_of": {"choice": ["a=b \"c\""]}})");
  Json config = Json::object();
  for (const std::string& text : trial_overrides(space, draw_trial(space, 1, 0))) apply_override(config, text);
  CHECK(config["train"]["optimizer"]["type"] == "sgd");
  CHECK(config["train"]["optimizer"]["learning_rate"].get<double>() < 1);
  CHECK(config["name_of"] == "a=b \"c\"");
}

TEST_CASE("sweep space: a key is probed together with what makes it exist") {
  const SweepSpace space = space_of(kWide);
  const auto probe = probe_overrides(space, "train.optimizer.momentum");
  CHECK(probe == std::vector<std::string>{"train.optimizer.momentum=0.5", "train.optimizer.nesterov=true",
                                          "train.optimizer.type=\"sgd\""});
}

TEST_CASE("sweep space: short names tell keys apart") {
  const SweepSpace space = space_of(R"({"a.b.units": {"int": [1, 2]}, "a.c.units": {"int": [1, 2]},
    "rate": {"int": [1, 2]}})");
  CHECK(short_keys(space) == std::vector<std::string>{"b.units", "c.units", "rate"});
  CHECK(value_text(Json(0.00123456)) == "0.001235");
  CHECK(value_text(Json("text")) == "text");
  CHECK(value_text(std::nullopt) == "-");
}

}  // namespace serene
