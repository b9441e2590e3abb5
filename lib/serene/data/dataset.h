// Features with labels, and the normaliser that was fitted on the training part alone.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "serene/audio/normalizer.h"
#include "serene/data/feature_cache.h"
#include "serene/data/splits.h"

namespace serene {

// How features are standardised before a model sees them.
enum class Standardise {
  none,
  global,       // one mean and deviation per channel, of the training part
  per_speaker,  // of each speaker's own clips, unlabelled test audio included: reported in a column of its own
  per_corpus,   // of each corpus' own clips, likewise
};

Standardise standardise_from_name(const std::string& name);  // throws Error listing the names
// As in a checkpoint.
std::string to_string(Standardise how);

// Refers to the FeatureSet, which must outlive it and not change. Thread-safe to read.
class Dataset {
 public:
  // Labels are places in features.manifest.labels. The normaliser is fitted on `train` (places in features.clips).
  // Throws Error when a label is unknown, train is empty (unless how is none), or (per_speaker) a speaker is.
  Dataset(const FeatureSet& features, std::span<const std::size_t> train, Standardise how = Standardise::global);
  // With a normaliser from elsewhere, such as a checkpoint's. Throws Error when its size is not features.dim.
  Dataset(const FeatureSet& features, Normalizer normalizer);

  const FeatureSet& features() const noexcept { return *features_; }
  Index dim() const noexcept { return features_->dim; }                           // features per frame
  std::size_t size() const noexcept { return features_->clips.size(); }           // clips
  Index frames(std::size_t clip) const { return features_->clips[clip].frames; }  // of a clip
  const std::vector<std::string>& label_names() const noexcept { return features_->manifest.labels; }  // by class
  int label(std::size_t clip) const { return labels_[clip]; }  // class of a clip
  const std::vector<int>& labels() const noexcept { return labels_; }

  // The normaliser of the training part: what a checkpoint carries. Identity for `none`.
  const Normalizer& normalizer() const noexcept { return normalizer_; }
  // The one that standardises this clip: its speaker's or corpus' own, else that of the training part.
  const Normalizer& normalizer(std::size_t clip) const noexcept {
    return group_normalizers_.empty() ? normalizer_ : group_normalizers_[group_of_clip_[clip]];
  }

  // Standardised frames first .. first+count of a clip into out (count, dim). 0 <= first, first + count <=
  // frames(clip).
  template <class S>
  void copy_frames(std::size_t clip, Index first, Index count, S* out) const noexcept;

  // The same of features that stand in for the clip's own, such as those of a changed recording.
  template <class S>
  void standardise(std::size_t clip, const FeatureMatrix& features, Index first, Index count, S* out) const noexcept;

  // Clips per class among `clips`, in label order.
  std::vector<std::size_t> class_counts(std::span<const std::size_t> clips) const;

  // Class weights n / (classes that occur * n_c) among `clips`, 0 for a class without clips: their mean over the clips
  // is 1.
  std::vector<double> balanced_class_weights(std::span<const std::size_t> clips) const;

 private:
  void take_labels();
  void fit_groups(const std::map<std::string, std::vector<std::size_t>>& groups);

  const FeatureSet* features_;
  std::vector<int> labels_;
  Normalizer normalizer_;
  // Per speaker or corpus; empty when normalizer_ serves every clip.
  std::vector<Normalizer> group_normalizers_;
  std::vector<std::size_t> group_of_clip_;
};

}  // namespace serene
