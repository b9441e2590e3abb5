#include "serene/data/dataset.h"

#include <algorithm>

#include "serene/core/error.h"

namespace serene {
namespace {

const std::vector<std::pair<std::string, Standardise>>& standardise_names() {
  static const std::vector<std::pair<std::string, Standardise>> names = {{"none", Standardise::none},
                                                                         {"global", Standardise::global},
                                                                         {"per-speaker", Standardise::per_speaker},
                                                                         {"per-corpus", Standardise::per_corpus}};
  return names;
}

Normalizer fit(const FeatureSet& features, std::span<const std::size_t> clips) {
  std::vector<const FeatureMatrix*> matrices;
  matrices.reserve(clips.size());
  for (const std::size_t clip : clips) matrices.push_back(&features.clips[clip]);
  return fit_normalizer(matrices);
}

Normalizer identity(Index dim) {
  Normalizer normalizer;
  normalizer.mean.assign(static_cast<std::size_t>(dim), 0.0f);
  normalizer.scale.assign(static_cast<std::size_t>(dim), 1.0f);
  return normalizer;
}

}  // namespace

Standardise standardise_from_name(const std::string& name) {
  std::string known;
  for (const auto& [word, how] : standardise_names()) {
    if (word == name) return how;
    known += (known.empty() ? "" : ", ") + word;
  }
  throw Error(ErrorCode::usage, "standardise", "unknown way '" + printable(name) + "'").expected(known);
}

std::string to_string(Standardise how) {
  for (const auto& [word, value] : standardise_names()) {
    if (value == how) return word;
  }
  return "";
}

Dataset::Dataset(const FeatureSet& features, std::span<const std::size_t> train, Standardise how)
    : features_(&features) {
  take_labels();
  if (how == Standardise::none) {
    normalizer_ = identity(features.dim);
    return;
  }
  if (train.empty()) throw Error(ErrorCode::input, features.manifest.name, "the training part is empty");
  for (const std::size_t clip : train) {
    if (clip >= size()) throw Error(ErrorCode::internal, features.manifest.name, "a training clip is out of range");
  }
  normalizer_ = fit(features, train);
  if (how == Standardise::global) return;
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < size(); ++i) {
    const Clip& clip = features.manifest.clips[i];
    const std::string& name = how == Standardise::per_speaker ? clip.speaker : clip.corpus;
    if (name.empty()) {
      throw Error(ErrorCode::input, features.manifest.name, "clip '" + clip.id + "' has no speaker")
          .hint("standardise 'global' does without");
    }
    groups[name].push_back(i);
  }
  fit_groups(groups);
}

Dataset::Dataset(const FeatureSet& features, Normalizer normalizer)
    : features_(&features), normalizer_(std::move(normalizer)) {
  take_labels();
  const auto dim = static_cast<std::size_t>(features.dim);
  if (normalizer_.mean.empty() && normalizer_.scale.empty()) normalizer_ = identity(features.dim);
  if (normalizer_.mean.size() != dim || normalizer_.scale.size() != dim) {
    throw Error(ErrorCode::input, "normalizer", "does not fit the features")
        .expected(std::to_string(dim) + " channels")
        .got(std::to_string(normalizer_.mean.size()));
  }
}

void Dataset::take_labels() {
  labels_.reserve(size());
  for (const Clip& clip : features_->manifest.clips) {
    const int label = features_->manifest.label_index(clip.label);
    if (label < 0) {
      throw Error(ErrorCode::input, clip.path, "unknown label '" + printable(clip.label) + "'");
    }
    labels_.push_back(label);
  }
}

void Dataset::fit_groups(const std::map<std::string, std::vector<std::size_t>>& groups) {
  group_of_clip_.resize(size());
  for (const auto& [name, clips] : groups) {
    for (const std::size_t clip : clips) group_of_clip_[clip] = group_normalizers_.size();
    group_normalizers_.push_back(fit(*features_, clips));
  }
}

template <class S>
void Dataset::copy_frames(std::size_t clip, Index first, Index count, S* out) const noexcept {
  standardise(clip, features_->clips[clip], first, count, out);
}

template <class S>
void Dataset::standardise(std::size_t clip, const FeatureMatrix& features, Index first, Index count,
                          S* out) const noexcept {
  const Index width = dim();
  const float* const mean = normalizer(clip).mean.data();
  const float* const scale = normalizer(clip).scale.data();
  const float* in = features.row(first);
  for (Index t = 0; t < count; ++t, in += width, out += width) {
    for (Index c = 0; c < width; ++c) out[c] = static_cast<S>((in[c] - mean[c]) * scale[c]);
  }
}

template void Dataset::copy_frames(std::size_t, Index, Index, float*) const noexcept;
template void Dataset::copy_frames(std::size_t, Index, Index, double*) const noexcept;
template void Dataset::standardise(std::size_t, const FeatureMatrix&, Index, Index, float*) const noexcept;
template void Dataset::standardise(std::size_t, const FeatureMatrix&, Index, Index, double*) const noexcept;

std::vector<std::size_t> Dataset::class_counts(std::span<const std::size_t> clips) const {
  std::vector<std::size_t> counts(label_names().size(), 0);
  for (const std::size_t clip : clips) ++counts[static_cast<std::size_t>(labels_.at(clip))];
  return counts;
}

std::vector<double> Dataset::balanced_class_weights(std::span<const std::size_t> clips) const {
  const std::vector<std::size_t> counts = class_counts(clips);
  const auto used =
      static_cast<double>(counts.size() - static_cast<std::size_t>(std::count(counts.begin(), counts.end(), 0)));
  std::vector<double> weights(counts.size(), 0);
  for (std::size_t c = 0; c < counts.size(); ++c) {
    if (counts[c] > 0) weights[c] = static_cast<double>(clips.size()) / (used * static_cast<double>(counts[c]));
  }
  return weights;
}

}  // namespace serene
