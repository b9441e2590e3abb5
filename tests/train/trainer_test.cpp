// Training runs in memory: the same bits for any threads and after any stop, and what a run does besides moving
// weights.
#include "serene/train/trainer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "serene/data/dataset.h"
#include "serene/nn/model_builder.h"
#include "serene/train/experiment.h"
#include "synthetic_features.h"

using namespace serene;

namespace {

// Everything a trainer refers to.
struct Run {
  FeatureSet features;
  Split split;
  RunConfig config;
  ThreadPool pool;
  Dataset dataset;
  Model<float> model;
  Trainer trainer;

  explicit Run(const std::vector<std::string>& overrides = {}, int threads = 1,
               FeatureSet set = test::synthetic_features(60))
      : Run(overrides, threads, set, test::synthetic_split(set)) {}
  Run(const std::vector<std::string>& overrides, int threads, FeatureSet set, Split parts)
      : features(std::move(set)),
        split(std::move(parts)),
        config(test::small_run(overrides)),
        pool(threads),
        dataset(features, split.train, standardise_of(config.normalize)),
        model(build_model<float>(config.model, features.dim, static_cast<Index>(features.manifest.labels.size()))),
        trainer(model, dataset, split, config, pool) {}

  void epochs(int n) {
    for (int i = 0; i < n && !trainer.finished(); ++i) trainer.run_epoch();
  }
  std::vector<float> params() const { return {trainer.params().begin(), trainer.params().end()}; }
  std::vector<float> final_params() const { return {trainer.final_params().begin(), trainer.final_params().end()}; }
};

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::string history_text(const Trainer& trainer) {
  std::string text;
  for (const EpochRecord& r : trainer.history()) text += to_json(r).dump() + "\n";
  return text;
}

const std::vector<std::vector<std::string>>& recipes() {
  static const std::vector<std::vector<std::string>> all = {
      {},
      {R"(train.optimizer={"type": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": true})",
       R"(train.schedule={"type": "cosine", "warmup_epochs": 2})"},
      {R"(train.optimizer={"type": "adamw", "learning_rate": 0.01, "clip_norm": 0.5})",
       R"(train.schedule={"type": "one_cycle"})", "train.bucket_by_length=true"},
      {R"(train.optimizer={"type": "rmsprop", "learning_rate": 0.003, "momentum": 0.5})",
       R"(train.schedule={"type": "reduce_on_plateau", "monitor": "val_uar", "patience": 1, "cooldown": 1, "min_delta": 0.2})",
       "train.select_best_by=val_uar"},
      {R"(train.optimizer={"type": "adam", "variant": "torch", "learning_rate": 0.02})",
       R"(train.schedule={"type": "constant"})",
       R"(train.loss={"type": "focal", "gamma": 1.5, "class_weights": "balanced", "label_smoothing": 0.1})"},
      {R"(data.augment={"tempo": [0.7, 1.4], "gain_db": 3, "time_masks": 1, "frequency_masks": 1, "probability": 0.8})"},
      {"train.precision=bf16"},
  };
  return all;
}

}  // namespace

TEST_CASE("trainer: the same bytes of weights and history for any number of threads") {
  for (const auto& recipe : recipes()) {
    Run one(recipe, 1);
    one.epochs(3);
    for (const int threads : {2, 3}) {
      Run more(recipe, threads);
      more.epochs(3);
      CHECK(same_bits(one.params(), more.params()));
      CHECK(same_bits(one.final_params(), more.final_params()));
      CHECK(history_text(one.trainer) == history_text(more.trainer));
    }
  }
}

TEST_CASE("trainer: stopped after any epoch and resumed, a run ends with the same bytes") {
  for (const auto& recipe : recipes()) {
    Run whole(recipe, 1);
    whole.epochs(6);
    CHECK(whole.trainer.history().size() == 6);
    for (int stop = 0; stop <= 5; ++stop) {
      Checkpoint saved;
      {
        Run first(recipe, 2);
        first.epochs(stop);
        first.trainer.save(saved);
      }
      saved.state_json = parse_json(saved.state_json.dump(), "state");  // as it comes back from a file
      Run second(recipe, 1);
      second.epochs(1);  // a trainer that has already moved is set back completely
      second.trainer.restore(saved);
      CHECK(second.trainer.history().size() == static_cast<std::size_t>(stop));
      second.epochs(6 - stop);
      CHECK_MESSAGE(same_bits(whole.params(), second.params()), "stopped after " << stop);
      CHECK_MESSAGE(same_bits(whole.final_params(), second.final_params()), "stopped after " << stop);
      CHECK(history_text(whole.trainer) == history_text(second.trainer));
      CHECK(whole.trainer.best_epoch() == second.trainer.best_epoch());
    }
  }
}

