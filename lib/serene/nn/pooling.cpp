#include "serene/nn/pooling.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "serene/core/wide_loop.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

namespace {

// Frames [first, last) of the sample that the window of output frame o covers; never empty for n >= 1.
struct Span {
  Index first, last;
};

Span window_span(const Window& w, Index o, Index left, Index n) {
  const Index start = o * w.stride - left;
  return {std::max<Index>(start, 0), std::min(start + w.size, n)};
}

constexpr Index block = 64;  // channels worked on at a time, whose sums or rests lie on the stack

// best (C) becomes the maximum of frames [first, last) of x (T,C); up to five frames in one pass.
template <class S>
void max_of_frames(const S* x, Span span, Index channels, S* best) {
  wide_loop([=]() SERENE_WIDE {
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
  });
}

// dx += dy in the first frame that holds the maximum.
template <class S>
void max_of_frames_backward(const S* x, const S* best, const S* dy, Span span, Index channels, S* dx) {
  using Bits = std::conditional_t<sizeof(S) == 4, std::int32_t, std::int64_t>;
  wide_loop([=]() SERENE_WIDE {
    for (Index at = 0; at < channels; at += block) {
      const Index count = channels - at < block ? channels - at : block;
      S rest[block];  // dy until its frame is found
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
  });
}

// mean (C) of frames [first, last), summed in double.
template <class S>
void mean_of_frames(const S* x, Span span, Index channels, S* mean) {
  const double scale = 1.0 / static_cast<double>(span.last - span.first);
  wide_loop([=]() SERENE_WIDE {
    for (Index at = 0; at < channels; at += block) {
      const Index count = channels - at < block ? channels - at : block;
      double sum[block] = {};
      for (Index t = span.first; t < span.last; ++t) {
        const S* row = x + t * channels + at;
#pragma GCC ivdep
        for (Index c = 0; c < count; ++c) sum[c] += static_cast<double>(row[c]);
      }
      for (Index c = 0; c < count; ++c) mean[at + c] = static_cast<S>(sum[c] * scale);
    }
  });
}

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

}  // namespace

template <class S>
Pooling1D<S>::Pooling1D(Pool kind, Window window) : kind_(kind), window_(window) {
  window.check("pooling1d");
  if (window.dilation != 1) throw Error(ErrorCode::usage, "pooling1d", "windows cannot be dilated");
  if (window.padding == Padding::causal) throw Error(ErrorCode::usage, "pooling1d", "padding must be valid or same");
}

template <class S>
std::string Pooling1D<S>::summary() const {
  return "pool " + std::to_string(window_.size) + ", stride " + std::to_string(window_.stride) + ", " +
         padding_name(window_.padding);
}

template <class S>
Plan Pooling1D<S>::plan(Shape in, Mode) const {
  return {{in.batch, window_.out_length(in.time), in.channels}, 0, 0};
}

template <class S>
void Pooling1D<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>&) const noexcept {
  const Index channels = x.shape.channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n), left = window_.left(n);
    for (Index o = 0; o < out; ++o) {
      const Span span = window_span(window_, o, left, n);
      S* to = y.frame(b, o);
      if (kind_ == Pool::max) {
        max_of_frames(x.sample(b), span, channels, to);
      } else {
        mean_of_frames(x.sample(b), span, channels, to);
      }
    }
    zero_frames(y, b, out);
  }
}

template <class S>
void Pooling1D<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                            const Frame<S>&, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  const Index channels = x.shape.channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n), left = window_.left(n);
    zero_frames(dx, b, 0);
    for (Index o = 0; o < out; ++o) {
      const Span span = window_span(window_, o, left, n);
      const S* from = dy.frame(b, o);
      if (kind_ == Pool::max) {
        max_of_frames_backward(x.sample(b), y.frame(b, o), from, span, channels, dx.sample(b));
      } else {
        mean_of_frames_backward(from, span, channels, dx.sample(b));
      }
    }
  }
}

template <class S>
Plan GlobalPooling1D<S>::plan(Shape in, Mode) const {
  return {{in.batch, 1, in.channels}, 0, 0};
}

template <class S>
void GlobalPooling1D<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>&) const noexcept {
  const Index channels = x.shape.channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b);
    S* to = y.sample(b);
    if (n == 0) {
      std::fill_n(to, channels, S(0));
    } else if (kind_ == Pool::max) {
      max_of_frames(x.sample(b), {0, n}, channels, to);
    } else {
      mean_of_frames(x.sample(b), {0, n}, channels, to);
    }
  }
}

template <class S>
void GlobalPooling1D<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy,
                                  SeqView<S> dx, const Frame<S>&, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  const Index channels = x.shape.channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b);
    zero_frames(dx, b, 0);
    if (n == 0) continue;
    if (kind_ == Pool::max) {
      max_of_frames_backward(x.sample(b), y.sample(b), dy.sample(b), {0, n}, channels, dx.sample(b));
    } else {
      mean_of_frames_backward(dy.sample(b), {0, n}, channels, dx.sample(b));
    }
  }
}

template class Pooling1D<float>;
template class Pooling1D<double>;
template class GlobalPooling1D<float>;
template class GlobalPooling1D<double>;

}  // namespace serene
