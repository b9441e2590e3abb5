// Standardisation per channel: (x - mean) / standard deviation, as measured on the training part.
#pragma once

#include <span>
#include <vector>

#include "serene/audio/features.h"
#include "serene/core/json.h"

namespace serene {

struct Normalizer {
  std::vector<float> mean, scale;  // per channel; scale multiplies

  Index dim() const { return static_cast<Index>(mean.size()); }  // channels
  // values (frames, dim) in place; nothing happens when the normalizer is empty.
  void apply(float* values, Index frames) const noexcept;
  bool operator==(const Normalizer&) const = default;
};

// Mean and standard deviation over all frames of all matrices, in double and in the order given, each channel's
// deviations taken from its mean in a second pass. A constant channel gets scale 1. Throws Error when there are no
// frames, when dims differ, or when a value is not finite.
Normalizer fit_normalizer(std::span<const FeatureMatrix* const> clips);

// {"mean": [...], "scale": [...]}; reading checks lengths, finiteness and scale > 0, and calls finish().
Json to_json(const Normalizer& normalizer);
Normalizer normalizer_from_json(JsonReader& reader);

}  // namespace serene
