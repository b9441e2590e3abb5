// Starting from another model, and layers that stay as they are.
#include "serene/train/transfer.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "../data/test_files.h"
#include "serene/io/checkpoint.h"
#include "small_experiment.h"

using namespace serene;
using test::equal_bits, test::error_of, test::has, test::SmallExperiment, test::synthetic_features;

namespace {

// The same classes and clips, but voices that no other corpus has.
FeatureSet other_voices(int classes = 4, Index dim = 4) {
  FeatureSet set = synthetic_features(60, dim, classes);
  for (Clip& clip : set.manifest.clips) clip.speaker = "t" + clip.speaker;
  return set;
}

// A trained model on disk.
struct Source {
  test::TempFolder folder;
  std::string path;
  std::vector<std::string> taken{"conv.kernel", "conv.bias", "lstm.kernel", "bn.gamma", "bn.moving_mean"};
  SmallExperiment run;

  explicit Source(FeatureSet set = other_voices(3), const std::vector<std::string>& overrides = {"seed=8"})
      : path(folder / "best.safetensors"), run(overrides, 1, std::move(set)) {
    run.epochs(2);
    Checkpoint c = run.experiment.resumable();
    c.state.clear();
    c.state_json = Json();
    write_checkpoint(path, c);
  }
  std::string key() const { return "train.init_from=\"" + path + "\""; }
};

}  // namespace

TEST_CASE("transfer: tensors are taken by name and shape, the head of other classes starts afresh") {
  Source source;
  SmallExperiment same({source.key()}), more({source.key()}, 1, synthetic_features(60, 4, 4)),
      fresh({}, 1, synthetic_features(60, 4, 4));
  CHECK(equal_bits(same.params(), source.run.params()));
  for (const std::string& name : source.taken) {
    CAPTURE(name);
    REQUIRE_FALSE(more.tensor(name).empty());
    CHECK(equal_bits(more.tensor(name), source.run.tensor(name)));
  }
  CHECK(equal_bits(more.tensor("out.kernel"), fresh.tensor("out.kernel")));
  REQUIRE(more.experiment.remarks().size() == 1);
  const std::string& line = more.experiment.remarks()[0];
  CHECK(has(line, "tensors taken; initialised afresh: out.kernel (5x3 there, 5x4 here), out.bias (3 there, 4 here)"));
  CHECK(line.find('\n') == std::string::npos);
  CHECK(fresh.experiment.remarks().empty());
  // As many classes, but others: their numbers mean something else.
  FeatureSet renamed = synthetic_features(60);
  for (Clip& clip : renamed.manifest.clips) clip.label = clip.label == "class0" ? "zero" : clip.label;
  renamed.manifest.labels[0] = "zero";
  SmallExperiment other({source.key()}, 1, renamed);
  CHECK(has(other.experiment.remarks().at(0), "out.kernel (of other classes)"));
  CHECK_FALSE(equal_bits(other.tensor("out.kernel"), source.run.tensor("out.kernel")));
  CHECK(equal_bits(other.tensor("conv.kernel"), source.run.tensor("conv.kernel")));
}

TEST_CASE(
    "transfer: other features start the first layer afresh; a folder stands for its best; nothing fits is an error") {
  Source source;
  SmallExperiment wide({"train.init_from=\"" + source.folder.path() + "\""}, 1, synthetic_features(60, 7));
  CHECK(has(wide.experiment.remarks().at(0), "conv.kernel (3x4x6 there, 3x7x6 here)"));
  CHECK(equal_bits(wide.tensor("lstm.kernel"), source.run.tensor("lstm.kernel")));
  const auto problem = [&](const std::vector<std::string>& overrides) {
    return error_of([&] { SmallExperiment run(overrides); });
  };
  const std::string strange =
      R"(model.layers=[{"type": "global_average_pooling1d", "name": "gap"},)"
      R"({"type": "dense", "name": "x", "units": "classes"}])";
  CHECK(has(problem({source.key(), strange}), "train.init_from: no tensor of"));
  CHECK(has(problem({"train.init_from=no-such-file"}), "train.init_from: no-such-file"));
  test::write_bytes(source.folder / "broken", "not a checkpoint");
  CHECK(has(problem({"train.init_from=\"" + source.folder / "broken\""}), "train.init_from: "));
}

TEST_CASE("transfer: the normaliser of the source is taken when asked for") {
  Source source;
  const FeatureSet fewer = synthetic_features(40);
  SmallExperiment own({source.key()}, 1, fewer), theirs({source.key(), "train.init_normalizer=true"}, 1, fewer);
  CHECK(theirs.experiment.dataset().normalizer() == source.run.experiment.dataset().normalizer());
  CHECK_FALSE(own.experiment.dataset().normalizer() == source.run.experiment.dataset().normalizer());
  CHECK(has(error_of([&] {
              SmallExperiment run({source.key(), "train.init_normalizer=true"}, 1, synthetic_features(60, 7));
            }),
            "train.init_normalizer"));
}

