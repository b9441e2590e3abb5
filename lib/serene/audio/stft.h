// Short-time Fourier transform and its inverse, as librosa.stft and librosa.istft.
//
// Frame t holds the samples t*hop .. t*hop + n_fft - 1 of the (padded) signal, times a periodic window of win_length
// samples that stands in the middle of the frame: floor((n_fft - win_length) / 2) zeros on its left.
//
// S is the type of storage: frames are transformed in double for float too, as numpy does, so that a weak bin beside
// strong ones keeps its digits. The features of clips and calls (feature_stream.h) use the faster transform in float.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "serene/audio/fft.h"
#include "serene/audio/frame_matrix.h"

namespace serene {

enum class PadMode { constant, reflect, edge };  // zeros; mirrored without repeating the edge; the edge value

// "constant", "reflect" or "edge"; throws Error otherwise.
PadMode parse_pad_mode(const std::string& name);

struct StftConfig {
  Index n_fft = 2048;  // a power of two
  Index hop_length = 512;
  Index win_length = 0;  // 0: n_fft
  std::string window = "hann";
  bool center = true;  // pad n_fft / 2 samples on both sides, so that frame t is centred at t * hop
  PadMode pad = PadMode::constant;
};

template <class S>
struct Spectrum {
  Index frames = 0;
  Index bins = 0;         // n_fft / 2 + 1
  std::vector<S> re, im;  // (frames, bins)
};

// Throws Error when the config is out of range.
void check(const StftConfig& config);

// The window of the config, placed in n_fft values.
std::vector<double> padded_window(const StftConfig& config);

// Signal with `amount` samples added on both sides. Throws Error when empty, or when `reflect` wants more than there
// is.
template <class S>
std::vector<S> pad_signal(std::span<const S> y, Index amount, PadMode mode);

// 1 + floor((length - frame_length) / hop); throws Error when the (padded) signal is shorter than a frame.
Index frame_count(Index padded_length, Index frame_length, Index hop_length);

// bins = n_fft / 2 + 1 numbers a frame. Throws Error(usage) for sizes out of range or an n_fft that is no power of
// two, Error(input) for no samples, or too few for the padding or one frame.
template <class S>
Spectrum<S> stft(std::span<const S> y, const StftConfig& config);

// |X|^power (frames, bins).
template <class S>
FrameMatrix<S> spectrogram(std::span<const S> y, const StftConfig& config, double power = 1.0);

// Overlap-add of the windowed inverse transforms over the overlap-added squared window; `length` samples (0: all there
// are).
template <class S>
std::vector<S> istft(const Spectrum<S>& spectrum, const StftConfig& config, Index length = 0);

}  // namespace serene
