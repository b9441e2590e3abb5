#include "serene/nn/attention.h"

#include <cmath>

#include "serene/nn/scaled_dot_product.h"

namespace serene {
namespace {

template <class S>
AttentionHead<S> head_of(SeqView<const S> x, Index b, bool mask_queries, Precision precision) {
  const Index channels = x.shape.channels;
  const S* rows = x.sample(b);
  return {.queries = mask_queries ? x.length(b) : x.shape.time,
          .keys = x.length(b),
          .dim = channels,
          .stride = channels,
          .q = rows,
          .k = rows,
          .v = rows,
          .scale = static_cast<S>(1 / std::sqrt(static_cast<double>(channels))),
          .precision = activation_precision(precision)};
}

}  // namespace

template <class S>
Plan SelfAttention<S>::plan(Shape in, Mode mode) const {
  if (in.channels < 1) throw Error(ErrorCode::usage, "self_attention", "the input has no channels").got(to_string(in));
  Slices<S> slices(nullptr);
  AttentionScratch<S>(slices, in.time, in.channels, mode);
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
  const AttentionScratch<S> s(slices, time, channels, f.mode);
  const bool keep = f.mode == Mode::training;
  if (keep) std::fill_n(f.saved, x.shape.batch * time * time, S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    const AttentionHead<S> head = head_of(x, b, options_.mask_queries, f.precision);
    attend_forward(head, keep ? f.saved + b * time * time : nullptr, time, y.sample(b), channels, s);
    std::fill_n(y.frame(b, head.queries), (time - head.queries) * channels, S(0));
  }
}

template <class S>
void SelfAttention<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy,
                                SeqView<S> dx, const Frame<S>& f, Params<S>) const noexcept {
  if (dx.data == nullptr) return;
  const Index channels = x.shape.channels, time = x.shape.time;
  Slices<S> slices(f.scratch);
  const AttentionScratch<S> s(slices, time, channels, f.mode);
  std::fill_n(dx.data, dx.shape.size(), S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    S* d = dx.sample(b);
    attend_backward(head_of(x, b, options_.mask_queries, f.precision), weights(f, x.shape, b), time, dy.sample(b),
                    channels, d, d, d, channels, s);
  }
}

template class SelfAttention<float>;
template class SelfAttention<double>;

}  // namespace serene
