#include "serene/call/emotion_batch.h"

#include <algorithm>
#include <functional>

#include "serene/call/speech_window.h"

namespace serene {
namespace {

// A hostile checkpoint may describe a graph whose passes fill any machine.
constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
constexpr Index kMostWindows = 4096;

Index checked(Index max_windows) {
  if (max_windows >= 1 && max_windows <= kMostWindows) return max_windows;
  throw Error(ErrorCode::usage, "emotion batch", "windows out of range")
      .expected("1.." + std::to_string(kMostWindows))
      .got(std::to_string(max_windows));
}

ExecutorOptions options_for(const CallModel& model, Index most_frames, Index max_windows) {
  ExecutorOptions options;
  options.max_batch = max_windows;
  options.max_time = most_frames;
  options.max_bytes = kMaxBytes / model.recognizer().members().size();
  return options;
}

const FeatureConfig& features_of(const CallModel& model, const RecognizerMember& member) {
  return model.recognizer().streams()[member.stream];
}

}  // namespace

EmotionBatch::Lane::Lane(const CallModel& model, const RecognizerMember& m, Index max_windows, ThreadPool& pool)
    : member(m),
      most_frames(window_frames(model.config(), features_of(model, m)).most),
      channels(m.inference->input_channels()),
      prior_frames(model.config().prior_s * features_of(model, m).rate_hz /
                   static_cast<double>(features_of(model, m).hop_length)),
      executor(m.inference->weights(), options_for(model, most_frames, max_windows), pool),
      input(static_cast<std::size_t>(max_windows * most_frames * channels)),
      lengths(static_cast<std::size_t>(max_windows)),
      running(m.checkpoint.normalizer),
      answer(m.places.size()) {}

void EmotionBatch::Lane::take(const SpeechFrames& window, std::size_t row) noexcept {
  const Index n = window.frames.shape.time;
  float* const place = input.data() + static_cast<Index>(row) * most_frames * channels;
  std::copy_n(window.frames.data, n * channels, place);
  lengths[row] = n;
  if (window.statistics == nullptr) return member.checkpoint.normalizer.apply(place, n);
  window.statistics->blend(member.checkpoint.normalizer, prior_frames, running);
  running.apply(place, n);
}

void EmotionBatch::Lane::run(Index count) noexcept {
  const bool alone = count == 1;
  logits = executor.forward(
      {input.data(), {count, alone ? lengths[0] : most_frames, channels}, alone ? nullptr : lengths.data()});
}

EmotionBatch::EmotionBatch(const CallModel& model, Index max_windows, int threads)
    : model_(model),
      pool_(threads),
      answers_(static_cast<std::size_t>(checked(max_windows))),
      labels_(model.recognizer().labels().size()) {
  for (const RecognizerMember& m : model.recognizer().members()) {
    lanes_.push_back(std::make_unique<Lane>(model, m, max_windows, pool_));
  }
  std::vector<std::vector<float>> silence;
  std::vector<SpeechFrames> longest, shortest;
  for (const FeatureConfig& features : model.recognizer().streams()) {
    const WindowFrames frames = window_frames(model.config(), features);
    const Index channels = dimension(features);
    silence.emplace_back(static_cast<std::size_t>(frames.most * channels));
    longest.push_back({{silence.back().data(), {1, frames.most, channels}, nullptr}});
    shortest.push_back({{silence.back().data(), {1, frames.least, channels}, nullptr}});
  }
  for (Index i = 0; i < max_windows; ++i) add(longest, {});
  add(shortest, {});
  run();
  passes_ = windows_ = 0;
}

std::size_t EmotionBatch::bytes() const noexcept {
  std::size_t sum = 0;
  for (const auto& lane : lanes_) sum += lane->executor.bytes() + lane->input.size() * sizeof(float);
  return sum;
}

void EmotionBatch::add(std::span<const SpeechFrames> streams, const WindowAnswer& answer) noexcept {
  for (const auto& lane : lanes_) lane->take(streams[lane->member.stream], waiting_);
  answers_[waiting_] = answer;
  if (++waiting_ == answers_.size()) run();
}

void EmotionBatch::run() noexcept {
  if (waiting_ == 0) return;
  const auto count = static_cast<Index>(waiting_);
  for (const auto& lane : lanes_) lane->run(count);
  for (std::size_t i = 0; i < waiting_; ++i) tell(i, answers_[i]);
  ++passes_, windows_ += count;
  waiting_ = 0;
}

void EmotionBatch::tell(std::size_t row, const WindowAnswer& answer) noexcept {
  if (answer.ready == nullptr) return;
  const Recognizer& recognizer = model_.recognizer();
  std::fill(labels_.begin(), labels_.end(), 0.0);
  for (std::size_t m = 0; m < lanes_.size(); ++m) {
    Lane& lane = *lanes_[m];
    probabilities_of({lane.logits.sample(static_cast<Index>(row)), lane.answer.size()},
                     lane.member.checkpoint.temperature, lane.answer);
    recognizer.add_member_answer(m, lane.answer, labels_);
  }
  recognizer.finish_answer(labels_);
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
