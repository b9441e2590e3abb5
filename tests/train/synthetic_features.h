// A corpus in memory whose classes can be told apart, and configs of small runs over it.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "serene/core/random.h"
#include "serene/data/feature_cache.h"
#include "serene/data/splits.h"
#include "serene/train/run_config.h"

namespace serene::test {

// Clips of 6 to 20 frames; class k lifts channel k. Speakers s0 .. s5 in turn. Clip i is of class i % classes, but for
// the last `extra`, which are all of class 0.
inline FeatureSet synthetic_features(std::size_t count, Index dim = 4, int classes = 3, std::size_t extra = 0) {
  FeatureSet set;
  set.manifest.name = "synthetic";
  for (int k = 0; k < classes; ++k) set.manifest.labels.push_back("class" + std::to_string(k));
  set.dim = dim;
  for (std::size_t i = 0; i < count + extra; ++i) {
    Random random(5, Purpose::synthetic, i);
    const auto label = i < count ? static_cast<Index>(i) % classes : 0;
    Clip clip;
    clip.id = "clip" + std::to_string(i);
    clip.path = clip.id + ".wav";
    clip.label = set.manifest.labels[static_cast<std::size_t>(label)];
    clip.speaker = "s" + std::to_string(i / 3 % 6);
    clip.corpus = "synthetic";
    const auto frames = static_cast<Index>(6 + random.below(15));
    std::vector<float> values;
    for (Index j = 0; j < frames * dim; ++j)
      values.push_back(static_cast<float>(random.normal() + (j % dim == label ? 1.5 : 0.0)));
    set.manifest.clips.push_back(clip);
    set.clips.push_back({frames, std::move(values)});
    set.audio_hashes.push_back("hash" + std::to_string(i));
  }
  return set;
}

// Every fifth clip tests, the one after it validates.
inline Split synthetic_split(const FeatureSet& set) {
  Split split;
  split.protocol = "holdout";
  split.name = "synthetic";
  for (std::size_t i = 0; i < set.clips.size(); ++i)
    (i % 5 == 0 ? split.test : i % 5 == 1 ? split.validation : split.train).push_back(i);
  return split;
}

inline Json small_run_json() {
  return parse_json(R"({
    "name": "small", "seed": 3,
    "data": {"corpus": "synthetic", "max_frames": 14, "crop": "random"},
    "model": {"layers": [
      {"type": "conv1d", "name": "conv", "filters": 6, "kernel_size": 3, "padding": "same", "activation": "relu"},
      {"type": "max_pooling1d", "name": "pool", "pool_size": 2, "strides": 2, "padding": "same"},
      {"type": "lstm", "name": "lstm", "units": 5, "return_sequences": true},
      {"type": "self_attention", "name": "look"},
      {"type": "global_average_pooling1d", "name": "gap"},
      {"type": "batch_norm", "name": "bn", "momentum": 0.8},
      {"type": "dropout", "name": "drop", "rate": 0.2},
      {"type": "dense", "name": "out", "units": "classes"}]},
    "train": {"epochs": 6, "batch_size": 8, "shard_size": 3, "optimizer": {"type": "adam", "learning_rate": 0.01},
              "early_stopping": {"enabled": false}}})",
                    "small run");
}

inline RunConfig small_run(const std::vector<std::string>& overrides = {}) {
  Json json = small_run_json();
  for (const std::string& text : overrides) apply_override(json, text);
  return run_config_from_json(json);
}

}  // namespace serene::test
