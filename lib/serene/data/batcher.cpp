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
      clips_(clips.begin(), clips.end()) {
  if (clips_.empty()) throw Error(ErrorCode::input, "batches", "there are no clips");
  if (config_.batch_size < 1 || config_.max_frames < 0 || config_.epoch_clips < 0) {
    throw Error(ErrorCode::usage, "batches", "batch size, clip length or clips of an epoch are out of range")
        .expected("batch_size >= 1, max_frames >= 0, epoch_clips >= 0")
        .got(std::to_string(config_.batch_size) + ", " + std::to_string(config_.max_frames));
  }
  if (config_.fixed_frames && config_.max_frames == 0) {
    throw Error(ErrorCode::usage, "batches", "clips of fixed length need a length").expected("max_frames > 0");
  }
  for (const std::size_t clip : clips_) {
    if (clip >= dataset.size()) throw Error(ErrorCode::internal, "batches", "a clip is out of range");
    const Index changed = config_.overlay != nullptr ? config_.overlay->most_frames(clip) : 0;
    max_time_ = std::max(max_time_, cut(augment_.most_frames(std::max(dataset.frames(clip), changed))));
  }
  group_for_balance();
  items_.resize(config_.epoch_clips > 0 ? static_cast<std::size_t>(config_.epoch_clips) : clips_.size());
  order_.resize(items_.size());
  if (config_.augment.join_probability > 0) group_clips();
  if (config_.fixed_frames || !groups_.empty()) max_time_ = config_.max_frames;
  const auto size = static_cast<std::size_t>(config_.batch_size);
  for (std::size_t start = 0; start < items_.size(); start += size) {
    if (config_.drop_last && start + size > items_.size()) break;
    starts_.push_back(start);
  }
  if (starts_.empty()) {
    throw Error(ErrorCode::usage, "batches", "no batch is full").expected(std::to_string(size) + " clips");
  }
  starts_.push_back(std::min(starts_.back() + size, items_.size()));
  batch_order_.resize(starts_.size() - 1);
  start_epoch(0);
}

Index Batcher::batches() const noexcept { return static_cast<Index>(starts_.size()) - 1; }

Shape Batcher::max_shape() const noexcept {
  const Index batch = std::min(config_.batch_size, static_cast<Index>(items_.size()));
  return {batch, max_time_, dataset_->dim()};
}

void Batcher::start_epoch(std::uint64_t epoch) {
  epoch_ = epoch;
  choose(epoch, permuted_, items_);
  std::iota(batch_order_.begin(), batch_order_.end(), std::size_t{0});
  if (config_.shuffle) {
    Random random(config_.seed, Purpose::shuffle, epoch);
    random.shuffle(std::span<Item>(items_));
    if (config_.bucket) {
      order_by_length();
      random.shuffle(std::span<std::size_t>(batch_order_));
    }
  }
  std::transform(items_.begin(), items_.end(), order_.begin(), [](const Item& item) { return item.clip; });
}

void Batcher::group_for_balance() {
  if (config_.balance == Balance::none && config_.epoch_clips == 0) return;
  std::map<std::pair<int, std::string>, std::vector<std::size_t>> groups;
  const bool classes = config_.balance == Balance::by_class || config_.balance == Balance::by_class_and_corpus;
  const bool corpora = config_.balance == Balance::by_corpus || config_.balance == Balance::by_class_and_corpus;
  for (const std::size_t clip : clips_) {
    const std::string& corpus = dataset_->features().manifest.clips[clip].corpus;
    groups[{classes ? dataset_->label(clip) : 0, corpora ? corpus : ""}].push_back(clip);
  }
  std::size_t largest = 0;
  for (auto& [key, members] : groups) {
    largest = std::max(largest, members.size());
    turns_.push_back(std::move(members));
  }
  permuted_.resize(largest);
}

