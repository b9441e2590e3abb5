// Chroma (energy per pitch class) and the tuning it needs, as librosa.feature.chroma_stft and librosa.estimate_tuning.
#pragma once

#include <optional>
#include <string>

#include "serene/audio/frame_matrix.h"

namespace serene {

enum class VectorNorm { none, one, two, infinity };

// Deviation from A440 in fractions of a bin of 1 / bins_per_octave octave, in [-0.5, 0.5): peaks of every frame
// (parabolic interpolation, 150 to 4000 Hz, above a tenth of the frame's maximum and at least the median of all peaks)
// are gathered in a histogram; the left edge of its fullest bin counts. spectrum: (frames, 1 + n_fft / 2), magnitude or
// power. 0 without peaks. Throws Error(usage) for values out of range. A decision between bins: the spectrum is taken
// in double, so that rounding does not tip it.
double estimate_tuning(const FrameMatrix<double>& spectrum, double rate_hz, int bins_per_octave = 12,
                       double resolution = 0.01);

struct ChromaConfig {
  double rate_hz = 22050;
  Index n_fft = 2048;
  int n_chroma = 12;
  std::optional<double> tuning;              // none: estimate_tuning of the spectrum
  double ctroct = 5;                         // octave with the greatest weight
  std::optional<double> octwidth = 2;        // width of that weight; none: all octaves alike
  bool base_c = true;                        // row 0 is C, else A
  VectorNorm norm = VectorNorm::infinity;    // of each output frame
  VectorNorm filter_norm = VectorNorm::two;  // of each bin's column of weights
};

// Weights (n_chroma, 1 + n_fft / 2): bumps around each pitch class, Ellis, chroma feature analysis, 2007. tuning none:
// 0.
FrameMatrix<double> chroma_filters(const ChromaConfig& config);

// Chroma (frames, n_chroma) of a power or magnitude spectrum. Frames of silence stay zero. Throws Error(usage) for a
// spectrum that is not (frames, 1 + n_fft / 2).
template <class S>
FrameMatrix<S> chroma(const FrameMatrix<double>& spectrum, const ChromaConfig& config);

}  // namespace serene
