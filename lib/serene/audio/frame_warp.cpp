#include "serene/audio/frame_warp.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace serene {

Index warped_frames(Index frames, double tempo) noexcept {
  return std::max<Index>(1, static_cast<Index>(std::llround(static_cast<double>(frames) / tempo)));
}

template <class S>
void warp_rows(const FeatureMatrix& clip, Index frames, double shift, Index first, Index count, S* out) noexcept {
  const Index dim = clip.dim;
  std::array<S, most_warped_channels> mixed;
  const double step = frames > 1 ? static_cast<double>(clip.frames - 1) / static_cast<double>(frames - 1) : 0;
  const auto below = static_cast<Index>(std::floor(-shift));
  const S between = static_cast<S>(-shift - std::floor(-shift));
  for (Index t = 0; t < count; ++t, out += dim) {
    const double place = static_cast<double>(first + t) * step;
    const Index left = std::min(static_cast<Index>(place), clip.frames - 1);
    const float* const a = clip.row(left);
    const float* const b = clip.row(std::min(left + 1, clip.frames - 1));
    const S part = static_cast<S>(place - static_cast<double>(left));
    S* const row = shift == 0 ? out : mixed.data();
    for (Index c = 0; c < dim; ++c)
      row[c] = static_cast<S>(a[c]) + part * (static_cast<S>(b[c]) - static_cast<S>(a[c]));
    if (shift == 0) continue;
    for (Index c = 0; c < dim; ++c) {
      const S low = row[std::clamp<Index>(c + below, 0, dim - 1)];
      const S high = row[std::clamp<Index>(c + below + 1, 0, dim - 1)];
      out[c] = low + between * (high - low);
    }
  }
}

FeatureMatrix warp(const FeatureMatrix& clip, double tempo, double shift) {
  FeatureMatrix out(warped_frames(clip.frames, tempo), clip.dim);
  warp_rows(clip, out.frames, shift, 0, out.frames, out.values.data());
  return out;
}

template void warp_rows(const FeatureMatrix&, Index, double, Index, Index, float*) noexcept;
template void warp_rows(const FeatureMatrix&, Index, double, Index, Index, double*) noexcept;

}  // namespace serene
