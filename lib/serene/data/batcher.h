// Clips into batches (B, T, F): order, crops and padding, all a pure function of (seed, epoch), written into the
// caller's memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "serene/core/types.h"
#include "serene/data/dataset.h"
#include "serene/data/feature_augment.h"
#include "serene/data/feature_overlay.h"

namespace serene {

// What an epoch takes equally many clips of: nothing in particular, each class, each corpus, each class of each corpus.
enum class Balance { none, by_class, by_corpus, by_class_and_corpus };

struct BatcherConfig {
  Index batch_size = 32;
  Index max_frames = 0;  // longer clips are cut to this many frames; 0 keeps them whole
  bool fixed_frames =
      false;  // every batch has time max_frames (> 0), shorter clips padded with zeros; lengths tell the truth
  bool random_crop = false;  // where to cut: at random by (seed, epoch, clip), else the middle
  bool shuffle = false;      // order by (seed, epoch), else as given
  bool bucket =
      false;  // with shuffle: clips of like length into one batch, to save padding; the batches come in random order
  bool drop_last = false;  // leave out a last batch that is not full
  std::uint64_t seed = 0;
  FeatureAugmentConfig augment;  // changes each clip anew by (seed, epoch, clip), before it is cut; for training alone
  // Groups take turns, epoch after epoch; a group's clips come in an order of their own, by (seed, round), and none
  // twice before all others of the group have come once. A clip that comes again in one epoch is changed and cut anew.
  Balance balance = Balance::none;
  Index epoch_clips = 0;  // clips of an epoch; 0: as many as there are
  // Where it has features of a clip, they stand in for the dataset's. Must outlive the batcher and hold what the epoch
  // needs before start_epoch(); may be null.
  const FeatureOverlay* overlay = nullptr;
};

// Where fill() writes. All of it belongs to the caller, who gives room for batch_size samples of max_time() frames.
template <class S>
struct BatchBuffers {
  S* data = nullptr;             // batch_size * max_time() * dim values
  Index* lengths = nullptr;      // batch_size
  int* labels = nullptr;         // batch_size
  std::size_t* clips = nullptr;  // batch_size: places in the dataset; may be nullptr
};

// Not thread-safe to start an epoch; fill() may be called for different batches from different threads after that.
class Batcher {
 public:
  // clips: places in the dataset, which must outlive the batcher. Throws Error when clips is empty, batch_size < 1,
  // fixed_frames without max_frames, drop_last leaves nothing, or the features cannot be augmented so. Starts at epoch
  // 0.
  Batcher(const Dataset& dataset, std::span<const std::size_t> clips, const BatcherConfig& config);

  const BatcherConfig& config() const noexcept { return config_; }
  Index batches() const noexcept;                               // of an epoch
  std::size_t clips() const noexcept { return items_.size(); }  // of an epoch
  // The largest time any batch of any epoch can have: plan memory for (batch_size, max_time(), dim).
  Index max_time() const noexcept { return max_time_; }
  Shape max_shape() const noexcept;

  // The clips that an epoch takes, in no particular order, some perhaps more than once.
  std::vector<std::size_t> clips_of_epoch(std::uint64_t epoch) const;

  // Fixes order and crops. Does not allocate after the first call.
  void start_epoch(std::uint64_t epoch);

  // Shape of a batch (0 <= batch < batches()): its samples, its longest clip in frames, dim.
  Shape shape(Index batch) const noexcept;
  // The dataset's clips in a batch, in order.
  std::span<const std::size_t> batch_clips(Index batch) const noexcept;

  // Writes one batch and returns its shape. Frames beyond a clip's length are zero. Does not allocate.
  template <class S>
  Shape fill(Index batch, const BatchBuffers<S>& out) const noexcept;
  // What fill() does, in two parts, so that several threads can fill one batch: lengths and labels of all samples, and
  // the frames of sample b (shape.time * dim values) for shape == shape(batch).
  void describe(Index batch, Index* lengths, int* labels) const noexcept;
  template <class S>
  void fill_sample(Index batch, Index b, const Shape& shape, S* out) const noexcept;

 private:
  // A clip and the permutation of its group that it stands in, counted within the epoch: a clip that comes twice has
  // another one each time.
  struct Item {
    std::size_t clip = 0;
    std::uint32_t round = 0;
  };
  struct Entry {
    Index bucket;
    std::size_t place;
    Item item;
  };
  // What stands in a sample: a clip and, by augment.join_probability, others of its speaker and label after it, while
  // they fit into max_frames; between them up to a third of a second of the first clip's quietest frame. So a model
  // learns the windows that a call gives it: people talk on. All parts share the first clip's draw.
  static constexpr int kMostParts = 8;
  struct Sample {
    std::array<std::size_t, kMostParts> clips{};
    std::array<Index, kMostParts> pauses{};  // frames before each part
    int parts = 0;
    Index frames = 0;
  };
  Sample sample(Item item) const noexcept;
  void group_clips();
  void group_for_balance();
  std::span<const Item> batch_items(Index batch) const noexcept;
  void choose(std::uint64_t epoch, std::span<std::size_t> permuted, std::span<Item> out) const noexcept;
  template <class S>
  void write(Item item, S* out) const noexcept;
  template <class S>
  void join(const Sample& s, const FeatureAugment::Draw& draw, S* out) const noexcept;

  // The clip's features in this epoch, not standardised.
  const FeatureMatrix& features(std::size_t clip) const noexcept;
  // Key of what is drawn for an item: the epoch for a clip's first time, something of its own for every further one.
  std::uint64_t turn(Item item) const noexcept { return epoch_ + (std::uint64_t{item.round} << 40); }
  FeatureAugment::Draw draw(Item item) const noexcept { return augment_.draw(config_.seed, turn(item), item.clip); }
  // Of an item in this epoch: its frames after augmentation, how many of them are used, and where these begin.
  Index whole_frames(Item item) const noexcept;
  Index used_frames(Item item) const noexcept;
  Index first_frame(Item item) const noexcept;
  Index cut(Index frames) const noexcept;
  void order_by_length();

  const Dataset* dataset_;
  BatcherConfig config_;
  FeatureAugment augment_;
  std::vector<std::vector<std::size_t>> groups_;  // clips of one speaker and label
  std::vector<std::size_t> group_of_clip_;        // by place in the dataset
  std::vector<std::size_t> clips_;
  std::vector<std::vector<std::size_t>> turns_;  // the groups that take turns; empty: every clip once an epoch
  std::vector<std::size_t> permuted_;            // scratch of choose()
  std::vector<Item> items_;                      // of the epoch, in the order of their batches
  std::vector<std::size_t> order_;               // their clips
  std::vector<std::size_t> starts_;              // place in order_ where each batch begins, and the end
  std::vector<std::size_t> batch_order_;
  std::vector<Entry> by_length_;
  std::uint64_t epoch_ = 0;
  Index max_time_ = 0;
};

}  // namespace serene
