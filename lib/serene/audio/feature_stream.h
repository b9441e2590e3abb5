// Features of a live signal, frame by frame: push samples in any pieces, pop frames.
//
// Any chunking of the same samples gives the same bits, and the features of a file (features.h) are this stream pushed
// at once. With deltas, frames come width / 2 = 4 frames late; at the ends the slope of the first or last nine frames
// holds, and a signal of fewer than nine frames has deltas of zero.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/audio/feature_config.h"
#include "serene/audio/mfcc.h"

namespace serene {

// One frame of samples to one frame of log-mel or cepstral values. Tables and scratch of one thread.
class FrameAnalyzer {
 public:
  // config: one that check() takes, of a layout that can be a stream.
  explicit FrameAnalyzer(const FeatureConfig& config);
  // Values of a frame, before deltas.
  Index dim() const noexcept { return layout_ == FeatureLayout::mfcc ? cepstrum_.n_mfcc() : mel_.n_mels(); }
  // samples (win_length), the part of the frame under the window -> out (dim).
  void analyze(const float* samples, float* out) noexcept;

 private:
  FeatureLayout layout_;
  RealFft<float> fft_;
  MelFilters<float> mel_;
  Cepstrum<float> cepstrum_;
  float amin_;
  Index left_;                 // zeros before the window within the transform
  std::vector<float> window_;  // win_length
  std::vector<float> frame_, power_, mels_, scratch_;
};

// Not thread-safe: one stream per signal and thread. Nothing allocates after construction.
class FeatureStream {
 public:
  // Throws Error when the config is not streamable(). capacity: samples held while frames wait to be popped (at least
  // two transforms and eleven hops are taken). Trimming, offset and duration of the config do not apply to a stream.
  explicit FeatureStream(const FeatureConfig& config, Index capacity = 32768);

  Index dim() const noexcept { return dim_; }
  // Takes samples at the config's rate; returns how many were taken: fewer than given only when frames must be popped
  // first. A sample that is not finite counts as 0, one beyond +-65536 is cut there, so that no frame is ever NaN.
  Index push(std::span<const float> samples) noexcept;
  // The signal is over: the last frames become ready.
  void finish() noexcept;
  // Frames that can be popped now.
  Index ready() const noexcept;
  // Writes the next frame (dim values); false when none is ready.
  bool pop(float* frame) noexcept;
  // Back to the start, ready for another signal.
  void reset() noexcept;
  // Samples replaced because they were not finite.
  std::int64_t bad_samples() const noexcept { return bad_samples_; }

  // Pushes everything and hands each finished frame to on_frame(const float*).
  template <class F>
  void feed(std::span<const float> samples, F&& on_frame) {
    while (true) {
      samples = samples.subspan(static_cast<std::size_t>(push(samples)));
      while (pop(frame_.data())) on_frame(static_cast<const float*>(frame_.data()));
      if (samples.empty()) return;
    }
  }

 private:
  static constexpr Index kWidth = 9;  // frames of a delta

  Index known_statics() const noexcept;
  void next_static() noexcept;
  const float* static_row(std::int64_t t) const noexcept;
  void compact() noexcept;

  FrameAnalyzer analyzer_;
  Index dim_, static_dim_, hop_, win_, need_, lead_, n_fft_;
  int deltas_;
  bool center_;
  std::vector<float> buffer_;          // samples of the signal from position first_ on
  std::vector<float> statics_;         // ring of the last kWidth static frames
  std::vector<double> slope_, curve_;  // weights of the derivatives
  std::vector<float> frame_;           // feed()'s frame
  std::int64_t first_ = 0, size_ = 0, pushed_ = 0;
  std::int64_t computed_ = 0, popped_ = 0;  // static frames computed, frames handed out
  std::int64_t bad_samples_ = 0;
  bool finished_ = false;
};

}  // namespace serene
