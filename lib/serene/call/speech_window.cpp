#include "serene/call/speech_window.h"

#include <samplerate.h>

#include <algorithm>
#include <cmath>

#include "serene/call/session.h"

namespace serene {
namespace {

constexpr Index kOnsetBlocks = 64;  // more than any onset that voice activity reports in practice

int blocks_of(double seconds) { return std::max(1, static_cast<int>(std::lround(seconds * 1000 / block_ms))); }

}  // namespace

WindowFrames window_frames(const CallConfig& config, const FeatureConfig& features) {
  const double per_s = static_cast<double>(features.rate_hz) / static_cast<double>(features.hop_length);
  const Index most = std::max<Index>(1, static_cast<Index>(std::lround(config.window_s * per_s)));
  const Index least = static_cast<Index>(std::lround(config.min_window_s * per_s));
  return {most, std::clamp<Index>(least, 1, most)};
}

struct LiveResampler::Converter {
  SRC_STATE* state;

  // The same filter as audio/resample.h: a faster one dims the top of the band that the model was trained on, and angry
  // voices are taken for happy ones.
  Converter() {
    int fault = 0;
    state = src_new(SRC_SINC_BEST_QUALITY, 1, &fault);
    if (state == nullptr) throw Error(ErrorCode::internal, "resample", src_strerror(fault));
  }
  ~Converter() { src_delete(state); }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
};

LiveResampler::LiveResampler(int from_hz, int to_hz, Index block)
    : ratio_(static_cast<double>(to_hz) / static_cast<double>(from_hz)) {
  if (from_hz == to_hz) return;
  if (src_is_valid_ratio(ratio_) == 0) {
    throw Error(ErrorCode::usage, "rate_hz", "the call's rate is too far from the model's")
        .expected(std::to_string(to_hz))
        .got(std::to_string(from_hz));
  }
  converter_ = std::make_unique<Converter>();
  // What the filter held back may come out with a later block.
  out_.resize(static_cast<std::size_t>(std::ceil(4 * static_cast<double>(block) * ratio_)) + 4096);
}

LiveResampler::~LiveResampler() = default;

std::span<const float> LiveResampler::push(std::span<const float> block) noexcept {
  if (converter_ == nullptr) return block;
  std::size_t made = 0;
  while (made < out_.size()) {
    SRC_DATA data{};
    data.data_in = block.data();
    data.input_frames = static_cast<long>(block.size());
    data.data_out = out_.data() + made;
    data.output_frames = static_cast<long>(out_.size() - made);
    data.src_ratio = ratio_;
    if (src_process(converter_->state, &data) != 0) break;
    block = block.subspan(static_cast<std::size_t>(data.input_frames_used));
    made += static_cast<std::size_t>(data.output_frames_gen);
    if (block.empty() || (data.input_frames_used == 0 && data.output_frames_gen == 0)) break;
  }
  return {out_.data(), made};
}

void LiveResampler::reset() noexcept {
  if (converter_ != nullptr) src_reset(converter_->state);
}

SpeechWindow::SpeechWindow(const CallConfig& config, const FeatureConfig& features, int rate_hz)
    : resampler_(rate_hz, features.rate_hz, rate_hz * block_ms / 1000),
      stream_(features),
      statistics_(stream_.dim()),
      running_(config.running_normalisation),
      dim_(stream_.dim()),
      most_(window_frames(config, features).most),
      least_(window_frames(config, features).least),
      frame_ms_(1000.0 * static_cast<double>(features.hop_length) / features.rate_hz),
      ring_(static_cast<std::size_t>(2 * most_ * dim_)),
      frames_per_block_(std::max<Index>(1, static_cast<Index>(std::lround(block_ms / frame_ms_)))),
      frame_(static_cast<std::size_t>(dim_)),
      hop_blocks_(blocks_of(config.hop_s)),
      forget_blocks_(blocks_of(config.no_speech_after_s)) {
  recent_rows_ = kOnsetBlocks * frames_per_block_;
  recent_.resize(static_cast<std::size_t>(recent_rows_ * dim_));
}

void SpeechWindow::reset() noexcept {
  resampler_.reset();
  stream_.reset();
  next_ = count_ = recent_next_ = recent_count_ = 0;
  since_window_ = quiet_ = 0;
  statistics_.reset();
  // Features are personal data too.
  std::fill(ring_.begin(), ring_.end(), 0.0f);
  std::fill(recent_.begin(), recent_.end(), 0.0f);
}

void SpeechWindow::keep(const float* frame) noexcept {
  if (running_) statistics_.add(frame);
  std::copy_n(frame, dim_, ring_.data() + next_ * dim_);
  std::copy_n(frame, dim_, ring_.data() + (most_ + next_) * dim_);
  next_ = (next_ + 1) % most_;
  count_ = std::min(count_ + 1, most_);
}

void SpeechWindow::keep_onset(int blocks) noexcept {
  for (Index i = std::min<Index>(blocks * frames_per_block_, recent_count_); i > 0; --i) {
    keep(recent_.data() + (recent_next_ - i + recent_rows_) % recent_rows_ * dim_);
  }
  recent_count_ = 0;
}

void SpeechWindow::pass_frames(const LegBlock& block) noexcept {
  while (stream_.pop(frame_.data())) {
    if (block.lost) continue;
    if (block.speech) {
      keep(frame_.data());
      continue;
    }
    std::copy_n(frame_.data(), dim_, recent_.data() + recent_next_ * dim_);
    recent_next_ = (recent_next_ + 1) % recent_rows_;
    recent_count_ = std::min(recent_count_ + 1, recent_rows_);
  }
}

void SpeechWindow::push(std::span<const float> samples, LegBlock& block) noexcept {
  quiet_ = block.speech ? 0 : std::min(quiet_ + 1, forget_blocks_ + 1);
  block.forgotten = quiet_ == forget_blocks_;
  if (block.forgotten) count_ = next_ = since_window_ = 0;
  if (block.speech) keep_onset(block.onset_blocks);
  std::span<const float> sound = resampler_.push(samples);
  do {
    sound = sound.subspan(static_cast<std::size_t>(stream_.push(sound)));
    pass_frames(block);
  } while (!sound.empty());
  speech_ = block.speech;
  if (speech_) since_window_ += (block.lost ? 0 : 1) + block.onset_blocks;
}

SpeechFrames SpeechWindow::frames() const noexcept {
  const Index first = (next_ - count_ + most_) % most_;
  return {{ring_.data() + first * dim_, {1, count_, dim_}, nullptr}, running_ ? &statistics_ : nullptr};
}

std::int64_t SpeechWindow::window_ms() const noexcept { return std::llround(static_cast<double>(count_) * frame_ms_); }

SpeechWindows::SpeechWindows(const CallConfig& config, std::span<const FeatureConfig> streams, int rate_hz)
    : frames_(streams.size()) {
  for (const FeatureConfig& features : streams) {
    windows_.push_back(std::make_unique<SpeechWindow>(config, features, rate_hz));
  }
}

bool SpeechWindows::push(std::span<const float> samples, LegBlock& block) noexcept {
  bool due = true;
  for (const auto& window : windows_) {
    window->push(samples, block);
    due = due && window->due();
  }
  if (!due) return false;
  for (const auto& window : windows_) window->start_hop();
  return true;
}

void SpeechWindows::reset() noexcept {
  for (const auto& window : windows_) window->reset();
}

std::span<const SpeechFrames> SpeechWindows::frames() noexcept {
  for (std::size_t i = 0; i < windows_.size(); ++i) frames_[i] = windows_[i]->frames();
  return frames_;
}

}  // namespace serene
