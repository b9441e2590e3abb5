// Values per frame: row-major (frames, dim), the values of one frame side by side. (librosa's arrays are the
// transpose.)
#pragma once

#include <vector>

#include "serene/core/types.h"

namespace serene {

template <class S>
struct FrameMatrix {
  Index frames = 0;
  Index dim = 0;
  std::vector<S> values;

  FrameMatrix() = default;
  // Zeros.
  FrameMatrix(Index frame_count, Index width)
      : frames(frame_count), dim(width), values(static_cast<std::size_t>(frame_count * width)) {}

  // The dim values of frame t, 0 <= t < frames.
  S* row(Index t) { return values.data() + t * dim; }
  const S* row(Index t) const { return values.data() + t * dim; }
};

}  // namespace serene
