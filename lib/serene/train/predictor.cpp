#include "serene/train/predictor.h"

#include <algorithm>

#include "serene/audio/frame_warp.h"
#include "serene/nn/executor.h"

namespace serene {
namespace {

ExecutorOptions options_of(Index batch_size, Index time) {
  ExecutorOptions options;
  options.max_batch = batch_size, options.max_time = time;
  return options;
}

}  // namespace

Predictor::Predictor(const Model<float>& model, const Dataset& dataset, ClipCut cut, const ClipViews& views,
                     ThreadPool& pool, Index batch_size)
    : model_(model), dataset_(dataset), cut_(cut), views_(views.list()), batch_size_(batch_size), pool_(pool) {
  const Index longest = std::max<Index>(1, dataset.features().longest());
  time_ = cut.length(warped_frames(longest, std::min(1.0, views.slowest())));
  const auto inputs = static_cast<std::size_t>(batch_size * time_ * model.input_channels());
  bytes_ = Executor<float>(model, options_of(batch_size, time_), pool).bytes() + inputs * sizeof(float);
}

std::vector<float> Predictor::logits(std::span<const float> params, std::span<const std::size_t> clips) {
  if (clips.empty()) return {};
  return logits(InferenceModel<float>(model_, {params.begin(), params.end()}), clips);
}

Index Predictor::frames(std::size_t clip, std::size_t view) const {
  return warped_frames(dataset_.frames(clip), views_[view].tempo);
}

std::vector<Predictor::Window> Predictor::windows_of(std::span<const std::size_t> clips) const {
  std::vector<Window> windows;
  for (const std::size_t clip : clips) {
    for (std::size_t view = 0; view < views_.size(); ++view) {
      const Index all = frames(clip, view);
      for (Index i = 0; i < cut_.count(all); ++i) windows.push_back({clip, view, cut_.first(all, i), cut_.length(all)});
    }
  }
  return windows;
}

void Predictor::copy(const Window& w, float* data) const {
  const ClipView& view = views_[w.view];
  if (view.plain()) return dataset_.copy_frames(w.clip, w.first, w.frames, data);
  FeatureMatrix changed(w.frames, dataset_.dim());
  warp_rows(dataset_.features().clips[w.clip], frames(w.clip, w.view), view.mel_shift, w.first, w.frames,
            changed.values.data());
  dataset_.standardise(w.clip, changed, 0, w.frames, data);
}

// One window after the other, zeros beyond a window's end.
Shape Predictor::fill(std::span<const Window> batch, float* data, Index* lengths) const {
  Shape shape{static_cast<Index>(batch.size()), 0, dataset_.dim()};
  for (const Window& w : batch) shape.time = std::max(shape.time, w.frames);
  for (const Window& w : batch) {
    copy(w, data);
    std::fill(data + w.frames * shape.channels, data + shape.time * shape.channels, 0.0f);
    data += shape.time * shape.channels;
    *lengths++ = w.frames;
  }
  return shape;
}

std::vector<float> Predictor::logits(const InferenceModel<float>& inference, std::span<const std::size_t> clips) {
  if (clips.empty()) return {};
  const std::vector<Window> windows = windows_of(clips);
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
  for (std::size_t w = 0; w < windows.size();) {
    const std::size_t clip = windows[w].clip, begin = w;
    std::vector<double> sums(classes);
    // A clip may stand twice among `clips`; its windows begin with the first one of the first view.
    do {
      for (std::size_t k = 0; k < classes; ++k) sums[k] += static_cast<double>(all[w * classes + k]);
      ++w;
    } while (w < windows.size() && windows[w].clip == clip && !(windows[w].view == 0 && windows[w].first == 0));
    for (const double sum : sums) means.push_back(static_cast<float>(sum / static_cast<double>(w - begin)));
  }
  return means;
}

}  // namespace serene
