// Fundamental frequency: de Cheveigné and Kawahara, YIN, a fundamental frequency estimator, JASA 111, 2002; as
// librosa.yin.
#pragma once

#include <span>
#include <vector>

#include "serene/audio/stft.h"

namespace serene {

struct YinConfig {
  double fmin = 65, fmax = 500;  // Hz
  double rate_hz = 22050;
  Index frame_length = 2048;
  Index hop_length = 512;
  double threshold = 0.1;  // of the normalised difference
  bool center = true;
  PadMode pad = PadMode::constant;
};

// One frequency in Hz per frame. Throws Error when frequencies or sizes are out of range. Arithmetic in double.
template <class S>
std::vector<S> yin(std::span<const S> y, const YinConfig& config);

}  // namespace serene
