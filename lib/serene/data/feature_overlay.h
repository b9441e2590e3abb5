// Features that stand in for a dataset's plain ones during one epoch.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "serene/audio/features.h"

namespace serene {

// Beside a dataset's clips, by place. Filled by wave_augment.h, read by batcher.h: not while it is being filled.
class FeatureOverlay {
 public:
  // most: frames that each clip's stand-in has at most, 0 for a clip that never has one.
  explicit FeatureOverlay(std::vector<Index> most = {}) : most_(std::move(most)), clips_(most_.size()) {}

  // The clip's features in this epoch, or nullptr where the plain ones hold.
  const FeatureMatrix* find(std::size_t clip) const noexcept {
    return clip < clips_.size() && clips_[clip].frames > 0 ? &clips_[clip] : nullptr;
  }
  // That the clip may come to; 0: it does not change.
  Index most_frames(std::size_t clip) const noexcept { return clip < most_.size() ? most_[clip] : 0; }

  // Back to the recordings as they are.
  void clear() noexcept {
    for (FeatureMatrix& clip : clips_) clip = {};
  }
  FeatureMatrix& at(std::size_t clip) noexcept { return clips_[clip]; }  // different clips by different threads

 private:
  std::vector<Index> most_;
  std::vector<FeatureMatrix> clips_;
};

}  // namespace serene