// Number the places of all epochs from 0: group g of G has the places j with j % G == g, and its q-th of them takes the
// clip at q % size of its permutation number q / size.
void Batcher::choose(std::uint64_t epoch, std::span<std::size_t> permuted, std::span<Item> out) const noexcept {
  if (turns_.empty()) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = {clips_[i], 0};
    return;
  }
  const std::uint64_t groups = turns_.size(), before = epoch * out.size();
  for (std::uint64_t g = 0; g < groups; ++g) {
    const std::vector<std::size_t>& members = turns_[static_cast<std::size_t>(g)];
    const std::span<std::size_t> order = permuted.first(members.size());
    const std::uint64_t size = members.size(), first = (g + groups - before % groups) % groups;
    const std::uint64_t first_cycle = (before + first) / groups / size;
    std::uint64_t known = UINT64_MAX;
    for (std::uint64_t i = first; i < out.size(); i += groups) {
      const std::uint64_t q = (before + i) / groups, cycle = q / size;
      if (cycle != known) {
        std::copy(members.begin(), members.end(), order.begin());
        Random(config_.seed, Purpose::balance, cycle, g).shuffle(order);
        known = cycle;
      }
      const auto round = static_cast<std::uint32_t>(cycle - first_cycle);
      out[static_cast<std::size_t>(i)] = {order[static_cast<std::size_t>(q % size)], round};
    }
  }
}

std::vector<std::size_t> Batcher::clips_of_epoch(std::uint64_t epoch) const {
  std::vector<Item> items(items_.size());
  std::vector<std::size_t> permuted(permuted_.size()), clips;
  choose(epoch, permuted, items);
  clips.reserve(items.size());
  for (const Item& item : items) clips.push_back(item.clip);
  return clips;
}

// Sorts by coarse length (16ths of the longest); clips of like length keep their shuffled order. What drop_last leaves
// out is taken off before, or it would always be the longest clips.
void Batcher::order_by_length() {
  const Index step = std::max<Index>(1, max_time_ / 16);
  by_length_.resize(starts_.back());
  for (std::size_t i = 0; i < by_length_.size(); ++i) by_length_[i] = {used_frames(items_[i]) / step, i, items_[i]};
  std::sort(by_length_.begin(), by_length_.end(), [](const Entry& a, const Entry& b) {
    return a.bucket != b.bucket ? a.bucket < b.bucket : a.place < b.place;
  });
  for (std::size_t i = 0; i < by_length_.size(); ++i) items_[i] = by_length_[i].item;
}

Index Batcher::cut(Index frames) const noexcept {
  return config_.max_frames > 0 ? std::min(frames, config_.max_frames) : frames;
}

const FeatureMatrix& Batcher::features(std::size_t clip) const noexcept {
  const FeatureMatrix* changed = config_.overlay != nullptr ? config_.overlay->find(clip) : nullptr;
  return changed != nullptr ? *changed : dataset_->features().clips[clip];
}

Index Batcher::whole_frames(Item item) const noexcept {
  const Index frames = features(item.clip).frames;
  return augment_.active() ? FeatureAugment::frames(frames, draw(item)) : frames;
}

Index Batcher::used_frames(Item item) const noexcept { return sample(item).frames; }

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

Batcher::Sample Batcher::sample(Item item) const noexcept {
  Sample s;
  s.clips[0] = item.clip;
  s.parts = 1;
  s.frames = cut(whole_frames(item));
  if (groups_.empty()) return s;
  const auto& group = groups_[group_of_clip_[item.clip]];
  Random random(config_.seed, Purpose::join, turn(item), item.clip);
  if (random.uniform() >= config_.augment.join_probability || group.size() < 2) return s;
  const FeatureAugment::Draw shared = draw(item);
  while (s.parts < kMostParts && s.frames < config_.max_frames) {
    const auto part = static_cast<std::size_t>(s.parts);
    s.pauses[part] = static_cast<Index>(random.below(kMostPause + 1));
    s.clips[part] = group[static_cast<std::size_t>(random.below(group.size()))];
    const Index frames = FeatureAugment::frames(features(s.clips[part]).frames, shared);
    s.frames = std::min(config_.max_frames, s.frames + s.pauses[part] + frames);
    ++s.parts;
  }
  return s;
}

