// A model's answers for many clips of a dataset: batched, parallel, the same bits for any batch size and number of
// threads.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/batcher.h"
#include "serene/nn/executor.h"

namespace serene {

class Predictor {
 public:
  // max_frames: longer clips are cut to their middle; 0 takes clips whole. Everything referred to must outlive the
  // predictor.
  Predictor(const Model<float>& model, const Dataset& dataset, Index max_frames, ThreadPool& pool,
            Index batch_size = 32);

  // Logits, row-major (clips, classes), in the order of `clips`.
  std::vector<float> logits(std::span<const float> params, std::span<const std::size_t> clips);

  std::size_t bytes() const noexcept;  // memory held

 private:
  const Model<float>& model_;
  const Dataset& dataset_;
  BatcherConfig batches_;
  std::unique_ptr<Executor<float>> executor_;
  std::vector<float> input_;
  std::vector<Index> lengths_;
  std::vector<int> labels_;
};

}  // namespace serene
