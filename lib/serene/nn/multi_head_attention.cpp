#include "serene/nn/multi_head_attention.h"

#include <cmath>

#include "serene/nn/scaled_dot_product.h"
#include "serene/nn/slices.h"
#include "serene/nn/valid_frames.h"

namespace serene {

// What forward makes: the weights of all heads first (see weights()), then one row per frame of each kind.
template <class S>
struct MultiHeadAttention<S>::Rows {
  Rows(Slices<S>& slices, Shape in, Index heads, Index width) {
    const Index rows = in.batch * in.time;
    weights = slices.take(rows * heads * in.time);
    q = slices.take(rows * width);
    k = slices.take(rows * width);
    v = slices.take(rows * width);
    a = slices.take(rows * width);
  }

  AttentionHead<S> head(SeqView<const S> queries, SeqView<const S> keys, Index b, Index h, Index dim,
                        Index width) const {
    const Index at = b * keys.shape.time * width + h * dim;
    return {.queries = queries.length(b),
            .keys = keys.length(b),
            .dim = dim,
            .stride = width,
            .q = q + at,
            .k = k + at,
            .v = v + at,
            .scale = static_cast<S>(1 / std::sqrt(static_cast<double>(dim)))};
  }
  S *weights, *q, *k, *v, *a;
};

template <class S>
struct MultiHeadAttention<S>::BackwardScratch {
  BackwardScratch(Slices<S>& slices, Shape in, Index width) {
    const Index rows = in.batch * in.time, wide = std::max(width, in.channels);
    dq = slices.take(rows * width);
    dk = slices.take(rows * width);
    dv = slices.take(rows * width);
    da = slices.take(rows * width);
    d_weights = slices.take(in.time * in.time);
    sums = slices.take(wide);
    gathered_x = slices.take(rows * wide);
    gathered_dy = slices.take(rows * wide);
    work = slices.take(std::max({packed_size<S>(rows, wide), packed_size<S>(width, in.channels),
                                 packed_size<S>(in.channels, width), attention_work<S>(in.time, width)}));
  }
  S *dq, *dk, *dv, *da, *d_weights, *sums, *gathered_x, *gathered_dy, *work;
};

template <class S>
MultiHeadAttention<S>::MultiHeadAttention(Index in_channels, MultiHeadAttentionOptions options)
    : in_channels_(in_channels), options_(options) {
  if (in_channels < 1 || options.heads < 1 || options.key_dim < 1)
    throw Error(ErrorCode::usage, "multi_head_attention", "channels, heads and key_dim must be positive")
        .got(std::to_string(in_channels) + ", " + std::to_string(options.heads) + ", " +
             std::to_string(options.key_dim));
}

template <class S>
std::string MultiHeadAttention<S>::summary() const {
  std::string text = std::to_string(options_.heads) + " heads of " + std::to_string(options_.key_dim);
  if (!options_.use_bias) text += ", no bias";
  if (!options_.mask_queries) text += ", all queries";
  return text;
}

template <class S>
std::vector<ParameterSpec> MultiHeadAttention<S>::parameters() const {
  const Index d = in_channels_, h = options_.heads, k = options_.key_dim;
  std::vector<ParameterSpec> specs;
  // Fans as Keras counts them for a kernel of three axes: the first is a receptive field.
  const auto add = [&](const std::string& name, std::vector<Index> kernel_shape, std::vector<Index> bias_shape) {
    const Index fan_in = kernel_shape[0] * kernel_shape[1], fan_out = kernel_shape[0] * kernel_shape[2];
    specs.push_back({.name = name + "_kernel",
                     .shape = std::move(kernel_shape),
                     .init = Init::glorot_uniform,
                     .fan_in = fan_in,
                     .fan_out = fan_out});
    if (options_.use_bias) specs.push_back({.name = name + "_bias", .shape = std::move(bias_shape), .decay = false});
  };
  add("query", {d, h, k}, {h, k});
  add("key", {d, h, k}, {h, k});
  add("value", {d, h, k}, {h, k});
  add("output", {h, k, d}, {d});
  return specs;
}

template <class S>
Plan MultiHeadAttention<S>::plan(Shape in, Mode mode) const {
  if (in.channels != in_channels_)
    throw Error(ErrorCode::usage, "multi_head_attention", "wrong number of input channels")
        .expected(std::to_string(in_channels_))
        .got(to_string(in));
  Slices<S> rows(nullptr), backward(nullptr);
  Rows(rows, in, options_.heads, width());
  BackwardScratch(backward, in, width());  // its `work` serves forward too
  const bool keep = mode == Mode::training;
  return {.out = in, .saved = keep ? rows.used() : 0, .scratch = backward.used() + (keep ? 0 : rows.used())};
}

template <class S>
double MultiHeadAttention<S>::multiply_adds(Shape in) const {
  const double time = static_cast<double>(in.time), w = static_cast<double>(width());
  return time * w * (4 * static_cast<double>(in_channels_) + 2 * time);
}

// y (rows, out) = x (rows, in) W + b on the valid frames of x.
template <class S>
void MultiHeadAttention<S>::project(Params<const S> p, Part part, SeqView<const S> x, Index in, Index out, S* y,
                                    S* work) const noexcept {
  pack(Trans::no, in, out, p[kernel(part)], out, work);
  for_valid_rows(x, [&](Index first, Index rows) {
    S* to = y + first * out;
    gemm_packed(Trans::no, rows, out, in, x.data + first * in, in, work, false, to, out);
    if (!options_.use_bias) return;
    const S* b = p[bias(part)];
    for (Index r = 0; r < rows; ++r)
      for (Index j = 0; j < out; ++j) to[r * out + j] += b[j];
  });
}

// Its gradient: adds to that of W and b; dx (+)= dy W' unless dx is null.
template <class S>
void MultiHeadAttention<S>::project_backward(Params<const S> p, Part part, SeqView<const S> x, Index in, Index out,
                                             const S* dy, S* dx, bool add, const BackwardScratch& s,
                                             Params<S> grads) const noexcept {
  if (dx != nullptr) {
    pack(Trans::yes, out, in, p[kernel(part)], out, s.work);
    for_valid_rows(x, [&](Index first, Index rows) {
      gemm_packed(Trans::no, rows, in, out, dy + first * out, out, s.work, add, dx + first * in, in);
    });
  }
  const Index rows = valid_rows(x);
  const S* from = gather_valid<S>(x, in, x.data, s.gathered_x);
  const S* upstream = gather_valid<S>(x, out, dy, s.gathered_dy);
  gemm(Trans::yes, Trans::no, in, out, rows, from, in, upstream, out, true, grads[kernel(part)], out, s.work);
  // The bias of the keys shifts all scores of a query alike, which softmax does not see: its gradient is zero. Summed
  // up in float it would be noise, and an optimizer that divides by the size of gradients would follow it.
  if (options_.use_bias && part != key) add_column_sums(rows, out, upstream, s.sums, grads[bias(part)]);
}

template <class S>
void MultiHeadAttention<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y,
                                    const Frame<S>& f) const noexcept {
  const Index d = in_channels_, w = width(), time = x.shape.time;
  const bool keep = f.mode == Mode::training;
  Slices<S> saved(f.saved), scratch(f.scratch);
  const BackwardScratch s(scratch, x.shape, w);
  const Rows rows(keep ? saved : scratch, x.shape, options_.heads, w);
  const SeqView<const S> queries = query_view(x);
  project(p, query, queries, d, w, rows.q, s.work);
  project(p, key, x, d, w, rows.k, s.work);
  project(p, value, x, d, w, rows.v, s.work);
  std::fill_n(rows.weights, x.shape.batch * options_.heads * time * time, S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    for (Index h = 0; h < options_.heads; ++h) {
      attend_forward(rows.head(queries, x, b, h, options_.key_dim, w),
                     rows.weights + (b * options_.heads + h) * time * time, time,
                     rows.a + b * time * w + h * options_.key_dim, w, s.work);
    }
  }
  project(p, output, {rows.a, {x.shape.batch, time, w}, queries.lengths}, w, d, y.data, s.work);
  zero_padding(queries, d, y.data);
}

