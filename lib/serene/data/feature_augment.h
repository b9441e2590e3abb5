// Augmentation of frame features (mfcc, logmel) while a batch is filled: speaking rate, vocal tract, level, noise,
// spectral tilt and masks, a new draw for every clip and epoch.
//
// Works on raw features in decibels and standardises afterwards with the normaliser of the plain training part, so that
// a model sees plain clips at test time on the same scale. Sources: rate and tract as speed and vocal tract length
// perturbation (Ko et al. 2015; Jaitly & Hinton 2013), masks as SpecAugment (Park et al. 2019, without time warping).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serene/audio/feature_config.h"
#include "serene/audio/features.h"
#include "serene/audio/frame_warp.h"
#include "serene/audio/normalizer.h"
#include "serene/core/json.h"
#include "serene/core/random.h"
#include "serene/core/types.h"
#include "serene/data/wave_change.h"

namespace serene {

// The section data.augment of a run config. The defaults change nothing. "± x" is uniform in [-x, x].
struct FeatureAugmentConfig {
  double probability = 1;                              // that a clip is augmented at all
  double tempo_low = 1, tempo_high = 1;                // speaking rate, log-uniform; 1.25 leaves 4/5 of the frames
  double mel_shift = 0;                                // ± bands, fractions interpolated, edge bands repeated (logmel)
  double gain_db = 0;                                  // ± level; mfcc: on coefficient 0 alone
  double tilt_db = 0;                                  // ± difference between highest and lowest band (logmel)
  double noise_probability = 0;                        // that noise is added (logmel)
  double noise_low_db = 5, noise_high_db = 30;         // mean power of the clip over that of the noise, uniform
  double join_probability = 0;                         // that other clips follow, see batcher.h
  double telephone_probability = 0;                    // that the band of a telephone line is kept alone (logmel)
  std::int64_t time_masks = 0, time_mask_frames = 20;  // masks of 0 to so many frames, at most 1/5 of a clip
  std::int64_t frequency_masks = 0, frequency_mask_channels = 8;  // masks of 0 to so many channels

  WaveAugmentConfig wave;  // of the recording, before its features are computed: see wave_augment.h

  // Whether features are ever changed; wave has an answer of its own.
  bool active() const noexcept;
  bool operator==(const FeatureAugmentConfig&) const = default;
};

// Reads the section and calls finish(); unknown keys, wrong types and values out of range throw Error with the key's
// path.
FeatureAugmentConfig feature_augment_from_json(JsonReader reader);
Json to_json(const FeatureAugmentConfig& config);

// Throws Error(usage) that names the key when features of this kind cannot be augmented so: kaggle layouts and deltas
// not at all, mel_shift, tilt_db, noise and telephone for logmel alone.
void check(const FeatureAugmentConfig& config, const FeatureConfig& features);

// Immutable and thread-safe; nothing allocates after construction.
class FeatureAugment {
 public:
  FeatureAugment() = default;  // changes nothing
  // dim: channels of a frame. Throws as check() does, and when dim is more than 1024.
  FeatureAugment(const FeatureAugmentConfig& config, const FeatureConfig& features, Index dim);

  bool active() const noexcept { return config_.active(); }  // whether anything changes at all

  // What happens to one clip in one epoch.
  struct Draw {
    Random random;  // for what is drawn frame by frame
    bool applied = false, noisy = false, telephone = false;
    double tempo = 1, shift = 0, gain_db = 0, tilt_db = 0, snr_db = 0, noise_tilt_db = 0;
    double line_low_hz = 0, line_high_hz = 0, line_depth_db = 0;
  };
  // A pure function of its arguments. clip: place in the dataset.
  Draw draw(std::uint64_t seed, std::uint64_t epoch, std::size_t clip) const noexcept;

  // Frames that a clip of so many has after the draw, at least 1; never more than most_frames().
  static Index frames(Index clip_frames, const Draw& draw) noexcept;
  Index most_frames(Index clip_frames) const noexcept;

  // Frames first .. first+count of the changed clip, standardised, into out (count, dim); count >= 1, first + count <=
  // frames(). Masked cells are 0, the training part's mean. The level of the noise follows the frames asked for.
  template <class S>
  void render(const FeatureMatrix& clip, const Normalizer& normalizer, const Draw& draw, Index first, Index count,
              S* out) const noexcept;

 private:
  static constexpr Index kMostChannels = most_warped_channels;

  template <class S>
  void add_level(const Draw& draw, Index count, S* out) const noexcept;
  template <class S>
  void add_noise(Draw& draw, Index count, S* out) const noexcept;
  template <class S>
  void mask(Draw& draw, Index count, S* out) const noexcept;

  FeatureAugmentConfig config_;
  Index dim_ = 0;
  bool logmel_ = false;
  double floor_power_ = 0;       // amin of the features
  double first_per_db_ = 1;      // change of an mfcc's coefficient 0 for each decibel
  std::vector<double> band_hz_;  // centres of the mel bands
};

}  // namespace serene
