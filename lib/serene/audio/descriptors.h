// Descriptors of a signal and of its spectrum, as librosa.feature computes them. Sums are kept in double throughout.
#pragma once

#include <span>

#include "serene/audio/stft.h"

namespace serene {

// All of them throw Error(usage) for sizes or frequencies out of range, and those of a signal Error(input) for one
// without samples or shorter than one frame.

// Share of sign changes in each frame of frame_length samples (frames, 1); values of at most `threshold` count as +0.
// center: frame_length / 2 edge values on both sides. pad: the first sample of a frame counts as a change.
template <class S>
FrameMatrix<S> zero_crossing_rate(std::span<const S> y, Index frame_length = 2048, Index hop_length = 512,
                                  bool center = true, double threshold = 1e-10, bool pad = false,
                                  PadMode mode = PadMode::edge);

// Root of the mean square of each frame (frames, 1); center: frame_length / 2 samples of padding on both sides.
template <class S>
FrameMatrix<S> rms(std::span<const S> y, Index frame_length = 2048, Index hop_length = 512, bool center = true,
                   PadMode mode = PadMode::constant);

// The rest takes magnitudes |X| (frames, 1 + n_fft / 2) of a signal at rate_hz and gives one value per frame (Hz, or a
// ratio).

// sum f S / sum S, 0 for silence.
template <class S>
FrameMatrix<S> spectral_centroid(const FrameMatrix<S>& magnitude, double rate_hz);
// (sum w |f - centroid|^p)^(1/p), w = S / sum S (norm) or S.
template <class S>
FrameMatrix<S> spectral_bandwidth(const FrameMatrix<S>& magnitude, double rate_hz, double p = 2, bool norm = true);
// Lowest frequency below which `share` of the magnitude lies.
template <class S>
FrameMatrix<S> spectral_rolloff(const FrameMatrix<S>& magnitude, double rate_hz, double share = 0.85);
// Geometric over arithmetic mean of max(amin, S^power).
template <class S>
FrameMatrix<S> spectral_flatness(const FrameMatrix<S>& magnitude, double amin = 1e-10, double power = 2);

// Peak minus valley in octave bands (frames, n_bands + 1): Jiang et al., Music type classification by spectral
// contrast, ICME 2002. In dB with 80 dB range, or linear. Throws Error when a band starts above rate / 2 or has no
// bins.
template <class S>
FrameMatrix<S> spectral_contrast(const FrameMatrix<S>& magnitude, double rate_hz, double fmin = 200, int n_bands = 6,
                                 double quantile = 0.02, bool linear = false);

}  // namespace serene
