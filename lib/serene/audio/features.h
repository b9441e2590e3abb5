// Features of whole clips. What each preset holds is in feature_config.h.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "serene/audio/feature_config.h"

namespace serene {

// (frames, dim) row-major; see frame_matrix.h.
using FeatureMatrix = FrameMatrix<float>;

// Computes the features of many clips with the tables and scratch of one; belongs to one thread at a time.
class FeatureExtractor {
 public:
  // Throws Error(usage) for a configuration that check() refuses.
  explicit FeatureExtractor(const FeatureConfig& config);
  ~FeatureExtractor();
  FeatureExtractor(FeatureExtractor&&) noexcept;
  FeatureExtractor& operator=(FeatureExtractor&&) noexcept;

  const FeatureConfig& config() const noexcept;  // as given
  // mono: the clip at config().rate_hz. mfcc and logmel push it through a FeatureStream, after trimming. Throws Error
  // when the clip has no samples, ends before the offset, or is shorter than one frame that is not centred. Never gives
  // a NaN: samples that are not finite count as 0, those beyond +-65536 are cut there.
  FeatureMatrix extract(std::span<const float> mono);
  // Reads, mixes to one channel and resamples first. Errors name the file.
  FeatureMatrix extract_file(const std::string& path);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The same once, with an extractor of its own. Thread-safe.
FeatureMatrix extract_features(const FeatureConfig& config, std::span<const float> mono);
FeatureMatrix extract_file(const FeatureConfig& config, const std::string& path);

// The same of mono samples from anywhere, at rate_hz, which are resampled to the config's rate. Throws Error(usage) for
// a rate outside 1000..768000, Error(input) that names the first sample which is not finite.
FeatureMatrix features_of_samples(const FeatureConfig& config, std::span<const float> mono, int rate_hz);

// The part of a clip that the config's offset and duration leave; a kaggle layout's is padded with zeros to the full
// duration.
std::vector<float> cut_clip(const FeatureConfig& config, std::span<const float> mono);

}  // namespace serene
