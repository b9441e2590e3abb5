#include "serene/train/sweep.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "../support/temp_folder.h"
#include "serene/core/random.h"
#include "serene/io/atomic_file.h"
#include "serene/train/sweep_halving.h"
#include "serene/train/sweep_report.h"
#include "synthetic_features.h"

namespace serene {
namespace {

const std::vector<std::string> kSpeakers = {R"(split.test_speakers=["s5"])", R"(split.validation_speakers=["s4"])",
                                            "train.epochs=4"};
const char* kSpace = R"({"train.optimizer.learning_rate": {"log_uniform": [1e-4, 0.1]},
  "train.optimizer.type": {"choice": ["adam", "sgd"]},
  "train.optimizer.momentum": {"uniform": [0.1, 0.9], "when": {"train.optimizer.type": "sgd"}}})";

// A folder with a config, a space and the searches over a corpus in memory.
struct Bench {
  test::TempFolder folder;
  FeatureSet features = test::synthetic_features(54);

  Bench() {
    write_file_atomic(folder / "config.json", test::small_run_json().dump());
    write_file_atomic(folder / "space.json", kSpace);
  }
  SweepPlan plan(const SweepOptions& options, std::vector<std::string> more = {}) const {
    std::vector<std::string> overrides = kSpeakers;
    overrides.insert(overrides.end(), more.begin(), more.end());
    SweepPlan p = plan_sweep(folder / "config.json", overrides, folder / "space.json", options);
    load_sweep_data(
        p, [&](const RunConfig&) { return features; }, folder / "space.json");
    return p;
  }
  std::string run(const SweepOptions& options, const std::string& name, int jobs = 1, int threads = 1) const {
    const SweepPlan p = plan(options);
    Sweep sweep(p, folder / name);
    sweep.run(jobs, threads);
    const SweepResults results = sweep.results();
    CHECK(results.complete);
    return sweep_to_json(p, results).dump();
  }
};

SweepOptions halving_of(std::size_t trials) {
  SweepOptions o;
  o.trials = trials;
  o.method = SweepMethod::halving;
  o.eta = 2, o.min_epochs = 1;
  return o;
}

SweepRun hand_made(const std::vector<double>& scores, const std::vector<bool>& best) {
  SweepRun run;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    EpochRecord e;
    e.epoch = static_cast<Index>(i), e.val_uar = scores[i], e.best = best[i];
    run.history.push_back(e);
  }
  return run;
}

}  // namespace

TEST_CASE("halving: budgets grow by eta and end with all epochs") {
  using List = std::vector<std::int64_t>;
  CHECK(halving_budgets(50, 3, 3) == List{3, 9, 27, 50});
  CHECK(halving_budgets(27, 3, 3) == List{3, 9, 27});
  CHECK(halving_budgets(50, 3, 0) == List{6, 18, 50});
  CHECK(halving_budgets(1, 3, 0) == List{1});
  CHECK(halving_budgets(5, 2, 9) == List{5});
  CHECK(halving_budgets(std::int64_t{1} << 62, 100, 1).size() == 11);
  CHECK(rung_size(27, 3, 0) == 27);
  CHECK(rung_size(27, 3, 2) == 3);
  CHECK(rung_size(5, 3, 9) == 1);
}

TEST_CASE("halving: the best go on, the lower number of equal ones, never a failed one") {
  const std::size_t members[] = {4, 7, 1, 9, 2};
  const double scores[] = {0.5, std::nan(""), 0.7, 0.5, 0.6};
  CHECK(rung_survivors(members, scores, 2) == std::vector<std::size_t>{1, 2});
  CHECK(rung_survivors(members, scores, 3) == std::vector<std::size_t>{1, 2, 4});
  CHECK(rung_survivors(members, scores, 9) == std::vector<std::size_t>{1, 2, 4, 9});
}

