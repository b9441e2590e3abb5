// The targets of a training batch, and mixup (Zhang, Cisse, Dauphin, Lopez-Paz: mixup: beyond empirical risk
// minimization, 2018).
//
//   target of a clip   t = one-hot label, or w v + (1 - w) one-hot with the listeners' shares v (clips without votes
//   keep
//                      their label; votes for labels that the clip may not have do not count)
//   mixup              x' = lambda x_i + (1 - lambda) x_j,  t' = lambda t_i + (1 - lambda) t_j,
//                      lambda ~ Beta(alpha, alpha) for each clip i of the batch with the given probability, j another
//                      clip of the batch with the same set of labels
//
// Features are mixed as they are standardised, frame by frame from the first. Where one clip has ended, the other goes
// on, scaled: 0 is the mean of the training part. The mixture has lambda T_i + (1 - lambda) T_j frames, rounded, so
// that it becomes either clip as lambda goes to 1 or 0. Clips of different label sets are never mixed: the softmax of
// their loss would have to run over labels that one of them says nothing about.
//
// All draws are keyed by (seed, epoch, clip): the same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/dataset.h"
#include "serene/nn/loss.h"
#include "serene/train/corpus_labels.h"
#include "serene/train/target_config.h"

namespace serene {

// One filled batch; input, lengths and labels are changed where clips are mixed. shape: (B, T, F) of input.
struct TrainingBatch {
  std::span<const std::size_t> clips;  // B places in the dataset
  std::uint64_t epoch = 0;
  Shape shape;
  float* input = nullptr;
  Index* lengths = nullptr;
  int* labels = nullptr;  // of a mixture: the label of the heavier clip
};

class BatchTargets {
 public:
  // most: the largest batch. Throws Error(input) when votes are asked for and no clip of `train` has any.
  BatchTargets(const Dataset& dataset, std::span<const std::size_t> train, const TargetConfig& config,
               std::uint64_t seed, Shape most);

  // Mixes the batch, when asked to, and gives its targets, valid until the next call. Does not allocate.
  Targets<float> prepare(const TrainingBatch& batch, ThreadPool& pool);

  const CorpusLabels& corpus_labels() const noexcept { return labels_; }  // which classes each corpus has
  std::size_t bytes() const noexcept;                                     // of memory

 private:
  struct Mix {
    std::size_t partner = 0;  // row of the batch
    double lambda = 1;        // 1: left alone
  };
  void take_votes(const Dataset& dataset, std::span<const std::size_t> train);
  Mix draw(const TrainingBatch& batch, std::size_t row) const noexcept;
  void mix_row(const TrainingBatch& batch, std::size_t row) const noexcept;
  void mix(const TrainingBatch& batch, ThreadPool& pool);
  std::span<const float> target(std::size_t clip) const noexcept {
    return std::span(targets_).subspan(clip * classes_, classes_);
  }

  TargetConfig config_;
  std::uint64_t seed_;
  std::size_t classes_;
  CorpusLabels labels_;
  bool soft_;
  std::vector<float> targets_;  // (clips of the dataset, classes), when soft
  // Of the batch in work.
  std::vector<Mix> mixes_;
  std::vector<float> plain_;  // the batch before it is mixed
  std::vector<Index> plain_lengths_, hard_;
  std::vector<int> plain_labels_;
  std::vector<float> soft_rows_;
  std::vector<std::uint8_t> allowed_;
};

}  // namespace serene
