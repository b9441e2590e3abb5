#include "serene/call/emotion_batch.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "serene/call/speech_window.h"

namespace serene {
namespace {

// A hostile checkpoint may describe a graph whose passes fill any machine.
constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
constexpr Index kMostWindows = 4096;

ExecutorOptions options_for(const CallModel& model, Index max_windows) {
  if (max_windows < 1 || max_windows > kMostWindows) {
    throw Error(ErrorCode::usage, "emotion batch", "windows out of range")
        .expected("1.." + std::to_string(kMostWindows))
        .got(std::to_string(max_windows));
  }
  ExecutorOptions options;
  options.max_batch = max_windows;
  options.max_time = window_frames(model.config(), model.recognizer().features()).most;
  options.max_bytes = kMaxBytes;
  return options;
}

}  // namespace

EmotionBatch::EmotionBatch(const CallModel& model, Index max_windows, int threads)
    : model_(model),
      most_frames_(window_frames(model.config(), model.recognizer().features()).most),
      channels_(model.recognizer().inference().input_channels()),
      pool_(threads),
      executor_(model.recognizer().inference().weights(), options_for(model, max_windows), pool_),
      input_(static_cast<std::size_t>(max_windows * most_frames_ * channels_)),
      lengths_(static_cast<std::size_t>(max_windows)),
      answers_(static_cast<std::size_t>(max_windows)),
      labels_(model.recognizer().labels().size()) {
  const Index least = window_frames(model.config(), model.recognizer().features()).least;
  const std::vector<float> silence(input_.size());
  for (Index i = 0; i < max_windows; ++i) add({silence.data(), {1, most_frames_, channels_}, nullptr}, {});
  add({silence.data(), {1, least, channels_}, nullptr}, {});
  run();
  passes_ = windows_ = 0;
}

std::size_t EmotionBatch::bytes() const noexcept { return executor_.bytes() + input_.size() * sizeof(float); }

void EmotionBatch::add(SeqView<const float> frames, const WindowAnswer& answer) noexcept {
  const Index n = frames.shape.time;
  std::copy_n(frames.data, n * channels_, input_.data() + static_cast<Index>(waiting_) * most_frames_ * channels_);
  lengths_[waiting_] = n;
  answers_[waiting_] = answer;
  if (++waiting_ == answers_.size()) run();
}

void EmotionBatch::run() noexcept {
  if (waiting_ == 0) return;
  const auto count = static_cast<Index>(waiting_);
  const bool alone = count == 1;
  const auto logits = executor_.forward(
      {input_.data(), {count, alone ? lengths_[0] : most_frames_, channels_}, alone ? nullptr : lengths_.data()});
  for (std::size_t i = 0; i < waiting_; ++i) {
    tell({logits.sample(static_cast<Index>(i)), labels_.size()}, answers_[i]);
  }
  ++passes_, windows_ += count;
  waiting_ = 0;
}

void EmotionBatch::tell(std::span<const float> logits, const WindowAnswer& answer) noexcept {
  if (answer.ready == nullptr) return;
  probabilities_of(logits, model_.recognizer().checkpoint().temperature, labels_);
  if (!std::all_of(labels_.begin(), labels_.end(), [](double p) { return std::isfinite(p); })) {
    std::fill(labels_.begin(), labels_.end(), 1.0 / static_cast<double>(labels_.size()));
  }
  std::fill(answer.probabilities.begin(), answer.probabilities.end(), 0.0);
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    answer.probabilities[static_cast<std::size_t>(model_.group_of_label()[i])] += labels_[i];
  }
  *answer.ready = true;
}

void EmotionBatch::forget(const void* begin, const void* end) noexcept {
  const std::less<const void*> before;
  for (std::size_t i = 0; i < waiting_; ++i) {
    const void* at = answers_[i].ready;
    if (at != nullptr && !before(at, begin) && before(at, end)) answers_[i] = {};
  }
}

}  // namespace serene
