// What clips are trained to answer: votes, label sets of several corpora, mixup.
#include "serene/train/batch_targets.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "../data/test_files.h"
#include "serene/core/random.h"
#include "serene/data/batcher.h"
#include "small_experiment.h"

using namespace serene;
using test::equal_bits, test::SmallExperiment, test::two_corpora;

namespace {

// Batches of a dataset with their targets, copied out.
struct Prepared {
  Shape shape;
  std::vector<std::size_t> clips;
  std::vector<float> input, plain, soft;
  std::vector<Index> lengths, plain_lengths, hard;
  std::vector<int> labels;
  std::vector<std::uint8_t> allowed;
};

std::vector<Prepared> prepare(const FeatureSet& set, const TargetConfig& config, std::uint64_t epoch = 0,
                              int threads = 1, Index batch_size = 16) {
  std::vector<std::size_t> all(set.clips.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const Dataset dataset(set, all);
  BatcherConfig batching;
  batching.batch_size = batch_size;
  Batcher batcher(dataset, all, batching);
  const Shape most = batcher.max_shape();
  BatchTargets targets(dataset, all, config, 9, most);
  ThreadPool pool(threads);
  std::vector<Prepared> list;
  const auto classes = static_cast<std::ptrdiff_t>(set.manifest.labels.size());
  for (Index b = 0; b < batcher.batches(); ++b) {
    Prepared p;
    p.input.resize(static_cast<std::size_t>(most.size()));
    p.lengths.resize(static_cast<std::size_t>(most.batch)), p.labels.resize(p.lengths.size());
    p.shape = batcher.fill<float>(b, {p.input.data(), p.lengths.data(), p.labels.data(), nullptr});
    p.plain = p.input, p.plain_lengths = p.lengths;
    const auto clips = batcher.batch_clips(b);
    p.clips.assign(clips.begin(), clips.end());
    const Targets<float> t =
        targets.prepare({clips, epoch, p.shape, p.input.data(), p.lengths.data(), p.labels.data()}, pool);
    const auto rows = p.shape.batch;
    if (t.soft != nullptr) p.soft.assign(t.soft, t.soft + rows * classes);
    if (t.labels != nullptr) p.hard.assign(t.labels, t.labels + rows);
    if (t.allowed != nullptr) p.allowed.assign(t.allowed, t.allowed + rows * classes);
    list.push_back(std::move(p));
  }
  return list;
}

TargetConfig mixing(double alpha = 0.4, double probability = 1) {
  TargetConfig c;
  c.mixup_alpha = alpha, c.mixup_probability = probability;
  return c;
}

const std::vector<std::vector<std::string>>& recipes() {
  static const std::vector<std::vector<std::string>> all = {
      {"train.targets=votes", "train.votes_weight=0.6", "train.loss.label_smoothing=0.1"},
      {"train.label_sets=masked", "train.loss.label_smoothing=0.1"},
      {"train.mixup_alpha=0.4", "train.mixup_probability=0.7"},
      {"train.mixup_alpha=0.3", "train.label_sets=masked", "train.targets=votes", "train.loss.class_weights=balanced"},
      {R"(train.freeze=["conv", "bn"])", "train.mixup_alpha=2"},
  };
  return all;
}

}  // namespace

TEST_CASE("targets: labels alone by default, and the batch stays as it is") {
  for (const Prepared& p : prepare(two_corpora(), {})) {
    CHECK(p.soft.empty());
    CHECK(p.allowed.empty());
    CHECK(p.hard == std::vector<Index>(p.labels.begin(), p.labels.begin() + p.shape.batch));
    CHECK(equal_bits(p.input, p.plain));
  }
}

TEST_CASE("targets: votes and label are mixed, votes for other words do not count, clips without keep their label") {
  const FeatureSet set = two_corpora();
  TargetConfig config;
  config.kind = TargetKind::votes;
  config.votes_weight = 0.75;
  int voted = 0;
  for (const Prepared& p : prepare(set, config)) {
    for (std::size_t b = 0; b < p.clips.size(); ++b) {
      const Clip& clip = set.manifest.clips[p.clips[b]];
      const std::size_t label = p.clips[b] % 4;
      for (std::size_t k = 0; k < 4; ++k) {
        double expected = k == label ? 1 : 0;
        if (!clip.votes.empty()) {
          const double sum = clip.votes.at("class0") + clip.votes.at("class1");
          expected = 0.25 * expected + (k < 2 ? 0.75 * clip.votes.at("class" + std::to_string(k)) / sum : 0);
        }
        CHECK(static_cast<double>(p.soft[b * 4 + k]) == doctest::Approx(expected).epsilon(1e-6));
      }
      voted += clip.votes.empty() ? 0 : 1;
    }
  }
  CHECK(voted == 14);
}

TEST_CASE("targets: votes are asked for and no training clip has any") {
  FeatureSet set = two_corpora();
  Split split = test::synthetic_split(set);
  std::erase_if(split.train, [&](std::size_t clip) { return !set.manifest.clips[clip].votes.empty(); });
  const std::string text = test::error_of([&] { SmallExperiment({"train.targets=votes"}, 1, set, split); });
  CHECK(test::has(text, "train.targets: no training clip has listeners' votes"));
  CHECK(test::has(text, "data.votes"));
  CHECK_NOTHROW(SmallExperiment({}, 1, set, split));
  for (Clip& clip : set.manifest.clips) clip.votes = {{"another word", 2}, {"class1", 0}};
  CHECK_THROWS_AS(SmallExperiment({"train.targets=votes"}, 1, set), Error);
}

TEST_CASE("label sets: those that occur in the corpus; votes and predictions keep to them") {
  FeatureSet set = two_corpora();
  for (Clip& clip : set.manifest.clips) {
    if (clip.corpus == "small") clip.votes["class3"] = 100;
  }
  TargetConfig config;
  config.label_sets = LabelSets::masked;
  config.kind = TargetKind::votes;
  for (const Prepared& p : prepare(set, config)) {
    for (std::size_t b = 0; b < p.clips.size(); ++b) {
      const bool small = set.manifest.clips[p.clips[b]].corpus == "small";
      double sum = 0;
      for (std::size_t k = 0; k < 4; ++k) {
        CHECK((p.allowed[b * 4 + k] != 0) == (!small || k < 2));
        if (p.allowed[b * 4 + k] == 0) CHECK(p.soft[b * 4 + k] == 0);
        sum += static_cast<double>(p.soft[b * 4 + k]);
      }
      CHECK(sum == doctest::Approx(1));
    }
  }
  std::vector<std::size_t> clips = {0, 4};  // of the large corpus, of the small one
  const Dataset dataset(set, clips);
  std::vector<Prediction> answers(2);
  for (Prediction& p : answers) p.logits = {1, -2, 5, 9};
  restrict_to_corpus(answers, clips, CorpusLabels(dataset, LabelSets::united));
  CHECK(answers[1].logits == std::vector<double>{1, -2, 5, 9});
  restrict_to_corpus(answers, clips, CorpusLabels(dataset, LabelSets::masked));
  CHECK(answers[0].logits == std::vector<double>{1, -2, 5, 9});
  CHECK(answers[1].logits == std::vector<double>{1, -2, -1002, -1002});
}

TEST_CASE("mixup: frames, lengths and targets are those of the draw for (seed, epoch, clip)") {
  for (const bool masked : {false, true}) {
    const FeatureSet set = two_corpora();
    TargetConfig config = mixing(0.7, 0.8);
    config.label_sets = masked ? LabelSets::masked : LabelSets::united;
    int mixed = 0;
    for (const Prepared& p : prepare(set, config, 3)) {
      const Index size = p.shape.time * p.shape.channels;
      for (std::size_t b = 0; b < p.clips.size(); ++b) {
        const auto small = [&](std::size_t row) {
          return masked && set.manifest.clips[p.clips[row]].corpus == "small";
        };
        std::vector<std::size_t> others;
        for (std::size_t o = 0; o < p.clips.size(); ++o) {
          if (o != b && small(o) == small(b)) others.push_back(o);
        }
        Random random(9, Purpose::mixup, 3, p.clips[b]);
        const bool chosen = random.uniform() < 0.8 && !others.empty();
        const double lambda = chosen ? random.beta(0.7, 0.7) : 1;
        const std::size_t j = chosen ? others[random.below(others.size())] : b;
        mixed += chosen ? 1 : 0;
        const double frames =
            lambda * static_cast<double>(p.plain_lengths[b]) + (1 - lambda) * static_cast<double>(p.plain_lengths[j]);
        CHECK(p.lengths[b] == std::llround(frames));
        CHECK(p.labels[b] == static_cast<int>(p.clips[lambda < 0.5 ? j : b] % 4));
        double worst = 0;
        for (Index i = 0; i < size; ++i) {
          const auto at = [&](std::size_t row) {
            return static_cast<double>(p.plain[row * static_cast<std::size_t>(size) + static_cast<std::size_t>(i)]);
          };
          const double expected = i / p.shape.channels < p.lengths[b] ? lambda * at(b) + (1 - lambda) * at(j) : 0;
          worst = std::max(
              worst,
              std::abs(expected -
                       static_cast<double>(p.input[b * static_cast<std::size_t>(size) + static_cast<std::size_t>(i)])));
        }
        CHECK(worst < 1e-5);
        for (std::size_t k = 0; k < 4; ++k) {
          const double t = lambda * (p.clips[b] % 4 == k ? 1 : 0) + (1 - lambda) * (p.clips[j] % 4 == k ? 1 : 0);
          CHECK(static_cast<double>(p.soft[b * 4 + k]) == doctest::Approx(t).epsilon(1e-6));
        }
      }
    }
    CHECK(mixed > 30);
    CHECK(mixed < 58);
  }
}

TEST_CASE("mixup: the same bytes for any threads, others in another epoch") {
  const FeatureSet set = two_corpora();
  const auto one = prepare(set, mixing(), 1), three = prepare(set, mixing(), 1, 3), later = prepare(set, mixing(), 2);
  for (std::size_t b = 0; b < one.size(); ++b) {
    CHECK(equal_bits(one[b].input, three[b].input));
    CHECK(equal_bits(one[b].soft, three[b].soft));
    CHECK(one[b].lengths == three[b].lengths);
    CHECK_FALSE(equal_bits(one[b].input, later[b].input));
  }
}

TEST_CASE("mixup: where nothing is mixed, a run has the bytes of a plain one") {
  // Alone in its batch, a clip has no partner and lambda is 1.
  const std::string norm = R"(model.layers.bn={"type": "layer_norm", "name": "bn"})";
  SmallExperiment plain({"train.batch_size=1", norm}), alone({"train.batch_size=1", norm, "train.mixup_alpha=0.4"});
  plain.epochs(2), alone.epochs(2);
  CHECK(equal_bits(plain.params(), alone.params()));
  CHECK(plain.history() == alone.history());
  SmallExperiment base, never({"train.mixup_alpha=0.4", "train.mixup_probability=0"}), mixed({"train.mixup_alpha=0.4"});
  base.epochs(2), never.epochs(2), mixed.epochs(2);
  CHECK(equal_bits(base.params(), never.params()));
  CHECK_FALSE(equal_bits(base.params(), mixed.params()));
}

TEST_CASE("label sets: clips of a corpus teach its own labels alone, and validation asks among these") {
  const FeatureSet set = two_corpora();
  Split split;
  split.protocol = "holdout", split.name = "small alone";
  for (std::size_t i = 0; i < set.clips.size(); ++i) {
    if (set.manifest.clips[i].corpus == "small") (i % 3 == 0 ? split.validation : split.train).push_back(i);
  }
  split.test = {0};
  const std::vector<std::string> recipe = {"train.label_sets=masked", "train.loss.label_smoothing=0.1",
                                           R"(train.optimizer={"type": "sgd", "learning_rate": 0.1})"};
  SmallExperiment run(recipe, 1, set, split);
  const auto before = run.tensor("out.kernel"), bias_before = run.tensor("out.bias");
  run.epochs(3);
  const auto after = run.tensor("out.kernel"), bias = run.tensor("out.bias");
  for (std::size_t i = 0; i < after.size(); ++i) CHECK((before[i] == after[i]) == (i % 4 >= 2));
  for (std::size_t k = 0; k < 4; ++k) CHECK((bias_before[k] == bias[k]) == (k >= 2));

  const auto answers = run.experiment.predict(split.validation);
  const EpochRecord& best = run.trainer().history()[static_cast<std::size_t>(run.trainer().best_epoch())];
  double loss = 0;
  for (const Prediction& p : answers) {
    const double sum = std::exp(p.logits[0]) + std::exp(p.logits[1]);
    loss += std::log(sum) - p.logits[static_cast<std::size_t>(p.truth)];
  }
  CHECK(best.val_loss == doctest::Approx(loss / static_cast<double>(answers.size())).epsilon(1e-6));
}

TEST_CASE("targets: the same bytes for any number of threads and after any stop, with every option") {
  for (const auto& recipe : recipes()) {
    SmallExperiment whole(recipe, 1, two_corpora()), plain({}, 1, two_corpora());
    whole.epochs(5), plain.epochs(5);
    CHECK_FALSE(equal_bits(whole.params(), plain.params()));
    SmallExperiment threads(recipe, 3, two_corpora());
    threads.epochs(5);
    CHECK(equal_bits(whole.params(), threads.params()));
    for (const int stop : {0, 2}) {
      Checkpoint saved;
      {
        SmallExperiment first(recipe, 2, two_corpora());
        first.epochs(stop);
        first.trainer().save(saved);
      }
      saved.state_json = parse_json(saved.state_json.dump(), "state");
      SmallExperiment second(recipe, 1, two_corpora());
      second.epochs(1);
      second.trainer().restore(saved);
      second.epochs(5 - stop);
      CHECK(equal_bits(whole.params(), second.params()));
      CHECK(whole.history() == second.history());
    }
  }
}