TEST_CASE("importance: of many keys the one that matters is found") {
  const SweepSpace space = sweep_space_from_json(parse_json(R"({"matters": {"log_uniform": [1e-4, 1]},
    "little": {"choice": ["a", "b", "c"]}, "nothing": {"uniform": [0, 1]}, "rare": {"int": [0, 9],
    "when": {"little": "a"}}})",
                                                            "space"));
  std::vector<TrialValues> trials;
  std::vector<double> scores;
  for (std::uint64_t k = 0; k < 60; ++k) {
    trials.push_back(draw_trial(space, 1, k));
    const TrialValues& v = trials.back();
    Random noise(3, Purpose::test, k);
    scores.push_back(0.5 + 0.1 * std::log10(v[0]->get<double>()) + (*v[1] == "b" ? 0.05 : 0) + 0.02 * noise.normal());
  }
  scores[5] = std::nan("");
  std::vector<SweepImportance> found;
  for (std::size_t d = 0; d < space.dimensions.size(); ++d) {
    std::vector<std::optional<Json>> values;
    for (const TrialValues& t : trials) values.push_back(t[d]);
    found.push_back(sweep_importance(space.dimensions[d], values, scores));
  }
  CHECK(found[0].trials == 59);
  CHECK(found[0].share > 0.7);
  CHECK(found[0].chance == doctest::Approx(0.001));
  CHECK(*found[0].rank_correlation > 0.85);
  CHECK(found[1].share < 0.35);
  CHECK(found[2].share < 0.2);
  CHECK(found[2].chance > 0.02);
  CHECK(found[3].trials < 40);
  CHECK_FALSE(found[1].rank_correlation.has_value());
}

TEST_CASE("importance: nothing to say about too few, equal or missing values") {
  const SweepSpace space = sweep_space_from_json(parse_json(R"({"x": {"int": [0, 9]}})", "space"));
  const auto of = [&](const std::vector<std::optional<Json>>& values, const std::vector<double>& scores) {
    return sweep_importance(space.dimensions[0], values, scores);
  };
  CHECK(of({}, {}).share == 0);
  CHECK(of({std::nullopt, 3}, {0.1, std::nan("")}).trials == 0);
  CHECK(of({1, 2, 3, 4, 5, 6}, {0.5, 0.5, 0.5, 0.5, 0.5, 0.5}).share == 0);
  CHECK(of({2, 2, 2, 2}, {0.1, 0.2, 0.3, 0.4}).groups == 1);
  CHECK_FALSE(of({2, 2, 2, 2}, {0.1, 0.2, 0.3, 0.4}).rank_correlation.has_value());
  CHECK(of({1, 2}, {0.1, 0.2}).share == 0);
  const double x[] = {1, 2, 2, 3}, y[] = {4, 3, 3, 1};
  CHECK(*rank_correlation(x, y) == doctest::Approx(-1));
}

TEST_CASE("sweep: a score is that of the weights the run would end with") {
  SweepRun run = hand_made({0.2, 0.5, 0.4, 0.6}, {true, true, false, false});
  CHECK(run_score(run, 1, true) == 0.2);
  CHECK(run_score(run, 3, true) == 0.5);
  CHECK(run_score(run, 3, false) == 0.4);
  CHECK(run_score(run, 4, false) == 0.6);
  CHECK(std::isnan(run_score(run, 5, true)));
  run.ended = true;  // stopped early
  CHECK(run_score(run, 9, false) == 0.6);
  run.ended = false, run.failure = "diverged";
  CHECK(run_score(run, 4, true) == 0.5);
  CHECK(std::isnan(run_score(run, 5, true)));
  CHECK(run.complete(5));
  const SweepRecord record{{run, hand_made({0.4, 0.1, 0.1, 0.1}, {true, false, false, false})}};
  CHECK(trial_score(record, 4, true) == doctest::Approx(0.45));
  CHECK(record.failure(4).empty());
  CHECK(record.failure(5) == "diverged");
  CHECK(std::isnan(trial_score(record, 5, true)));
}