TEST_CASE("trainer: another seed gives other weights") {
  Run a, b({"seed=4"});
  CHECK_FALSE(same_bits(a.params(), b.params()));
  a.epochs(1), b.epochs(1);
  CHECK(history_text(a.trainer) != history_text(b.trainer));
}

TEST_CASE("trainer: restore refuses a state that does not fit") {
  Run run;
  run.epochs(2);
  Checkpoint good;
  run.trainer.save(good);
  const auto refused = [&](auto&& change) {
    Checkpoint bad = good;
    change(bad);
    Run other;
    CHECK_THROWS_AS(other.trainer.restore(bad), Error);
  };
  refused([](Checkpoint& c) { c.params.pop_back(); });
  refused([](Checkpoint& c) { c.state.erase("optimizer.m"); });
  refused([](Checkpoint& c) { c.state["optimizer.v"].pop_back(); });
  refused([](Checkpoint& c) { c.state.erase("best_params"); });
  refused([](Checkpoint& c) { c.state_json = nullptr; });
  refused([](Checkpoint& c) { c.state_json["steps"] = -1; });
  refused([](Checkpoint& c) { c.state_json["steps"] = "many"; });
  refused([](Checkpoint& c) { c.state_json["history"] = 3; });
  refused([](Checkpoint& c) { c.state_json["history"][0]["epoch"] = "first"; });
  refused([](Checkpoint& c) { c.state_json["history"][0].erase("best"); });
  refused([](Checkpoint& c) { c.state_json["history"].erase(0); });
  refused([](Checkpoint& c) { c.state_json.erase("schedule"); });
  refused([](Checkpoint& c) { c.state_json["more"] = 1; });
  Run other;
  CHECK_NOTHROW(other.trainer.restore(good));
}

TEST_CASE("trainer: it learns what can be learnt, and overfits one batch") {
  Run run({"train.epochs=25", "data.crop=center"});
  run.epochs(25);
  CHECK(run.trainer.history().back().val_uar > 0.8);
  CHECK(run.trainer.history().back().val_loss < run.trainer.history().front().val_loss);

  const FeatureSet set = test::synthetic_features(8);
  Split one;
  one.train = {0, 1, 2, 3, 4, 5, 6, 7};
  Run batch({"train.epochs=200", "train.optimizer.learning_rate=0.03", "model.layers.drop.rate=0", "data.crop=center"},
            1, set, one);
  CHECK(batch.trainer.steps_per_epoch() == 1);
  batch.epochs(200);
  CHECK(batch.trainer.history().back().train_loss < 0.02);
  CHECK(batch.trainer.history().back().train_accuracy == 1);
}

TEST_CASE("trainer: products in bf16 train as well, with other bits; what is validated is float32") {
  Run full({"train.epochs=6"}), half({"train.epochs=6", "train.precision=bf16"});
  full.epochs(6);
  half.epochs(6);
  CHECK(!same_bits(full.params(), half.params()));
  const EpochRecord &a = full.trainer.history().back(), &b = half.trainer.history().back();
  CHECK(a.val_loss == doctest::Approx(b.val_loss).epsilon(0.25));
  CHECK(b.train_loss < half.trainer.history().front().train_loss);
  // The validation loss is that of the checkpoint's weights as `serene evaluate` runs them.
  Predictor predictor(half.model, half.dataset, half.config.data.max_frames, {}, half.pool);
  const auto logits = predictor.logits(half.trainer.params(), half.split.validation);
  const InferenceModel<float> inference(half.model, half.params());
  CHECK(same_bits(logits, predictor.logits(inference, half.split.validation)));
  double loss = 0;
  for (std::size_t i = 0; i < half.split.validation.size(); ++i) {
    const float* row = logits.data() + 3 * i;
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += std::exp(static_cast<double>(row[k]));
    loss += std::log(sum) - static_cast<double>(row[half.dataset.label(half.split.validation[i])]);
  }
  CHECK(loss / static_cast<double>(half.split.validation.size()) == doctest::Approx(b.val_loss).epsilon(1e-9));
}

