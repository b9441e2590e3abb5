// A model's answers for many clips of a dataset: batched, parallel, the same bits for any batch size and number of
// threads.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/batcher.h"
#include "serene/nn/inference_model.h"

namespace serene {

class Predictor {
 public:
  // max_frames: longer clips are cut to their middle; 0 takes clips whole. Everything referred to must outlive the
  // predictor. Throws Error(usage) when the model cannot take the clips.
  Predictor(const Model<float>& model, const Dataset& dataset, Index max_frames, ThreadPool& pool,
            Index batch_size = 32);

  // Logits, row-major (clips, classes), in the order of `clips`. The model is folded and packed once a call.
  std::vector<float> logits(std::span<const float> params, std::span<const std::size_t> clips);
  // The same for a model that is packed already, in any precision.
  std::vector<float> logits(const InferenceModel<float>& inference, std::span<const std::size_t> clips);

  std::size_t bytes() const noexcept { return bytes_; }  // memory that a call takes while it lasts

 private:
  const Model<float>& model_;
  const Dataset& dataset_;
  BatcherConfig batches_;
  ThreadPool& pool_;
  Index time_;  // frames of the longest clip, as cut
  std::size_t bytes_;
};

}  // namespace serene
