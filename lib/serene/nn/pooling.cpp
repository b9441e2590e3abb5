#include "serene/nn/pooling.h"

#include <algorithm>

#include "serene/nn/pool_windows.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

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
        wide_loop([channels, span, from = x.sample(b), to]() SERENE_WIDE { max_of_frames(from, span, channels, to); });
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
        wide_loop([channels, span, in = x.sample(b), best = y.frame(b, o), from, to = dx.sample(b)]()
                      SERENE_WIDE { max_of_frames_backward(in, best, from, span, channels, to); });
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
      wide_loop([channels, n, from = x.sample(b), to]() SERENE_WIDE { max_of_frames(from, {0, n}, channels, to); });
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
      wide_loop([channels, n, in = x.sample(b), best = y.sample(b), from = dy.sample(b), to = dx.sample(b)]()
                    SERENE_WIDE {
                      max_of_frames_backward(in, best, from, {0, n}, channels, to);
                    });
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