template <class S>
void MultiHeadAttention<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy,
                                     SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const Index d = in_channels_, w = width(), time = x.shape.time, all = x.shape.batch * time * w;
  Slices<S> saved(f.saved), scratch(f.scratch);
  const BackwardScratch s(scratch, x.shape, w);
  const Rows rows(saved, x.shape, options_.heads, w);
  const SeqView<const S> queries = query_view(x);
  project_backward(p, output, {rows.a, {x.shape.batch, time, w}, queries.lengths}, w, d, dy.data, s.da, false, s,
                   grads);
  for (S* gradient : {s.dq, s.dk, s.dv}) std::fill_n(gradient, all, S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    for (Index h = 0; h < options_.heads; ++h) {
      const Index at = b * time * w + h * options_.key_dim;
      attend_backward(rows.head(queries, x, b, h, options_.key_dim, w), weights(f, x.shape, b, h), time, s.da + at, w,
                      s.dq + at, s.dk + at, s.dv + at, w, s.d_weights, s.work);
    }
  }
  project_backward(p, query, queries, d, w, s.dq, dx.data, false, s, grads);
  project_backward(p, key, x, d, w, s.dk, dx.data, true, s, grads);
  project_backward(p, value, x, d, w, s.dv, dx.data, true, s, grads);
  if (dx.data != nullptr) zero_padding(queries, d, dx.data);
}

template class MultiHeadAttention<float>;
template class MultiHeadAttention<double>;

}  // namespace serene
