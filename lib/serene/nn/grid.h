// Frames as grids: what the 2-D layers read in the channels of a frame.
//
// C = F M channels are F frequencies of M maps each, maps fastest: channel f M + m. A spectrogram is M = 1. So a batch
// stays (B,T,C) for every other layer.
#pragma once

#include <string>

#include "serene/core/error.h"
#include "serene/nn/window.h"

namespace serene {

struct Grid {
  Index bins = 1;  // F
  Index maps = 1;  // M

  Index channels() const { return bins * maps; }  // of a frame
};

// Throws Error(usage) unless there are channels and the maps divide them.
inline Grid grid_of(const std::string& where, Index channels, Index maps) {
  if (channels < 1) throw Error(ErrorCode::usage, where, "no input channels");
  if (maps < 1 || channels % maps != 0) {
    throw Error(ErrorCode::usage, where, "maps do not divide the input channels")
        .expected("a divisor of " + std::to_string(channels))
        .got(std::to_string(maps));
  }
  return {channels / maps, maps};
}

// One window along time, one along frequency.
struct Window2D {
  Window time, frequency;

  // Throws Error(usage) for sizes out of range, dilations, causal padding, or a window wider than the frequencies.
  void check(const std::string& where, Index bins) const {
    for (const Window& w : {time, frequency}) {
      w.check(where);
      if (w.dilation != 1) throw Error(ErrorCode::usage, where, "windows cannot be dilated");
      if (w.padding == Padding::causal) throw Error(ErrorCode::usage, where, "padding must be valid or same");
    }
    if (frequency.out_length(bins) > 0) return;
    throw Error(ErrorCode::usage, where, "window wider than the frequencies")
        .expected("at most " + std::to_string(bins))
        .got(std::to_string(frequency.size))
        .hint("pad with \"same\", or give the right \"maps\"");
  }
};

// "3 x 5" for [time, frequency].
inline std::string size_text(Index time, Index frequency) {
  return std::to_string(time) + " x " + std::to_string(frequency);
}

}  // namespace serene