// The parts after the first, which stands in `out` already.
template <class S>
void Batcher::join(const Sample& s, const FeatureAugment::Draw& draw, S* out) const noexcept {
  const Index dim = dataset_->dim();
  Index filled = cut(FeatureAugment::frames(features(s.clips[0]).frames, draw));
  const auto sum = [&](Index t) { return std::accumulate(out + t * dim, out + (t + 1) * dim, S(0)); };
  Index quietest = 0;
  for (Index t = 1; t < filled; ++t) quietest = sum(t) < sum(quietest) ? t : quietest;
  for (int part = 1; part < s.parts; ++part) {
    const auto p = static_cast<std::size_t>(part);
    for (Index i = 0; i < s.pauses[p] && filled < s.frames; ++i, ++filled) {
      std::copy_n(out + quietest * dim, dim, out + filled * dim);
    }
    const std::size_t clip = s.clips[p];
    const Index frames = std::min(s.frames - filled, FeatureAugment::frames(features(clip).frames, draw));
    if (frames < 1) return;
    augment_.render(features(clip), dataset_->normalizer(clip), draw, 0, frames, out + filled * dim);
    filled += frames;
  }
}

template <class S>
void Batcher::write(Item item, S* out) const noexcept {
  const FeatureMatrix& clip = features(item.clip);
  if (!augment_.active()) {
    dataset_->standardise(item.clip, clip, first_frame(item), used_frames(item), out);
    return;
  }
  const FeatureAugment::Draw drawn = draw(item);
  augment_.render(clip, dataset_->normalizer(item.clip), drawn, first_frame(item), cut(whole_frames(item)), out);
  const Sample s = sample(item);
  if (s.parts > 1) join(s, drawn, out);
}

Index Batcher::first_frame(Item item) const noexcept {
  const Index frames = whole_frames(item), spare = frames - cut(frames);
  if (spare == 0) return 0;
  if (!config_.random_crop) return spare / 2;
  Random random(config_.seed, Purpose::crop, turn(item), item.clip);
  return static_cast<Index>(random.below(static_cast<std::uint64_t>(spare) + 1));
}

std::span<const std::size_t> Batcher::batch_clips(Index batch) const noexcept {
  const std::size_t b = batch_order_[static_cast<std::size_t>(batch)];
  return std::span<const std::size_t>(order_).subspan(starts_[b], starts_[b + 1] - starts_[b]);
}

std::span<const Batcher::Item> Batcher::batch_items(Index batch) const noexcept {
  const std::size_t b = batch_order_[static_cast<std::size_t>(batch)];
  return std::span<const Item>(items_).subspan(starts_[b], starts_[b + 1] - starts_[b]);
}

Shape Batcher::shape(Index batch) const noexcept {
  const auto items = batch_items(batch);
  Index time = config_.fixed_frames ? config_.max_frames : 0;
  for (const Item& item : items) time = std::max(time, used_frames(item));
  return {static_cast<Index>(items.size()), time, dataset_->dim()};
}

void Batcher::describe(Index batch, Index* lengths, int* labels) const noexcept {
  for (const Item& item : batch_items(batch)) {
    *lengths++ = used_frames(item);
    *labels++ = dataset_->label(item.clip);
  }
}

template <class S>
void Batcher::fill_sample(Index batch, Index b, const Shape& shape, S* out) const noexcept {
  const Item item = batch_items(batch)[static_cast<std::size_t>(b)];
  write(item, out);
  std::fill(out + used_frames(item) * shape.channels, out + shape.time * shape.channels, S(0));
}

template <class S>
Shape Batcher::fill(Index batch, const BatchBuffers<S>& out) const noexcept {
  const Shape s = shape(batch);
  describe(batch, out.lengths, out.labels);
  for (Index b = 0; b < s.batch; ++b) fill_sample(batch, b, s, out.data + b * s.time * s.channels);
  if (out.clips != nullptr) std::copy_n(batch_clips(batch).begin(), s.batch, out.clips);
  return s;
}

template void Batcher::fill_sample(Index, Index, const Shape&, float*) const noexcept;
template void Batcher::fill_sample(Index, Index, const Shape&, double*) const noexcept;
template Shape Batcher::fill(Index, const BatchBuffers<float>&) const noexcept;
template Shape Batcher::fill(Index, const BatchBuffers<double>&) const noexcept;

}  // namespace serene