TEST_CASE("transfer: a model that knows the voices of test or validation part is refused, over two steps too") {
  Source first(synthetic_features(60));
  CHECK(has(error_of([&] { SmallExperiment run({first.key()}); }), "train.init_from: speaker 's"));
  CHECK(has(error_of([&] { SmallExperiment run({first.key()}); }), "of the test part is known to"));
  // A model that started from it has heard them as well.
  Source second(other_voices(3), {first.key()});
  CHECK(has(error_of([&] { SmallExperiment run({second.key()}); }), "of the test part is known to"));
  FeatureSet third = synthetic_features(60);
  for (Clip& clip : third.manifest.clips) clip.speaker = "new" + clip.speaker;
  SmallExperiment run({second.key()}, 1, third);
  const Checkpoint made = run.experiment.resumable();
  CHECK(has(made.notes.at("init_speakers"), "s0"));
  CHECK(has(made.notes.at("init_speakers"), "ts0"));
  CHECK(made.notes.at("init_sha256").size() == 64);
  CHECK(SmallExperiment().experiment.resumable().notes.count("init_sha256") == 0);
}

TEST_CASE("transfer: stopped and resumed it ends with the same bytes; with another source it is refused") {
  Source source, other(other_voices(3), {"seed=9"});
  const std::vector<std::string> recipe = {source.key(), "train.freeze=[\"conv\"]", "train.init_normalizer=true"};
  SmallExperiment whole(recipe), first(recipe, 3);
  whole.epochs(4), first.epochs(2);
  Checkpoint saved;
  first.trainer().save(saved);
  SmallExperiment second(recipe);
  second.trainer().restore(saved);
  second.epochs(2);
  CHECK(equal_bits(whole.params(), second.params()));
  CHECK(whole.history() == second.history());
  SmallExperiment wrong({other.key()}), none;
  CHECK(has(error_of([&] { wrong.trainer().restore(saved); }), "train.init_from: is not the file"));
  CHECK_THROWS_AS(none.trainer().restore(saved), Error);
}

TEST_CASE("freeze: frozen layers keep their bytes and statistics, the others move") {
  SmallExperiment run({R"(train.freeze=["conv", "bn", "ls*"])", "train.optimizer.type=adamw"});
  std::vector<std::vector<float>> before;
  const auto& entries = run.experiment.model().layout().entries;
  for (const auto& e : entries) before.push_back(run.tensor(e.name));
  run.epochs(2);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CAPTURE(entries[i].name);
    const bool frozen = !entries[i].name.starts_with("out.");
    CHECK(equal_bits(before[i], run.tensor(entries[i].name)) == frozen);
  }
  SmallExperiment free;
  const auto mean = free.tensor("bn.moving_mean");
  free.epochs(1);
  CHECK_FALSE(equal_bits(mean, free.tensor("bn.moving_mean")));
}

TEST_CASE("freeze: unknown names and nothing left are errors that name the key") {
  const auto problem = [](const std::string& names) {
    return error_of([&] { SmallExperiment run({"train.freeze=" + names}); });
  };
  CHECK(has(problem(R"(["conv", "nope"])"), "train.freeze[1]: no layer 'nope' (expected conv, pool, lstm"));
  CHECK(has(problem(R"(["x*"])"), "train.freeze[0]: no layer 'x*'"));
  CHECK(has(problem(R"(["*"])"), "train.freeze: leaves nothing to train"));
}

TEST_CASE("patterns of names") {
  for (const auto& [text, pattern] : {std::pair{"conv1", "conv1"},
                                      {"conv1", "conv*"},
                                      {"conv1", "*"},
                                      {"", "*"},
                                      {"conv1", "*1"},
                                      {"abcabd", "a*abd"},
                                      {"conv1", "c*n*1"},
                                      {"conv1", "conv1**"}}) {
    CHECK_MESSAGE(matches_pattern(text, pattern), text << " " << pattern);
  }
  for (const auto& [text, pattern] : {std::pair{"conv1", "conv"},
                                      {"conv", "conv1"},
                                      {"conv1", ""},
                                      {"conv1", "*2"},
                                      {"Conv1", "conv*"},
                                      {"a", "a*b"}}) {
    CHECK_MESSAGE(!matches_pattern(text, pattern), text << " " << pattern);
  }
}
