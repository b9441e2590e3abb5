// Recordings of the training part changed anew each epoch (wave_change.h) and turned into features, which stand in for
// the plain ones while batches are filled.
//
// What the recording alone can show well: noise that masks, a room that smears, another pitch, a telephone line with
// its codes and losses. Frame features are cheaper to change (feature_augment.h), which may follow on top.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/feature_overlay.h"
#include "serene/data/wave_change.h"
#include "serene/data/wave_store.h"

namespace serene {

// Belongs to one thread at a time, which lends it a pool.
class WaveAugment {
 public:
  // train: places in the store, all loaded; only these are changed and heard as babble. Throws Error as check() does
  // and when a place is empty.
  WaveAugment(const WaveAugmentConfig& config, WaveStore store, std::span<const std::size_t> train);

  // Changes and analyses those of `clips` (training clips; repeated ones count once) that are drawn in this epoch. The
  // overlay then holds their features alone: the same bytes for any number of threads, before and after any other
  // epoch.
  void render_epoch(std::uint64_t seed, std::uint64_t epoch, std::span<const std::size_t> clips, ThreadPool& pool);

  const FeatureOverlay& overlay() const noexcept { return overlay_; }
  const WaveStore& store() const noexcept { return store_; }
  // The changed recording of a clip, as render_epoch makes it.
  std::vector<float> changed(std::size_t clip, const WaveDraw& draw) const;
  // Recordings and, as if every clip were drawn in one epoch, the features of the overlay.
  std::size_t bytes() const noexcept;

 private:
  std::vector<std::vector<float>> voices_for(std::size_t clip, const WaveDraw& draw) const;

  WaveAugmentConfig config_;
  WaveStore store_;
  std::vector<std::size_t> train_;
  FeatureOverlay overlay_;
  std::vector<std::unique_ptr<FeatureExtractor>> extractors_;  // one for each worker
  struct Task {
    std::size_t clip;
    WaveDraw draw;
  };
  std::vector<Task> tasks_;
};

}  // namespace serene
