// Training over several ranks: every one of them has the bits that one process alone would have.
#include <doctest/doctest.h>

#include <cstring>

#include "serene/data/dataset.h"
#include "serene/nn/model_builder.h"
#include "serene/train/experiment.h"
#include "serene/train/trainer.h"
#include "synthetic_features.h"
#include "thread_ranks.h"

using namespace serene;

namespace {

const FeatureSet& features() {
  static const FeatureSet set = test::synthetic_features(60);
  return set;
}

// Batch norm at the top and in blocks with a shortcut; batches of 8 in shards of 3, the last batch smaller.
std::vector<std::string> blocks(std::vector<std::string> more = {}) {
  more.insert(more.begin(), R"(model={"layers": [
    {"type": "batch_norm", "name": "first", "momentum": 0.9},
    {"type": "residual", "name": "block", "activation": "relu", "layers": [
      {"type": "conv1d", "name": "conv", "filters": 6, "kernel_size": 3, "strides": 2, "padding": "same"},
      {"type": "batch_norm", "name": "bn", "momentum": 0.9}],
     "shortcut": [
      {"type": "conv1d", "name": "conv", "filters": 6, "kernel_size": 1, "strides": 2, "padding": "same"},
      {"type": "batch_norm", "name": "bn", "momentum": 0.9}]},
    {"type": "gru", "name": "gru", "units": 4, "return_sequences": false},
    {"type": "dropout", "name": "drop", "rate": 0.2},
    {"type": "dense", "name": "out", "units": "classes"}]})");
  return more;
}

struct Result {
  std::vector<float> params, final_params;
  std::string history;
  bool operator==(const Result& o) const {
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    return same(params, o.params) && same(final_params, o.final_params) && history == o.history;
  }
};

Result train(const std::vector<std::string>& overrides, Communicator* communicator, int threads = 1) {
  const RunConfig config = test::small_run(overrides);
  const Split split = test::synthetic_split(features());
  ThreadPool pool(threads);
  const Dataset dataset(features(), split.train, standardise_of(config.normalize));
  const auto model = build_model<float>(config.model, features().dim, 3);
  Trainer trainer(model, dataset, split, config, pool, nullptr, communicator);
  Result r;
  for (int epoch = 0; epoch < 3 && !trainer.finished(); ++epoch)
    r.history += to_json(trainer.run_epoch()).dump() + "\n";
  r.params.assign(trainer.params().begin(), trainer.params().end());
  r.final_params.assign(trainer.final_params().begin(), trainer.final_params().end());
  return r;
}

void check_ranks(const std::string& what, const std::vector<std::string>& overrides) {
  const Result alone = train(overrides, nullptr);
  for (const int ranks : {1, 2, 3, 5}) {
    test::ThreadRanks group(ranks);
    std::vector<Result> results(static_cast<std::size_t>(ranks));
    group.run(
        [&](Communicator& c) { results[static_cast<std::size_t>(c.rank())] = train(overrides, &c, 1 + c.rank() % 2); });
    for (int r = 0; r < ranks; ++r)
      CHECK_MESSAGE(results[static_cast<std::size_t>(r)] == alone, what << ": rank " << r << " of " << ranks);
    CHECK((group.gathered() > 0) == (ranks > 1));
  }
}

}  // namespace

TEST_CASE("ranks: the bits of one process, for batches that divide and not, and ranks without a shard") {
  check_ranks("one batch norm", {});
  check_ranks("batch norm in blocks", blocks());
  check_ranks("one shard a batch", blocks({"train.shard_size=8"}));
  check_ranks("batches of 5, shards of 2", blocks({"train.batch_size=5", "train.shard_size=2"}));
}

TEST_CASE("ranks: the bits of one process, with augmentation, mixup, clipping, averages and early stopping") {
  check_ranks("augmentation",
              blocks({R"(data.augment={"tempo": [0.7, 1.4], "gain_db": 3, "time_masks": 1})",
                      R"(train.optimizer={"type": "adamw", "learning_rate": 0.01, "clip_norm": 0.5})"}));
  check_ranks("mixup", blocks({"train.mixup_alpha=0.4", R"(train.averaging={"type": "ema", "decay": 0.9})"}));
  check_ranks("early stopping", blocks({R"(train.early_stopping={"enabled": true, "patience": 1})",
                                        R"(train.loss={"type": "focal", "class_weights": "balanced"})"}));
}
