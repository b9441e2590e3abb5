#include "serene/train/predictor.h"

#include <algorithm>
#include <numeric>

namespace serene {

Predictor::Predictor(const Model<float>& model, const Dataset& dataset, Index max_frames, ThreadPool& pool,
                     Index batch_size)
    : model_(model), dataset_(dataset) {
  batches_.batch_size = batch_size;
  batches_.max_frames = max_frames;
  const Index longest = std::max<Index>(1, dataset.features().longest());
  const Index time = max_frames > 0 ? std::min(max_frames, longest) : longest;
  ExecutorOptions options;
  options.max_batch = batch_size, options.max_time = time;
  executor_ = std::make_unique<Executor<float>>(model, options, pool);
  input_.resize(static_cast<std::size_t>(batch_size * time * model.input_channels()));
  lengths_.resize(static_cast<std::size_t>(batch_size));
  labels_.resize(static_cast<std::size_t>(batch_size));
}

std::vector<float> Predictor::logits(std::span<const float> params, std::span<const std::size_t> clips) {
  std::vector<float> all;
  all.reserve(clips.size() * static_cast<std::size_t>(model_.output_channels()));
  if (clips.empty()) return all;
  Batcher batcher(dataset_, clips, batches_);
  for (Index b = 0; b < batcher.batches(); ++b) {
    const Shape shape = batcher.fill<float>(b, {input_.data(), lengths_.data(), labels_.data(), nullptr});
    const auto y = executor_->forward(params, {input_.data(), shape, lengths_.data()});
    all.insert(all.end(), y.data, y.data + y.shape.size());
  }
  return all;
}

std::size_t Predictor::bytes() const noexcept { return executor_->bytes() + input_.size() * sizeof(float); }

}  // namespace serene
