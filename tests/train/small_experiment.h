// An experiment over synthetic features with everything it refers to.
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serene/train/experiment.h"
#include "synthetic_features.h"

namespace serene::test {

struct SmallExperiment {
  FeatureSet features;
  Split split;
  RunConfig config;
  ThreadPool pool;
  Experiment experiment;

  explicit SmallExperiment(const std::vector<std::string>& overrides = {}, int threads = 1,
                           FeatureSet set = synthetic_features(60))
      : SmallExperiment(overrides, threads, set, synthetic_split(set)) {}
  SmallExperiment(const std::vector<std::string>& overrides, int threads, FeatureSet set, Split parts)
      : features(std::move(set)),
        split(std::move(parts)),
        config(small_run(overrides)),
        pool(threads),
        experiment(config, features, split, pool) {}

  Trainer& trainer() { return experiment.trainer(); }
  void epochs(int n) {
    for (int i = 0; i < n && !trainer().finished(); ++i) trainer().run_epoch();
  }
  std::vector<float> params() { return {trainer().params().begin(), trainer().params().end()}; }
  // One tensor of the weights.
  std::vector<float> tensor(const std::string& name) {
    for (const ParameterEntry& e : experiment.model().layout().entries) {
      if (e.name != name) continue;
      const float* first = trainer().params().data() + e.offset;
      return {first, first + e.spec.size()};
    }
    return {};
  }
  std::string history() {
    std::string text;
    for (const EpochRecord& r : trainer().history()) text += to_json(r).dump() + "\n";
    return text;
  }
};

inline bool equal_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// Four classes; every second clip of the first two is of the corpus "small", which has only these, and has votes.
inline FeatureSet two_corpora(std::size_t count = 60) {
  FeatureSet set = synthetic_features(count, 4, 4);
  for (std::size_t i = 0; i < count; ++i) {
    Clip& clip = set.manifest.clips[i];
    if (i % 4 >= 2 || i / 4 % 2 == 0) continue;
    clip.corpus = "small";
    clip.votes = {{"class0", 3}, {"class1", i % 4 == 0 ? 1.0 : 5.0}, {"unheard of", 7}};
  }
  return set;
}

}  // namespace serene::test
