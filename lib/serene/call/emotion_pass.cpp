#include "serene/call/emotion_pass.h"

#include <algorithm>
#include <cmath>

#include "serene/call/speech_window.h"

namespace serene {
namespace {

// A hostile checkpoint may describe a graph whose passes fill any machine.
constexpr std::size_t kMaxBytes = std::size_t{1} << 30;

ExecutorOptions options_for(const CallModel& model) {
  ExecutorOptions options;
  options.max_time = window_frames(model.config(), model.recognizer().features()).most;
  options.max_bytes = kMaxBytes;
  return options;
}

}  // namespace

EmotionPass::EmotionPass(const CallModel& model)
    : model_(model),
      executor_(model.recognizer().model(), options_for(model), pool_),
      labels_(model.recognizer().labels().size()) {
  const WindowFrames frames = window_frames(model.config(), model.recognizer().features());
  const Index channels = model.recognizer().model().input_channels();
  const std::vector<float> silence(static_cast<std::size_t>(frames.most * channels));
  std::vector<double> states(model.states().size());
  for (const Index n : {frames.most, frames.least}) run({silence.data(), {1, n, channels}, nullptr}, states);
  passes_ = 0;
}

void EmotionPass::run(SeqView<const float> frames, std::span<double> probabilities) noexcept {
  ++passes_;
  const Checkpoint& checkpoint = model_.recognizer().checkpoint();
  const SeqView<const float> logits = executor_.forward(checkpoint.params, frames);
  probabilities_of({logits.data, labels_.size()}, checkpoint.temperature, labels_);
  if (!std::all_of(labels_.begin(), labels_.end(), [](double p) { return std::isfinite(p); })) {
    std::fill(labels_.begin(), labels_.end(), 1.0 / static_cast<double>(labels_.size()));
  }
  std::fill(probabilities.begin(), probabilities.end(), 0.0);
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    probabilities[static_cast<std::size_t>(model_.group_of_label()[i])] += labels_[i];
  }
}

}  // namespace serene
