// What a pooling does with one of its windows: maximum and mean over neighbouring rows, and their gradients. Pooling
// over time calls the frames of a sample rows, pooling over frequency the frequencies of a frame.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "serene/core/wide_loop.h"
#include "serene/nn/window.h"

namespace serene {

// Frames [first, last) of the sample that the window of output frame o covers; never empty for n >= 1.
struct Span {
  Index first, last;
};

// left: frames of padding in front, n: valid frames.
SERENE_WIDE inline Span window_span(const Window& w, Index o, Index left, Index n) {
  const Index start = o * w.stride - left;
  return {std::max<Index>(start, 0), std::min(start + w.size, n)};
}

inline constexpr Index kPoolBlock = 64;  // channels worked on at a time, whose sums or rests lie on the stack

// best (C) becomes the maximum of frames [first, last) of x (T,C); up to five frames in one pass. For use inside
// wide_loop().
template <class S>
SERENE_WIDE inline void max_of_frames(const S* x, Span span, Index channels, S* best) {
  const S* from = x + span.first * channels;  // the row that holds the maxima so far
  Index t = span.first + 1;
  do {
    const Index left = span.last - t;
    // Where fewer than four rows are left, one of them takes part again, which changes nothing.
    const S* r0 = left > 0 ? x + t * channels : from;
    const S *r1 = left > 1 ? r0 + channels : r0, *r2 = left > 2 ? r1 + channels : r0,
            *r3 = left > 3 ? r2 + channels : r0;
#pragma GCC ivdep
    for (Index c = 0; c < channels; ++c) {
      S b = from[c];
      b = r0[c] > b ? r0[c] : b;
      b = r1[c] > b ? r1[c] : b;
      b = r2[c] > b ? r2[c] : b;
      best[c] = r3[c] > b ? r3[c] : b;
    }
    from = best;
    t += 4;
  } while (t < span.last);
}

// dx += dy in the first frame that holds the maximum. For use inside wide_loop().
template <class S>
SERENE_WIDE inline void max_of_frames_backward(const S* x, const S* best, const S* dy, Span span, Index channels,
                                               S* dx) {
  using Bits = std::conditional_t<sizeof(S) == 4, std::int32_t, std::int64_t>;
  for (Index at = 0; at < channels; at += kPoolBlock) {
    const Index count = channels - at < kPoolBlock ? channels - at : kPoolBlock;
    S rest[kPoolBlock];  // dy until its frame is found
    for (Index c = 0; c < count; ++c) rest[c] = dy[at + c];
    for (Index t = span.first; t < span.last; ++t) {
      const S *row = x + t * channels + at, *top = best + at;
      S* to = dx + t * channels + at;
      // In bits, because a compiler turns two selects in one loop into a branch.
#pragma GCC ivdep
      for (Index c = 0; c < count; ++c) {
        const Bits won = -static_cast<Bits>(row[c] == top[c]), d = std::bit_cast<Bits>(rest[c]);
        to[c] += std::bit_cast<S>(d & won);
        rest[c] = std::bit_cast<S>(d & ~won);
      }
    }
  }
}

// mean (C) of frames [first, last), summed in double.
template <class S>
void mean_of_frames(const S* x, Span span, Index channels, S* mean) {
  const double scale = 1.0 / static_cast<double>(span.last - span.first);
  wide_loop([=]() SERENE_WIDE {
    for (Index at = 0; at < channels; at += kPoolBlock) {
      const Index count = channels - at < kPoolBlock ? channels - at : kPoolBlock;
      double sum[kPoolBlock] = {};
      for (Index t = span.first; t < span.last; ++t) {
        const S* row = x + t * channels + at;
#pragma GCC ivdep
        for (Index c = 0; c < count; ++c) sum[c] += static_cast<double>(row[c]);
      }
      for (Index c = 0; c < count; ++c) mean[at + c] = static_cast<S>(sum[c] * scale);
    }
  });
}

// dx += dy / count in every frame of the span.
template <class S>
void mean_of_frames_backward(const S* dy, Span span, Index channels, S* dx) {
  const S scale = static_cast<S>(1.0 / static_cast<double>(span.last - span.first));
  wide_loop([=]() SERENE_WIDE {
    for (Index t = span.first; t < span.last; ++t) {
      S* row = dx + t * channels;
#pragma GCC ivdep
      for (Index c = 0; c < channels; ++c) row[c] += dy[c] * scale;
    }
  });
}

}  // namespace serene