TEST_CASE("trainer: without a validation part the training figures are watched and val_ figures are null") {
  const FeatureSet set = test::synthetic_features(8);
  Split one;
  one.train = {0, 1, 2, 3, 4, 5, 6, 7};
  Run run({}, 1, set, one);
  run.epochs(3);
  const EpochRecord& r = run.trainer.history().back();
  CHECK(std::isnan(r.val_loss));
  CHECK(to_json(r)["val_uar"].is_null());
  CHECK(run.trainer.best_epoch() >= 0);
  const EpochRecord back = epoch_record_from_json(to_json(r), "r");
  CHECK(std::isnan(back.val_loss));
  CHECK(back.train_loss == r.train_loss);
}

TEST_CASE("trainer: divergence is an Error that names the step, and leaves the weights as they were") {
  FeatureSet set = test::synthetic_features(60);
  for (float& v : set.clips[22].values) v = 3e38f;  // one of the training part
  // Without gates that saturate, the numbers of that clip overflow.
  Run run({"normalize=none", "data.max_frames=0", R"(model.layers.lstm={"type": "dense", "name": "lstm", "units": 5})"},
          2, set);
  const auto start = run.params();
  std::vector<float> before = start;
  Index steps = 0;
  try {
    run.trainer.run_epoch([&](Index, Index, double, double) { before = run.params(), ++steps; });
    FAIL("no Error");
  } catch (const Error& e) {
    CHECK(e.code() == ErrorCode::divergence);
    CHECK(std::string(e.what()).find("epoch 1, step " + std::to_string(steps + 1) + ":") != std::string::npos);
    CHECK(std::string(e.what()).find("learning_rate") != std::string::npos);
  }
  CHECK(steps > 0);
  CHECK_FALSE(same_bits(start, before));
  CHECK(same_bits(before, run.params()));
  CHECK(std::all_of(before.begin(), before.end(), [](float v) { return std::isfinite(v); }));
  CHECK(run.trainer.history().empty());
}

TEST_CASE("trainer: early stopping ends the run and the best weights are given back") {
  // Nothing can improve by 10.
  Run run({"train.epochs=50", R"(train.early_stopping={"monitor": "val_loss", "patience": 3, "min_delta": 10})",
           "train.select_best_by=val_accuracy"});
  run.epochs(50);
  CHECK(run.trainer.history().size() == 4);
  CHECK(run.trainer.finished());

  Run best({"train.epochs=12", "train.optimizer.learning_rate=0.2",
            "train.early_stopping={\"enabled\": false, \"restore_best\": true}"});
  std::vector<float> kept;
  double lowest = HUGE_VAL;
  Index epoch = -1;
  while (!best.trainer.finished()) {
    const EpochRecord& r = best.trainer.run_epoch();
    CHECK(r.best == (r.val_loss < lowest));
    if (r.val_loss < lowest) lowest = r.val_loss, epoch = r.epoch, kept = best.params();
  }
  CHECK(best.trainer.best_epoch() == epoch);
  CHECK(same_bits(best.final_params(), kept));

  Run last({"train.epochs=12", "train.optimizer.learning_rate=0.2",
            "train.early_stopping={\"enabled\": false, \"restore_best\": false}"});
  last.epochs(12);
  CHECK(same_bits(last.final_params(), last.params()));
}

TEST_CASE("trainer: balanced class weights are those of the training part") {
  const FeatureSet set = test::synthetic_features(30, 4, 3, 30);
  const Split split = test::synthetic_split(set);
  const Dataset dataset(set, split.train);
  const auto weights = dataset.balanced_class_weights(split.train);
  std::string list;
  for (const double w : weights) list += (list.empty() ? "" : ", ") + Json(w).dump();
  CHECK(weights[0] < weights[1]);
  Run balanced({"train.loss.class_weights=balanced"}, 1, set),
      given({"train.loss.class_weights=[" + list + "]"}, 1, set), none({}, 1, set);
  balanced.epochs(2), given.epochs(2), none.epochs(2);
  CHECK(same_bits(balanced.params(), given.params()));
  CHECK_FALSE(same_bits(balanced.params(), none.params()));
}

