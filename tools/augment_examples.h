// Examples of what data.augment of a config makes of recordings: samples to hear, features to see, words to read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serene/audio/features.h"
#include "serene/data/feature_augment.h"

namespace serene::cli {

struct Example {
  std::string name;                // end of the file names: "plain", "1", "telephone"
  std::vector<std::string> heard;  // what was done to the recording
  std::vector<std::string> seen;   // what was done to its features: not in the samples
  std::vector<float> samples;      // at the features' rate
  FeatureMatrix features;          // not standardised; masked cells are the clip's mean
};

struct AugmentRecipe {
  FeatureConfig features;
  FeatureAugmentConfig augment;
  std::uint64_t seed = 0;
  int copies = 4;
  bool each = false;  // one example for each kind of change that the config turns on, instead of copies
};

// Everything turned on that these features allow, for a look without a config.
FeatureAugmentConfig demonstration(const FeatureConfig& features);

// The recording as training reads it: at the features' rate, cut and trimmed unless data.augment.wave.trim_first is
// off.
std::vector<float> read_recording(const AugmentRecipe& recipe, const std::string& path);

// The plain recording first, then its examples. clip: number of the file, part of every draw. voices: other recordings
// for babble. Throws Error when each has nothing to show.
std::vector<Example> make_examples(const AugmentRecipe& recipe, const std::vector<float>& recording, std::size_t clip,
                                   const std::vector<std::vector<float>>& voices);

}  // namespace serene::cli
