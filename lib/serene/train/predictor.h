// A model's answers for many clips of a dataset: batched, parallel, the same bits for any batch size and number of
// threads. A clip that is too long is cut to its middle, or to windows that vote (io/clip_windows.h); views vote too
// (io/clip_views.h).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/dataset.h"
#include "serene/io/clip_views.h"
#include "serene/io/clip_windows.h"
#include "serene/nn/inference_model.h"

namespace serene {

class Predictor {
 public:
  // Everything referred to must outlive the predictor. Throws Error(usage) when the model cannot take the clips.
  Predictor(const Model<float>& model, const Dataset& dataset, ClipCut cut, const ClipViews& views, ThreadPool& pool,
            Index batch_size = 32);

  // Logits, row-major (clips, classes), in the order of `clips`; of a clip with several windows or views their mean.
  // The model is folded and packed once a call.
  std::vector<float> logits(std::span<const float> params, std::span<const std::size_t> clips);
  // The same for a model that is packed already, in any precision.
  std::vector<float> logits(const InferenceModel<float>& inference, std::span<const std::size_t> clips);

  std::size_t bytes() const noexcept { return bytes_; }  // memory that a call takes while it lasts

 private:
  struct Window {
    std::size_t clip;
    std::size_t view;
    Index first, frames;
  };
  Index frames(std::size_t clip, std::size_t view) const;
  std::vector<Window> windows_of(std::span<const std::size_t> clips) const;
  void copy(const Window& w, float* data) const;
  Shape fill(std::span<const Window> batch, float* data, Index* lengths) const;

  const Model<float>& model_;
  const Dataset& dataset_;
  ClipCut cut_;
  std::vector<ClipView> views_;
  Index batch_size_;
  ThreadPool& pool_;
  Index time_;  // frames of the longest clip, as cut
  std::size_t bytes_;
};

}  // namespace serene
