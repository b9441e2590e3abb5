#include "serene/data/batcher.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "serene/core/error.h"
#include "serene/core/random.h"

namespace serene {
namespace {

constexpr std::uint64_t kMostPause = 30;  // frames between joined clips

}  // namespace

Batcher::Batcher(const Dataset& dataset, std::span<const std::size_t> clips, const BatcherConfig& config)
    : dataset_(&dataset),
      config_(config),
      augment_(config.augment, dataset.features().config, dataset.dim()),
      clips_(clips.begin(), clips.end()),
      order_(clips_) {
  if (clips_.empty()) throw Error(ErrorCode::input, "batches", "there are no clips");
  if (config_.batch_size < 1 || config_.max_frames < 0) {
    throw Error(ErrorCode::usage, "batches", "batch size or clip length is out of range")
        .expected("batch_size >= 1, max_frames >= 0")
        .got(std::to_string(config_.batch_size) + ", " + std::to_string(config_.max_frames));
  }
  if (config_.fixed_frames && config_.max_frames == 0) {
    throw Error(ErrorCode::usage, "batches", "clips of fixed length need a length").expected("max_frames > 0");
  }
  for (const std::size_t clip : clips_) {
    if (clip >= dataset.size()) throw Error(ErrorCode::internal, "batches", "a clip is out of range");
    max_time_ = std::max(max_time_, cut(augment_.most_frames(dataset.frames(clip))));
  }
  if (config_.augment.join_probability > 0) group_clips();
  if (config_.fixed_frames || !groups_.empty()) max_time_ = config_.max_frames;
  const auto size = static_cast<std::size_t>(config_.batch_size);
  for (std::size_t start = 0; start < clips_.size(); start += size) {
    if (config_.drop_last && start + size > clips_.size()) break;
    starts_.push_back(start);
  }
  if (starts_.empty()) {
    throw Error(ErrorCode::usage, "batches", "no batch is full").expected(std::to_string(size) + " clips");
  }
  starts_.push_back(std::min(starts_.back() + size, clips_.size()));
  batch_order_.resize(starts_.size() - 1);
  start_epoch(0);
}

Index Batcher::batches() const noexcept { return static_cast<Index>(starts_.size()) - 1; }

Shape Batcher::max_shape() const noexcept {
  const Index batch = std::min(config_.batch_size, static_cast<Index>(clips_.size()));
  return {batch, max_time_, dataset_->dim()};
}

void Batcher::start_epoch(std::uint64_t epoch) {
  epoch_ = epoch;
  std::copy(clips_.begin(), clips_.end(), order_.begin());
  std::iota(batch_order_.begin(), batch_order_.end(), std::size_t{0});
  if (!config_.shuffle) return;
  Random random(config_.seed, Purpose::shuffle, epoch);
  random.shuffle(std::span<std::size_t>(order_));
  if (!config_.bucket) return;
  order_by_length();
  random.shuffle(std::span<std::size_t>(batch_order_));
}

// Sorts by coarse length (16ths of the longest); clips of like length keep their shuffled order. What drop_last leaves
// out is taken off before, or it would always be the longest clips.
void Batcher::order_by_length() {
  const Index step = std::max<Index>(1, max_time_ / 16);
  by_length_.resize(starts_.back());
  for (std::size_t i = 0; i < by_length_.size(); ++i) by_length_[i] = {used_frames(order_[i]) / step, i, order_[i]};
  std::sort(by_length_.begin(), by_length_.end(), [](const Entry& a, const Entry& b) {
    return a.bucket != b.bucket ? a.bucket < b.bucket : a.place < b.place;
  });
  for (std::size_t i = 0; i < by_length_.size(); ++i) order_[i] = by_length_[i].clip;
}

Index Batcher::cut(Index frames) const noexcept {
  return config_.max_frames > 0 ? std::min(frames, config_.max_frames) : frames;
}

Index Batcher::whole_frames(std::size_t clip) const noexcept {
  const Index frames = dataset_->frames(clip);
  return augment_.active() ? FeatureAugment::frames(frames, augment_.draw(config_.seed, epoch_, clip)) : frames;
}

Index Batcher::used_frames(std::size_t clip) const noexcept { return sample(clip).frames; }

void Batcher::group_clips() {
  if (config_.max_frames == 0) {
    throw Error(ErrorCode::usage, "data.augment.join_probability", "clips can be joined up to max_frames only")
        .expected("data.max_frames > 0");
  }
  std::map<std::pair<std::string, int>, std::size_t> numbers;
  group_of_clip_.resize(dataset_->size());
  for (const std::size_t clip : clips_) {
    const std::string& speaker = dataset_->features().manifest.clips[clip].speaker;
    const auto [entry, fresh] = numbers.try_emplace({speaker, dataset_->label(clip)}, groups_.size());
    if (fresh) groups_.emplace_back();
    groups_[entry->second].push_back(clip);
    group_of_clip_[clip] = entry->second;
  }
}

Batcher::Sample Batcher::sample(std::size_t clip) const noexcept {
  Sample s;
  s.clips[0] = clip;
  s.parts = 1;
  s.frames = cut(whole_frames(clip));
  if (groups_.empty()) return s;
  const auto& group = groups_[group_of_clip_[clip]];
  Random random(config_.seed, Purpose::join, epoch_, clip);
  if (random.uniform() >= config_.augment.join_probability || group.size() < 2) return s;
  const FeatureAugment::Draw draw = augment_.draw(config_.seed, epoch_, clip);
  while (s.parts < kMostParts && s.frames < config_.max_frames) {
    const auto part = static_cast<std::size_t>(s.parts);
    s.pauses[part] = static_cast<Index>(random.below(kMostPause + 1));
    s.clips[part] = group[static_cast<std::size_t>(random.below(group.size()))];
    const Index frames = FeatureAugment::frames(dataset_->frames(s.clips[part]), draw);
    s.frames = std::min(config_.max_frames, s.frames + s.pauses[part] + frames);
    ++s.parts;
  }
  return s;
}

// The parts after the first, which stands in `out` already.
template <class S>
void Batcher::join(const Sample& s, const FeatureAugment::Draw& draw, S* out) const noexcept {
  const Index dim = dataset_->dim();
  Index filled = cut(whole_frames(s.clips[0]));
  const auto sum = [&](Index t) { return std::accumulate(out + t * dim, out + (t + 1) * dim, S(0)); };
  Index quietest = 0;
  for (Index t = 1; t < filled; ++t) quietest = sum(t) < sum(quietest) ? t : quietest;
  for (int part = 1; part < s.parts; ++part) {
    const auto p = static_cast<std::size_t>(part);
    for (Index i = 0; i < s.pauses[p] && filled < s.frames; ++i, ++filled) {
      std::copy_n(out + quietest * dim, dim, out + filled * dim);
    }
    const std::size_t clip = s.clips[p];
    const Index frames = std::min(s.frames - filled, FeatureAugment::frames(dataset_->frames(clip), draw));
    if (frames < 1) return;
    augment_.render(dataset_->features().clips[clip], dataset_->normalizer(clip), draw, 0, frames, out + filled * dim);
    filled += frames;
  }
}

template <class S>
void Batcher::write(std::size_t clip, S* out) const noexcept {
  if (!augment_.active()) {
    dataset_->copy_frames(clip, first_frame(clip), used_frames(clip), out);
    return;
  }
  const FeatureAugment::Draw draw = augment_.draw(config_.seed, epoch_, clip);
  augment_.render(dataset_->features().clips[clip], dataset_->normalizer(clip), draw, first_frame(clip),
                  cut(whole_frames(clip)), out);
  const Sample s = sample(clip);
  if (s.parts > 1) join(s, draw, out);
}

Index Batcher::first_frame(std::size_t clip) const noexcept {
  const Index frames = whole_frames(clip), spare = frames - cut(frames);
  if (spare == 0) return 0;
  if (!config_.random_crop) return spare / 2;
  Random random(config_.seed, Purpose::crop, epoch_, clip);
  return static_cast<Index>(random.below(static_cast<std::uint64_t>(spare) + 1));
}

std::span<const std::size_t> Batcher::batch_clips(Index batch) const noexcept {
  const std::size_t b = batch_order_[static_cast<std::size_t>(batch)];
  return std::span<const std::size_t>(order_).subspan(starts_[b], starts_[b + 1] - starts_[b]);
}

Shape Batcher::shape(Index batch) const noexcept {
  const auto clips = batch_clips(batch);
  Index time = config_.fixed_frames ? config_.max_frames : 0;
  for (const std::size_t clip : clips) time = std::max(time, used_frames(clip));
  return {static_cast<Index>(clips.size()), time, dataset_->dim()};
}

template <class S>
Shape Batcher::fill(Index batch, const BatchBuffers<S>& out) const noexcept {
  const Shape s = shape(batch);
  const auto clips = batch_clips(batch);
  for (Index b = 0; b < s.batch; ++b) {
    const std::size_t clip = clips[static_cast<std::size_t>(b)];
    const Index length = used_frames(clip);
    S* const place = out.data + b * s.time * s.channels;
    write(clip, place);
    std::fill(place + length * s.channels, place + s.time * s.channels, S(0));
    out.lengths[b] = length;
    out.labels[b] = dataset_->label(clip);
    if (out.clips != nullptr) out.clips[b] = clip;
  }
  return s;
}

template Shape Batcher::fill(Index, const BatchBuffers<float>&) const noexcept;
template Shape Batcher::fill(Index, const BatchBuffers<double>&) const noexcept;

}  // namespace serene
