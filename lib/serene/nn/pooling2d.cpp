#include "serene/nn/pooling2d.h"

#include <algorithm>

#include "serene/nn/pool_windows.h"
#include "serene/nn/sequence_ops.h"
#include "serene/nn/slices.h"

namespace serene {

// For one sample of at most `time` frames.
template <class S>
struct Pooling2D<S>::Scratch {
  Scratch(const Pooling2D& layer, Slices<S>& slices, Index time, Mode mode) : row(slices.take(layer.in_.channels())) {
    if (mode != Mode::training || layer.kind_ != Pool::max) return;
    const Index size = time * layer.out_bins_ * layer.in_.maps;
    narrow = slices.take(size);
    d_narrow = slices.take(size);
  }
  S* row;                                    // a frame pooled over time alone, or its gradient
  S *narrow = nullptr, *d_narrow = nullptr;  // all frames pooled over frequency alone
};

template <class S>
Pooling2D<S>::Pooling2D(Pool kind, Grid in, Window2D window)
    : kind_(kind), in_(grid_of("pooling2d", in.channels(), in.maps)), time_(window.time), frequency_(window.frequency) {
  window.check("pooling2d", in_.bins);
  out_bins_ = frequency_.out_length(in_.bins);
  left_ = frequency_.left(in_.bins);
}

template <class S>
std::string Pooling2D<S>::summary() const {
  return "pool " + size_text(time_.size, frequency_.size) + ", stride " + size_text(time_.stride, frequency_.stride) +
         ", " + padding_name(time_.padding) + ", " + std::to_string(in_.bins) + " frequencies to " +
         std::to_string(out_bins_);
}

template <class S>
Plan Pooling2D<S>::plan(Shape in, Mode mode) const {
  if (in.channels != in_.channels()) {
    throw Error(ErrorCode::usage, "pooling2d", "wrong number of input channels")
        .expected(std::to_string(in_.channels()))
        .got(std::to_string(in.channels));
  }
  Slices<S> slices(nullptr);
  Scratch(*this, slices, in.time, mode);
  return {{in.batch, time_.out_length(in.time), out_bins_ * in_.maps}, 0, slices.used()};
}

// A frame pooled over frequency.
template <class S>
SERENE_WIDE inline void Pooling2D<S>::max_of_bins(const S* frame, S* best) const noexcept {
  const Index maps = in_.maps;
  for (Index j = 0; j < out_bins_; ++j)
    max_of_frames(frame, window_span(frequency_, j, left_, in_.bins), maps, best + j * maps);
}

template <class S>
void Pooling2D<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  Slices<S> slices(f.scratch);
  const Scratch s(*this, slices, x.shape.time, f.mode);
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n), left = time_.left(n);
    for (Index t = 0; t < out; ++t) {
      const Span frames = window_span(time_, t, left, n);
      S* to = y.frame(b, t);
      if (kind_ == Pool::max) {
        wide_loop([this, frames, from = x.sample(b), row = s.row, to]() SERENE_WIDE {
          max_of_frames(from, frames, in_.channels(), row);
          max_of_bins(row, to);
        });
      } else {
        mean_of_frames(x.sample(b), frames, in_.channels(), s.row);
        for (Index j = 0; j < out_bins_; ++j)
          mean_of_frames(s.row, window_span(frequency_, j, left_, in_.bins), in_.maps, to + j * in_.maps);
      }
    }
    zero_frames(y, b, out);
  }
}

template <class S>
void Pooling2D<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                            const Frame<S>& f, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  Slices<S> slices(f.scratch);
  const Scratch s(*this, slices, x.shape.time, f.mode);
  for (Index b = 0; b < x.shape.batch; ++b) {
    zero_frames(dx, b, 0);
    if (kind_ == Pool::max) {
      max_backward(x.sample(b), y.sample(b), dy.sample(b), x.length(b), s, dx.sample(b));
    } else {
      average_backward(dy.sample(b), x.length(b), s, dx.sample(b));
    }
  }
}

// Back over time, then over frequency: the first frame that holds the maximum, and in it the first frequency.
template <class S>
void Pooling2D<S>::max_backward(const S* x, const S* y, const S* dy, Index n, const Scratch& s, S* dx) const noexcept {
  const Index maps = in_.maps, row = out_bins_ * maps, out = out_length(n), left = time_.left(n);
  S *const narrow = s.narrow, *const d_narrow = s.d_narrow;
  std::fill_n(d_narrow, n * row, S(0));
  wide_loop([=, this]() SERENE_WIDE {
    const Index channels = in_.channels();
    for (Index t = 0; t < n; ++t) max_of_bins(x + t * channels, narrow + t * row);
    for (Index t = 0; t < out; ++t)
      max_of_frames_backward(narrow, y + t * row, dy + t * row, window_span(time_, t, left, n), row, d_narrow);
    for (Index t = 0; t < n; ++t) {
      for (Index j = 0; j < out_bins_; ++j) {
        const Index at = t * row + j * maps;
        max_of_frames_backward(x + t * channels, narrow + at, d_narrow + at,
                               window_span(frequency_, j, left_, in_.bins), maps, dx + t * channels);
      }
    }
  });
}

template <class S>
void Pooling2D<S>::average_backward(const S* dy, Index n, const Scratch& s, S* dx) const noexcept {
  const Index maps = in_.maps, channels = in_.channels(), out = out_length(n), left = time_.left(n);
  for (Index t = 0; t < out; ++t) {
    std::fill_n(s.row, channels, S(0));
    for (Index j = 0; j < out_bins_; ++j) {
      mean_of_frames_backward(dy + (t * out_bins_ + j) * maps, window_span(frequency_, j, left_, in_.bins), maps,
                              s.row);
    }
    mean_of_frames_backward(s.row, window_span(time_, t, left, n), channels, dx);
  }
}

template class Pooling2D<float>;
template class Pooling2D<double>;

}  // namespace serene
