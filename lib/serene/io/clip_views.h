// How often a model hears a clip before it answers: as it is, and faster, slower, higher or lower. The answer of
// several views is, like that of several windows (io/clip_windows.h), the softmax of the mean of their logits.
//
// Only for models that heard such changes in training. Costs a pass for each view; live calls hear every window once.
#pragma once

#include <vector>

#include "serene/audio/feature_config.h"
#include "serene/core/json.h"

namespace serene {

struct ClipView {
  double tempo = 1;                                                     // speaking rate: 1.25 leaves 4/5 of the frames
  double mel_shift = 0;                                                 // bands up
  bool plain() const noexcept { return tempo == 1 && mel_shift == 0; }  // the clip as it is
  bool operator==(const ClipView&) const = default;
};

inline constexpr std::size_t most_views = 64;  // of one clip

// Every tempo with every shift. The default: the clip as it is.
struct ClipViews {
  std::vector<double> tempo = {1}, mel_shift = {0};

  bool plain() const noexcept { return *this == ClipViews{}; }  // the clip as it is, alone
  std::vector<ClipView> list() const;                           // tempo by tempo
  double slowest() const noexcept;                              // the least tempo
  bool operator==(const ClipViews&) const = default;
};

// {"tempo": [...], "mel_shift": [...]}, either may be missing. Calls finish(). Throws Error that names the key: none or
// more than most_views in all, tempo outside 0.25 to 4, shift outside -1024 to 1024.
ClipViews clip_views_from_json(JsonReader reader);
Json to_json(const ClipViews& views);

// Throws Error(usage) that begins with `key` for features that cannot be heard so: a fixed size, derivatives, and
// shifts of anything but mel bands.
void check(const ClipViews& views, const FeatureConfig& features, const std::string& key);

}  // namespace serene
