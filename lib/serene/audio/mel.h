// Mel filter banks, as librosa.filters.mel, kept sparse.
//
// n_mels + 2 edges equally spaced in mel between fmin and fmax; filter m is the triangle over edges m, m+1, m+2, times
// 2 / (f[m+2] - f[m]) when normalised (Slaney, Auditory Toolbox, 1998). Mel scale: Slaney's (linear below 1 kHz) or
// HTK's.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "serene/audio/stft.h"

namespace serene {

// The scale and its inverse, HTK's or Slaney's.
double hz_to_mel(double hz, bool htk);
double mel_to_hz(double mel, bool htk);

struct MelConfig {
  double rate_hz = 22050;
  Index n_fft = 2048;
  Index n_mels = 128;
  double fmin = 0;
  std::optional<double> fmax;  // none: rate / 2
  bool htk = false;
  bool slaney_norm = true;
};

// Immutable and thread-safe.
template <class S>
class MelFilters {
 public:
  // Throws Error when sizes or frequencies are out of range.
  explicit MelFilters(const MelConfig& config);

  Index n_mels() const noexcept { return static_cast<Index>(first_.size()); }  // filters
  Index bins() const noexcept { return bins_; }
  // power (bins) -> mel (n_mels). Four running sums per filter, added in fixed order.
  void apply(const S* power, S* mel) const noexcept;
  // The bank as a full matrix (n_mels, bins).
  FrameMatrix<S> dense() const;

 private:
  Index bins_;
  std::vector<Index> first_;   // first bin of each filter
  std::vector<Index> offset_;  // its place in weights_; one more at the end
  std::vector<S> weights_;     // each filter padded with zeros to a multiple of four values
};

// Mel spectrogram (frames, n_mels) of |X|^power.
template <class S>
FrameMatrix<S> mel_spectrogram(std::span<const S> y, const StftConfig& stft, const MelConfig& mel, double power = 2.0);

extern template class MelFilters<float>;
extern template class MelFilters<double>;

}  // namespace serene
