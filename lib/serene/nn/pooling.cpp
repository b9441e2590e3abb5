#include "serene/nn/pooling.h"

#include <algorithm>

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

// best (C) becomes the maximum of frames [first, last) of x (T,C); winner (may be nullptr) the first frame that holds
// it, counted from `first`. Two passes with one select each, because a compiler turns two selects in one loop into a
// branch.
template <class S>
void max_of_frames(const S* x, Span span, Index channels, S* best, S* winner) {
  std::copy_n(x + span.first * channels, channels, best);
  wide_loop([=]() SERENE_WIDE {
    for (Index t = span.first + 1; t < span.last; ++t) {
      const S* row = x + t * channels;
#pragma GCC ivdep
      for (Index c = 0; c < channels; ++c) {
        const S v = row[c], b = best[c];
        best[c] = v > b ? v : b;
      }
    }
  });
  if (winner == nullptr) return;
  std::fill_n(winner, channels, S(0));
  wide_loop([=]() SERENE_WIDE {
    for (Index t = span.last - 1; t >= span.first; --t) {
      const S* row = x + t * channels;
      const S place = static_cast<S>(t - span.first);
#pragma GCC ivdep
      for (Index c = 0; c < channels; ++c) {
        const S w = winner[c];
        winner[c] = row[c] == best[c] ? place : w;
      }
    }
  });
}

// dx += dy where the frame won.
template <class S>
void max_of_frames_backward(const S* dy, const S* winner, Span span, Index channels, S* dx) {
  wide_loop([=]() SERENE_WIDE {
    for (Index t = span.first; t < span.last; ++t) {
      S* row = dx + t * channels;
      const S place = static_cast<S>(t - span.first);
#pragma GCC ivdep
      for (Index c = 0; c < channels; ++c) {
        const S d = dy[c];
        row[c] += winner[c] == place ? d : S(0);
      }
    }
  });
}

// mean (C) of frames [first, last), summed in double.
template <class S>
void mean_of_frames(const S* x, Span span, Index channels, S* mean) {
  constexpr Index block = 64;
  const double scale = 1.0 / static_cast<double>(span.last - span.first);
  for (Index at = 0; at < channels; at += block) {
    const Index count = std::min(block, channels - at);
    double sum[block] = {};
    for (Index t = span.first; t < span.last; ++t) {
      const S* row = x + t * channels + at;
      for (Index c = 0; c < count; ++c) sum[c] += static_cast<double>(row[c]);
    }
    for (Index c = 0; c < count; ++c) mean[at + c] = static_cast<S>(sum[c] * scale);
  }
}

template <class S>
void mean_of_frames_backward(const S* dy, Span span, Index channels, S* dx) {
  const S scale = static_cast<S>(1.0 / static_cast<double>(span.last - span.first));
  for (Index t = span.first; t < span.last; ++t) {
    S* row = dx + t * channels;
    for (Index c = 0; c < channels; ++c) row[c] += dy[c] * scale;
  }
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
Plan Pooling1D<S>::plan(Shape in, Mode mode) const {
  const Shape out{in.batch, window_.out_length(in.time), in.channels};
  // The winning frame of each window, as a scalar (at most 65535: exact).
  return {out, kind_ == Pool::max && mode == Mode::training ? out.size() : 0, 0};
}

template <class S>
void Pooling1D<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Index channels = x.shape.channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n), left = window_.left(n);
    for (Index o = 0; o < out; ++o) {
      const Span span = window_span(window_, o, left, n);
      S* to = y.frame(b, o);
      if (kind_ == Pool::max) {
        max_of_frames(x.sample(b), span, channels, to, f.mode == Mode::training ? f.saved + (to - y.data) : nullptr);
      } else {
        mean_of_frames(x.sample(b), span, channels, to);
      }
    }
    zero_frames(y, b, out);
  }
}

template <class S>
void Pooling1D<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy, SeqView<S> dx,
                            const Frame<S>& f, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  const Index channels = x.shape.channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n), left = window_.left(n);
    zero_frames(dx, b, 0);
    for (Index o = 0; o < out; ++o) {
      const Span span = window_span(window_, o, left, n);
      const S* from = dy.frame(b, o);
      if (kind_ == Pool::max) {
        max_of_frames_backward(from, f.saved + (from - dy.data), span, channels, dx.sample(b));
      } else {
        mean_of_frames_backward(from, span, channels, dx.sample(b));
      }
    }
  }
}

template <class S>
Plan GlobalPooling1D<S>::plan(Shape in, Mode mode) const {
  if (kind_ == Pool::max && sizeof(S) == sizeof(float) && in.time > (Index(1) << 24)) {
    throw Error(ErrorCode::usage, type(), "too many frames").expected("at most 16777216").got(std::to_string(in.time));
  }
  const Shape out{in.batch, 1, in.channels};
  return {out, kind_ == Pool::max && mode == Mode::training ? out.size() : 0, 0};
}

template <class S>
void GlobalPooling1D<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Index channels = x.shape.channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b);
    S* to = y.sample(b);
    if (n == 0) {
      std::fill_n(to, channels, S(0));
    } else if (kind_ == Pool::max) {
      max_of_frames(x.sample(b), {0, n}, channels, to, f.mode == Mode::training ? f.saved + b * channels : nullptr);
    } else {
      mean_of_frames(x.sample(b), {0, n}, channels, to);
    }
  }
}

template <class S>
void GlobalPooling1D<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy,
                                  SeqView<S> dx, const Frame<S>& f, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  const Index channels = x.shape.channels;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b);
    zero_frames(dx, b, 0);
    if (n == 0) continue;
    if (kind_ == Pool::max) {
      max_of_frames_backward(dy.sample(b), f.saved + b * channels, {0, n}, channels, dx.sample(b));
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
