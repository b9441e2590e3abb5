#include "serene/train/predictor.h"

#include <algorithm>

#include "serene/nn/executor.h"

namespace serene {
namespace {

ExecutorOptions options_of(Index batch_size, Index time) {
  ExecutorOptions options;
  options.max_batch = batch_size, options.max_time = time;
  return options;
}

}  // namespace

Predictor::Predictor(const Model<float>& model, const Dataset& dataset, Index max_frames, ThreadPool& pool,
                     Index batch_size)
    : model_(model), dataset_(dataset), pool_(pool) {
  batches_.batch_size = batch_size;
  batches_.max_frames = max_frames;
  const Index longest = std::max<Index>(1, dataset.features().longest());
  time_ = max_frames > 0 ? std::min(max_frames, longest) : longest;
  const auto inputs = static_cast<std::size_t>(batch_size * time_ * model.input_channels());
  bytes_ = Executor<float>(model, options_of(batch_size, time_), pool).bytes() + inputs * sizeof(float);
}

std::vector<float> Predictor::logits(std::span<const float> params, std::span<const std::size_t> clips) {
  if (clips.empty()) return {};
  return logits(InferenceModel<float>(model_, {params.begin(), params.end()}), clips);
}

std::vector<float> Predictor::logits(const InferenceModel<float>& inference, std::span<const std::size_t> clips) {
  std::vector<float> all;
  if (clips.empty()) return all;
  all.reserve(clips.size() * static_cast<std::size_t>(inference.output_channels()));
  const Index batch = batches_.batch_size;
  std::vector<float> input(static_cast<std::size_t>(batch * time_ * inference.input_channels()));
  std::vector<Index> lengths(static_cast<std::size_t>(batch));
  std::vector<int> labels(static_cast<std::size_t>(batch));
  Executor<float> executor(inference.weights(), options_of(batch, time_), pool_);
  Batcher batcher(dataset_, clips, batches_);
  for (Index b = 0; b < batcher.batches(); ++b) {
    const Shape shape = batcher.fill<float>(b, {input.data(), lengths.data(), labels.data(), nullptr});
    const auto y = executor.forward({input.data(), shape, lengths.data()});
    all.insert(all.end(), y.data, y.data + y.shape.size());
  }
  return all;
}

}  // namespace serene
