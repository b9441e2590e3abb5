// The recordings of a dataset in memory, at the rate of the features, so that they can be changed anew each epoch.
//
// Kept as 16-bit samples, which is what nearly all recordings are made of. Decoding and resampling cost more than an
// epoch of training: the result is cached on disk beside the features, by content, under the same rules
// (feature_cache.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serene/audio/feature_config.h"
#include "serene/core/thread_pool.h"
#include "serene/data/manifest.h"
#include "serene/data/progress.h"

namespace serene {

// Immutable once loaded; thread-safe to read.
struct WaveStore {
  FeatureConfig features;                        // how a stored recording becomes features
  std::vector<std::vector<std::int16_t>> clips;  // by place in the manifest; empty where it was not asked for

  // `out` becomes the clip's samples, full scale 1.
  void copy(std::size_t clip, std::vector<float>& out) const;
  std::size_t bytes() const noexcept;
};

// The samples that the features are computed from: cut to offset and duration and, for frame features, trimmed, as
// FeatureExtractor does. Throws Error when nothing is left.
std::vector<float> used_part(const FeatureConfig& features, std::span<const float> mono);
// The config that gives a used_part's features: without offset, duration and trimming, which are done.
FeatureConfig features_of_used_part(FeatureConfig features);

// Reads these clips of the manifest (places; empty: all). used_parts: each cut by used_part(), otherwise as it is.
// cache_dir as load_features takes it. Throws Error naming the file that cannot be read. The result does not depend on
// the number of threads or the state of the cache.
WaveStore load_waves(const Manifest& manifest, std::span<const std::size_t> clips, const FeatureConfig& features,
                     bool used_parts, const std::string& cache_dir, ThreadPool& pool,
                     const DataProgress& progress = {});

// Frames that features have at most for so many samples, whatever they are.
Index most_frames(const FeatureConfig& features, Index samples);

}  // namespace serene