TEST_CASE("sweep: keys that the config does not know are found before any data is read") {
  const Bench bench;
  const auto refusal = [&](const std::string& space, SweepOptions options = {}) {
    write_file_atomic(bench.folder / "bad.json", space);
    options.trials = 1;
    return test::error_of(
        [&] { plan_sweep(bench.folder / "config.json", kSpeakers, bench.folder / "bad.json", options); });
  };
  const auto holds = [](const std::string& text, const std::string& word) {
    CHECK_MESSAGE(text.find(word) != std::string::npos, text);
  };
  holds(refusal(R"({"train.optimizer.lr": {"uniform": [0, 1]}})"), "train.optimizer.lr: unknown key");
  holds(refusal(R"({"train.optimizer.lr": {"uniform": [0, 1]}})"), "bad.json");
  holds(refusal(R"({"model.layers.nope.units": {"int": [1, 2]}})"), "model.layers.nope");
  holds(refusal(R"({"train.batch_size": {"int": [-5, -1]}})"), "train.batch_size");
  // Never drawn, for the first trial takes another type; still found.
  holds(refusal(R"({"train.optimizer.type": {"choice": ["adam", "sgd"]},
    "train.x": {"int": [1, 2], "when": {"train.optimizer.type": "adam"}},
    "train.y": {"int": [1, 2], "when": {"train.optimizer.type": "sgd"}}})"),
        "unknown key");
  SweepOptions halving;
  halving.method = SweepMethod::halving, halving.min_epochs = 5;
  holds(refusal(kSpace, halving), "--min-epochs");
  write_file_atomic(bench.folder / "leaky.json", R"({"protocol": "random10", "train.batch_size": {"int": [1, 2]}})");
  holds(test::error_of(
            [&] { plan_sweep(bench.folder / "config.json", kSpeakers, bench.folder / "leaky.json", SweepOptions{}); }),
        "test speakers in its validation part");
}

TEST_CASE("sweep: the test part is emptied, and its labels and sounds change nothing") {
  Bench bench;
  const SweepOptions options = halving_of(4);
  const SweepPlan before = bench.plan(options);
  for (const Split& split : before.trials[0].data->splits) {
    CHECK(split.test.empty());
    CHECK_FALSE(split.validation.empty());
  }
  CHECK(before.speakers.unused == std::vector<std::string>{"s5"});
  const std::string clean = bench.run(options, "clean");
  const auto corrupt = [&](const std::string& speaker) {
    for (std::size_t i = 0; i < bench.features.clips.size(); ++i) {
      Clip& clip = bench.features.manifest.clips[i];
      if (clip.speaker != speaker) continue;
      clip.label = clip.label == "class0" ? "class1" : "class0";
      for (float& v : bench.features.clips[i].values) v = -v;
      bench.features.audio_hashes[i] += "x";
    }
  };
  corrupt("s5");
  CHECK(bench.plan(options).trials[2].key == before.trials[2].key);
  CHECK(bench.run(options, "corrupted") == clean);
  corrupt("s4");
  CHECK(bench.plan(options).trials[2].key != before.trials[2].key);
  CHECK(bench.run(options, "corrupted") != clean);  // stale results are not taken
}

TEST_CASE("sweep: the same results for any jobs and threads, after a stop, and trial by trial") {
  const Bench bench;
  const SweepOptions options = halving_of(6);
  const std::string whole = bench.run(options, "whole");
  CHECK(bench.run(options, "jobs", 3, 4) == whole);

  const SweepPlan plan = bench.plan(options);
  for (int stop_at = 1; stop_at <= 7; stop_at += 3) {
    Sweep stopped(plan, bench.folder / ("stopped" + std::to_string(stop_at)));
    int told = 0;
    const auto stop = [&](const SweepTrial&, const SweepStanding&) {
      if (++told == stop_at) throw Error(ErrorCode::internal, "here", "stop");
    };
    CHECK_FALSE(test::error_of([&] { stopped.run(2, 2, stop); }).empty());
    CHECK_FALSE(stopped.results().complete);
    stopped.run(1, 1);
    CHECK(sweep_to_json(plan, stopped.results()).dump() == whole);
  }

  Sweep single(plan, bench.folder / "single");
  ThreadPool pool(2);
  const auto states = [&] {
    const std::filesystem::directory_iterator files(bench.folder / "single/trials"), end;
    return std::count_if(files, end, [](const auto& f) { return f.path().extension() == ".safetensors"; });
  };
  for (std::size_t rung = 0; rung < plan.budgets.size(); ++rung) {
    for (std::size_t t = plan.trials.size(); t-- > 0;) single.run_one(t, pool);
    if (rung == 0) CHECK(states() >= 5);  // of all that may go on
  }
  CHECK(states() == 0);
  CHECK(sweep_to_json(plan, single.results()).dump() == whole);
  CHECK_FALSE(test::error_of([&] { single.run_one(6, pool); }).empty());
}