TEST_CASE("trainer: a config that does not fit is an Error") {
  CHECK_THROWS_AS(Run({"train.loss.class_weights=[1, 2]"}), Error);
  CHECK_THROWS_AS(Run({}, 1, test::synthetic_features(10), Split{}), Error);
  CHECK_THROWS_AS(Run({"model.layers.out.units=5"}), Error);
}

TEST_CASE("predictor: the same bits for any batch size, number of threads and order") {
  Run run;
  run.epochs(1);
  std::vector<std::size_t> clips(run.features.clips.size());
  for (std::size_t i = 0; i < clips.size(); ++i) clips[i] = i;
  for (const Index max_frames : {0, 10}) {
    ThreadPool pool(1);
    const auto expected = Predictor(run.model, run.dataset, max_frames, {}, pool, 32).logits(run.trainer.params(), clips);
    CHECK(expected.size() == clips.size() * 3);
    for (const Index size : {1, 7, 64, 200}) {
      ThreadPool three(3);
      Predictor predictor(run.model, run.dataset, max_frames, {}, three, size);
      CHECK(same_bits(expected, predictor.logits(run.trainer.params(), clips)));
      CHECK(same_bits(expected, predictor.logits(run.trainer.params(), clips)));
      std::vector<std::size_t> backwards(clips.rbegin(), clips.rend());
      const auto other = predictor.logits(run.trainer.params(), backwards);
      for (std::size_t i = 0; i < clips.size(); ++i) {
        CHECK(
            same_bits(std::span(expected).subspan(3 * i, 3), std::span(other).subspan(3 * (clips.size() - 1 - i), 3)));
      }
      CHECK(predictor.logits(run.trainer.params(), {}).empty());
    }
  }
}

TEST_CASE("predictor: the logits of windows that vote are the mean of each window's own") {
  Run run;
  run.epochs(1);
  std::vector<std::size_t> clips(run.features.clips.size());
  for (std::size_t i = 0; i < clips.size(); ++i) clips[i] = i;
  ThreadPool pool(2);
  const ClipCut cut(8, LongClips::vote);
  Predictor vote(run.model, run.dataset, cut, {}, pool, 5);
  const auto means = vote.logits(run.trainer.params(), clips);
  REQUIRE(means.size() == clips.size() * 3);
  CHECK(same_bits(means, Predictor(run.model, run.dataset, cut, {}, pool, 64).logits(run.trainer.params(), clips)));

  Checkpoint c;
  c.model = run.config.model;
  c.input_channels = run.dataset.dim();
  c.labels = run.dataset.label_names();
  c.normalizer = run.dataset.normalizer();
  c.params.assign(run.trainer.params().begin(), run.trainer.params().end());
  c.max_frames = 8, c.long_clips = LongClips::vote;
  bool several = false;
  for (const std::size_t clip : clips) {
    const ClipFeatures& f = run.features.clips[clip];
    several = several || c.cut().count(f.frames) > 2;
    const auto p = classify(c, run.model, f.frames, f.values);
    const auto expected = probabilities_of(std::span(means).subspan(3 * clip, 3), 1);
    for (std::size_t k = 0; k < 3; ++k) CHECK(p[k] == doctest::Approx(expected[k]).epsilon(1e-5));
  }
  CHECK(several);

  // Views vote as windows do.
  c.views.tempo = {0.8, 1}, c.views.mel_shift = {0, 0.5};
  Predictor hearing(run.model, run.dataset, cut, c.views, pool, 7);
  const auto heard = hearing.logits(run.trainer.params(), clips);
  REQUIRE(heard.size() == means.size());
  CHECK_FALSE(same_bits(heard, means));
  for (const std::size_t clip : clips) {
    const ClipFeatures& f = run.features.clips[clip];
    const auto p = classify(c, run.model, f.frames, f.values);
    const auto expected = probabilities_of(std::span(heard).subspan(3 * clip, 3), 1);
    for (std::size_t k = 0; k < 3; ++k) CHECK(p[k] == doctest::Approx(expected[k]).epsilon(1e-5));
  }
  // A clip that is asked for twice in a row is two clips.
  const std::size_t twice[] = {clips[0], clips[0]};
  const auto pair = hearing.logits(run.trainer.params(), twice);
  CHECK(pair.size() == 6);
  CHECK(same_bits(std::span(pair).first(3), std::span(heard).first(3)));
}
