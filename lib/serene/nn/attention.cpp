#include "serene/nn/attention.h"

#include <cmath>

#include "serene/nn/scaled_dot_product.h"
#include "serene/nn/slices.h"

namespace serene {
namespace {

// Both directions use one (T,T) matrix and the room to pack an operand.
template <class S>
struct Scratch {
  Scratch(Slices<S>& slices, Shape in) {
    matrix = slices.take(in.time * in.time);
    work = slices.take(attention_work<S>(in.time, in.channels));
  }
  S *matrix, *work;
};

template <class S>
AttentionHead<S> head_of(SeqView<const S> x, Index b, bool mask_queries) {
  const Index channels = x.shape.channels;
  const S* rows = x.sample(b);
  return {.queries = mask_queries ? x.length(b) : x.shape.time,
          .keys = x.length(b),
          .dim = channels,
          .stride = channels,
          .q = rows,
          .k = rows,
          .v = rows,
          .scale = static_cast<S>(1 / std::sqrt(static_cast<double>(channels)))};
}

}  // namespace

template <class S>
Plan SelfAttention<S>::plan(Shape in, Mode mode) const {
  if (in.channels < 1) throw Error(ErrorCode::usage, "self_attention", "the input has no channels").got(to_string(in));
  Slices<S> slices(nullptr);
  Scratch<S>(slices, in);
  return {.out = in, .saved = mode == Mode::training ? in.batch * in.time * in.time : 0, .scratch = slices.used()};
}

template <class S>
double SelfAttention<S>::multiply_adds(Shape in) const {
  const double time = static_cast<double>(in.time);
  return 2 * time * time * static_cast<double>(in.channels);
}

template <class S>
void SelfAttention<S>::forward(Params<const S>, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Index time = x.shape.time, channels = x.shape.channels;
  Slices<S> slices(f.scratch);
  const Scratch<S> s(slices, x.shape);
  const bool keep = f.mode == Mode::training;
  if (keep) std::fill_n(f.saved, x.shape.batch * time * time, S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    const AttentionHead<S> head = head_of(x, b, options_.mask_queries);
    S* matrix = keep ? f.saved + b * time * time : s.matrix;
    attend_forward(head, matrix, time, y.sample(b), channels, s.work);
    std::fill_n(y.frame(b, head.queries), (time - head.queries) * channels, S(0));
  }
}

template <class S>
void SelfAttention<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy,
                                SeqView<S> dx, const Frame<S>& f, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  const Index channels = x.shape.channels, time = x.shape.time;
  Slices<S> slices(f.scratch);
  const Scratch<S> s(slices, x.shape);
  std::fill_n(dx.data, dx.shape.size(), S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    S* d = dx.sample(b);
    attend_backward(head_of(x, b, options_.mask_queries), weights(f, x.shape, b), time, dy.sample(b), channels, d, d, d,
                    channels, s.matrix, s.work);
  }
}

template class SelfAttention<float>;
template class SelfAttention<double>;

}  // namespace serene