TEST_CASE("sweep: halving resumes exactly, keeps the right trials and leaves no state behind") {
  const Bench bench;
  bench.run(halving_of(6), "halving");
  const SweepPlan plan = bench.plan(halving_of(6));
  const SweepResults halved = Sweep(plan, bench.folder / "halving").results();
  CHECK(plan.budgets == std::vector<std::int64_t>{1, 2, 4});
  REQUIRE(halved.best() != nullptr);
  CHECK(halved.best()->rung == 2);
  CHECK(halved.best()->epochs == 4);
  int reached[3] = {};
  for (const SweepStanding& s : halved.ranked) ++reached[s.rung];
  CHECK(reached[2] == 1);
  CHECK(reached[1] == 2);
  CHECK(reached[0] == 3);
  for (const SweepStanding& s : halved.ranked) {  // nobody who went on scored lower than one who did not
    for (const SweepStanding& t : halved.ranked) {
      if (s.rung > 0 && t.rung == 0) CHECK(s.first_score >= t.first_score);
    }
  }
  SweepOptions random;
  random.trials = 6;
  bench.run(random, "random");
  const SweepPlan full = bench.plan(random);
  for (const SweepStanding& s : Sweep(full, bench.folder / "random").results().ranked) {
    if (s.trial != halved.best()->trial) continue;
    CHECK(s.score == halved.best()->score);
    CHECK(s.curve == halved.best()->curve);
  }
  for (const auto& entry : std::filesystem::directory_iterator(bench.folder / "halving/trials")) {
    CHECK(entry.path().extension() == ".json");
  }
}

TEST_CASE("sweep: more trials keep the first ones, another config makes them anew") {
  const Bench bench;
  SweepOptions few, more;
  few.trials = 2, more.trials = 4;
  bench.run(few, "grown");
  const SweepPlan plan = bench.plan(more);
  Sweep sweep(plan, bench.folder / "grown");
  CHECK(sweep.results().missing == 2);
  std::vector<std::size_t> trained;
  sweep.run(1, 1, [&](const SweepTrial& t, const SweepStanding&) { trained.push_back(t.number); });
  CHECK(trained == std::vector<std::size_t>{2, 3});
  const SweepPlan other = bench.plan(more, {"train.batch_size=16"});
  CHECK(Sweep(other, bench.folder / "grown").results().missing == 4);
  write_file_atomic(bench.folder / "grown/trials/trial-0001.json", "{\"key\": 3}");
  const std::string damaged = test::error_of([&] { sweep.results(); });
  CHECK(damaged.find("trial-0001.json") != std::string::npos);
}

TEST_CASE("sweep: the page, the table and the best config") {
  const Bench bench;
  const SweepPlan plan = bench.plan(halving_of(6));
  Sweep sweep(plan, bench.folder / "page");
  CHECK(sweep_report(plan, sweep.results(), "command").find("6 of 6 trials are not there yet") != std::string::npos);
  CHECK(sweep_table(plan, sweep.results()).find("no trial has a score") != std::string::npos);
  sweep.run(1, 1);
  const SweepResults results = sweep.results();
  const std::string page = sweep_report(plan, results, "serene sweep <x>");
  CHECK(page.find("Never used: s5") != std::string::npos);
  CHECK(page.find("Only 6 trials") != std::string::npos);
  CHECK(page.find("serene sweep &lt;x&gt;") != std::string::npos);
  CHECK(page.find("nan") == std::string::npos);
  const RunConfig best = best_config(plan, results);
  CHECK(best.train.optimizer.learning_rate == plan.trials[results.best()->trial].values[0]->get<double>());
  CHECK(run_config_from_json(to_json(best)).train.epochs == 4);
}

}  // namespace serene
