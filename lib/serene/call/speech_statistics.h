// Running normalisation: mean and deviation of what the customer has said so far, blended with those of the training
// part as if these had been measured on so many frames before the call.
//
//   n frames of speech with mean x and sum of squared deviations M; training mean m, deviation s, counted as k frames:
//   mean = m + (x - m) n / (k + n)
//   variance = (k s^2 + M + (x - m)^2 k n / (k + n)) / (k + n)         (Chan, Golub, LeVeque 1979)
//
// At the start a call hears what the model was trained on; with n far above k it hears the voice by its own measure.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "serene/audio/normalizer.h"

namespace serene {

// Welford's sums over the frames of one stream. Nothing allocates after construction.
class SpeechStatistics {
 public:
  // dim: values of a frame.
  explicit SpeechStatistics(Index dim) : mean_(static_cast<std::size_t>(dim)), squares_(mean_) {}

  // One frame of speech (dim values).
  void add(const float* frame) noexcept {
    ++frames_;
    const double share = 1.0 / static_cast<double>(frames_);
    for (std::size_t d = 0; d < mean_.size(); ++d) {
      const double x = static_cast<double>(frame[d]), delta = x - mean_[d];
      mean_[d] += delta * share;
      squares_[d] += delta * (x - mean_[d]);
    }
  }

  // Forgets all frames.
  void reset() noexcept {
    frames_ = 0;
    std::fill(mean_.begin(), mean_.end(), 0.0);
    std::fill(squares_.begin(), squares_.end(), 0.0);
  }

  std::int64_t frames() const noexcept { return frames_; }

  // training counted as prior_frames (> 0) and this speech, into `out`, which has the dim of both already.
  void blend(const Normalizer& training, double prior_frames, Normalizer& out) const noexcept {
    const double k = prior_frames, n = static_cast<double>(frames_);
    for (std::size_t d = 0; d < mean_.size(); ++d) {
      const double m = static_cast<double>(training.mean[d]), s = 1 / static_cast<double>(training.scale[d]);
      const double delta = mean_[d] - m;
      const double variance = (k * s * s + squares_[d] + delta * delta * k * n / (k + n)) / (k + n);
      out.mean[d] = static_cast<float>(m + delta * n / (k + n));
      out.scale[d] = static_cast<float>(std::min(1 / std::sqrt(variance), kMostScale));
    }
  }

 private:
  static constexpr double kMostScale = 1e30;  // a channel without any spread

  std::int64_t frames_ = 0;
  std::vector<double> mean_, squares_;
};

}  // namespace serene
