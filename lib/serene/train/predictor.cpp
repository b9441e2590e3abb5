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

Predictor::Predictor(const Model<float>& model, const Dataset& dataset, ClipCut cut, ThreadPool& pool, Index batch_size)
    : model_(model), dataset_(dataset), cut_(cut), batch_size_(batch_size), pool_(pool) {
  time_ = cut.length(std::max<Index>(1, dataset.features().longest()));
  const auto inputs = static_cast<std::size_t>(batch_size * time_ * model.input_channels());
  bytes_ = Executor<float>(model, options_of(batch_size, time_), pool).bytes() + inputs * sizeof(float);
}

std::vector<float> Predictor::logits(std::span<const float> params, std::span<const std::size_t> clips) {
  if (clips.empty()) return {};
  return logits(InferenceModel<float>(model_, {params.begin(), params.end()}), clips);
}

// One window after the other, zeros beyond a window's end.
Shape Predictor::fill(std::span<const Window> batch, float* data, Index* lengths) const noexcept {
  Shape shape{static_cast<Index>(batch.size()), 0, dataset_.dim()};
  for (const Window& w : batch) shape.time = std::max(shape.time, w.frames);
  for (const Window& w : batch) {
    dataset_.copy_frames(w.clip, w.first, w.frames, data);
    std::fill(data + w.frames * shape.channels, data + shape.time * shape.channels, 0.0f);
    data += shape.time * shape.channels;
    *lengths++ = w.frames;
  }
  return shape;
}

std::vector<float> Predictor::logits(const InferenceModel<float>& inference, std::span<const std::size_t> clips) {
  if (clips.empty()) return {};
  std::vector<Window> windows;
  for (const std::size_t clip : clips) {
    const Index frames = dataset_.frames(clip);
    for (Index i = 0; i < cut_.count(frames); ++i)
      windows.push_back({clip, cut_.first(frames, i), cut_.length(frames)});
  }
  const auto classes = static_cast<std::size_t>(inference.output_channels());
  std::vector<float> input(static_cast<std::size_t>(batch_size_ * time_ * inference.input_channels())), all;
  std::vector<Index> lengths(static_cast<std::size_t>(batch_size_));
  Executor<float> executor(inference.weights(), options_of(batch_size_, time_), pool_);
  const auto size = static_cast<std::size_t>(batch_size_);
  for (std::size_t start = 0; start < windows.size(); start += size) {
    const auto batch = std::span<const Window>(windows).subspan(start, std::min(size, windows.size() - start));
    const Shape shape = fill(batch, input.data(), lengths.data());
    const auto y = executor.forward({input.data(), shape, lengths.data()});
    all.insert(all.end(), y.data, y.data + y.shape.size());
  }
  if (windows.size() == clips.size()) return all;
  std::vector<float> means;
  auto at = all.begin();
  for (const std::size_t clip : clips) {
    const Index count = cut_.count(dataset_.frames(clip));
    std::vector<double> sums(classes);
    for (Index i = 0; i < count; ++i) {
      for (double& sum : sums) sum += static_cast<double>(*at++);
    }
    for (const double sum : sums) means.push_back(static_cast<float>(sum / static_cast<double>(count)));
  }
  return means;
}

}  // namespace serene
