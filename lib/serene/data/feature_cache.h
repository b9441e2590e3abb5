// Features of a whole corpus: extracted once, in parallel, and kept on disk by content.
//
// An entry's key is the SHA-256 of the audio file's bytes, the fingerprint of the feature config and a version of the
// code, so renamed or copied files hit, and changed files or configs miss. One small file per entry, written atomically
// and carrying its own checksum: an interrupted run keeps what it has done, two runs may share a folder, and a damaged
// entry is rebuilt. An index of (path, size, time of change) -> hash spares reading the audio again.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "serene/audio/features.h"
#include "serene/core/thread_pool.h"
#include "serene/core/types.h"
#include "serene/data/manifest.h"
#include "serene/data/progress.h"

namespace serene {

// Features of one clip, (frames, dim), not normalised.
struct ClipFeatures : FeatureMatrix {
  ClipFeatures() = default;
  // Takes the values over.
  ClipFeatures(FeatureMatrix matrix) : FeatureMatrix(std::move(matrix)) {}
  // dim follows from the number of values.
  ClipFeatures(Index frame_count, std::vector<float> frame_values) {
    frames = frame_count;
    dim = frame_count > 0 ? static_cast<Index>(frame_values.size()) / frame_count : 0;
    values = std::move(frame_values);
  }
};

struct FeatureSet {
  Manifest manifest;  // the usable clips alone; the others are added to its `skipped`
  FeatureConfig config;
  Index dim = 0;                    // values per frame
  std::vector<ClipFeatures> clips;  // beside manifest.clips
  // Hex SHA-256 of the decoded samples, beside manifest.clips: equal for equal audio.
  std::vector<std::string> audio_hashes;
  std::size_t extracted = 0, from_cache = 0, damaged = 0;  // damaged: cache entries that had to be rebuilt
  std::string cache_dir = "off";                           // where the features are kept, "off": nowhere

  Index longest() const noexcept;      // frames of the longest clip
  std::size_t bytes() const noexcept;  // of all values in memory
};

// cache_dir: "" is default_cache_dir(); "off" keeps nothing on disk. A cache that cannot be written is not an error:
// the features are still returned. A clip that cannot be read (missing, broken, silent to the last sample, not finite)
// is skipped and listed. Throws Error when no clip at all is usable. The result does not depend on the number of
// threads or on the state of the cache.
FeatureSet load_features(const Manifest& manifest, const FeatureConfig& config, const std::string& cache_dir,
                         ThreadPool& pool, const DataProgress& progress = {});

// $XDG_CACHE_HOME/serene, else ~/.cache/serene, else .serene-cache in the current folder.
std::string default_cache_dir();

}  // namespace serene
