#include "serene/nn/multi_head_attention.h"

#include <cmath>

#include "serene/nn/scaled_dot_product.h"

namespace serene {

// The four kernels packed, and in training transposed. T: S or const S.
template <class S>
template <class T>
struct MultiHeadAttention<S>::Packed {
  Packed(const MultiHeadAttention& layer, Slices<T>& slices, const Packing& packing) {
    for (const Part part : {query, key, value, output}) {
      const Index k = layer.rows_of(part), n = layer.columns_of(part);
      kernel[part] = slices.take(packed_size<S>(k, n, packing.precision));
      back[part] = packing.mode == Mode::training ? slices.take(packed_size<S>(n, k, packing.precision)) : nullptr;
    }
  }
  T *kernel[4], *back[4];
};

// What forward makes: in training the weights of all heads first (see weights()), then one row per frame of each kind.
template <class S>
struct MultiHeadAttention<S>::Rows {
  Rows(Slices<S>& slices, Shape in, Index heads, Index width, Mode mode) {
    const Index rows = in.batch * in.time;
    weights = mode == Mode::training ? slices.take(rows * heads * in.time) : nullptr;
    q = slices.take(rows * width);
    k = slices.take(rows * width);
    v = slices.take(rows * width);
    a = slices.take(rows * width);
  }

  AttentionHead<S> head(SeqView<const S> queries, SeqView<const S> keys, Index b, Index h, Index dim, Index width,
                        Precision precision) const {
    const Index at = b * keys.shape.time * width + h * dim;
    return {.queries = queries.length(b),
            .keys = keys.length(b),
            .dim = dim,
            .stride = width,
            .q = q + at,
            .k = k + at,
            .v = v + at,
            .scale = static_cast<S>(1 / std::sqrt(static_cast<double>(dim))),
            .precision = activation_precision(precision)};
  }
  S *weights, *q, *k, *v, *a;
};

template <class S>
struct MultiHeadAttention<S>::BackwardScratch {
  BackwardScratch(Slices<S>& slices, Shape in, Index dim, Index width)
      : attention(slices, in.time, dim, Mode::training),
        product(slices, in.batch * in.time, std::max(width, in.channels), std::max(width, in.channels)) {
    for (S** gradient : {&dq, &dk, &dv, &da}) *gradient = slices.take(in.batch * in.time * width);
  }
  AttentionScratch<S> attention;
  ProductScratch<S> product;
  S *dq, *dk, *dv, *da;
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
  Slices<S> rows(nullptr), scratch(nullptr);
  Rows(rows, in, options_.heads, width(), mode);
  if (mode == Mode::training) {
    BackwardScratch(scratch, in, options_.key_dim, width());
    return {.out = in, .saved = rows.used(), .scratch = scratch.used()};
  }
  AttentionScratch<S>(scratch, in.time, options_.key_dim, mode);
  return {.out = in, .saved = 0, .scratch = scratch.used() + rows.used()};
}

template <class S>
double MultiHeadAttention<S>::multiply_adds(Shape in) const {
  const double time = static_cast<double>(in.time), w = static_cast<double>(width());
  return time * w * (4 * static_cast<double>(in_channels_) + 2 * time);
}

template <class S>
Index MultiHeadAttention<S>::packed_weights_size(const Packing& packing) const {
  Slices<S> slices(nullptr);
  Packed<S>(*this, slices, packing);
  return slices.used();
}

template <class S>
void MultiHeadAttention<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  Slices<S> slices(packed);
  const Packed<S> to(*this, slices, packing);
  for (const Part part : {query, key, value, output}) {
    const Index k = rows_of(part), n = columns_of(part);
    pack(Trans::no, k, n, p[kernel(part)], n, to.kernel[part], packing.precision);
    if (to.back[part] != nullptr) pack(Trans::yes, n, k, p[kernel(part)], n, to.back[part], packing.precision);
  }
}

// y = x W + b on the valid frames of x.
template <class S>
void MultiHeadAttention<S>::project(Params<const S> p, Part part, SeqView<const S> x, S* y,
                                    const Frame<S>& f) const noexcept {
  Slices<const S> slices(f.packed);
  const Packed<const S> packed(*this, slices, {f.mode, f.precision});
  const Index in = rows_of(part), out = columns_of(part);
  const Epilogue<S> end{.bias = options_.use_bias ? p[bias(part)] : nullptr};
  for_valid_rows(x, [&](Index first, Index rows) {
    gemm_packed(Trans::no, rows, out, in, x.data + first * in, in, packed.kernel[part], false, y + first * out, out,
                end);
  });
}

// Its gradient: adds to that of W and b; dx (+)= dy W' unless dx is null.
template <class S>
void MultiHeadAttention<S>::project_backward(Part part, SeqView<const S> x, const S* dy, S* dx, bool add,
                                             const BackwardScratch& s, const Frame<S>& f,
                                             Params<S> grads) const noexcept {
  const Index in = rows_of(part), out = columns_of(part);
  if (dx != nullptr) {
    Slices<const S> slices(f.packed);
    const Packed<const S> packed(*this, slices, {f.mode, f.precision});
    for_valid_rows(x, [&](Index first, Index rows) {
      gemm_packed(Trans::no, rows, in, out, dy + first * out, out, packed.back[part], add, dx + first * in, in);
    });
  }
  // The bias of the keys shifts all scores of a query alike, which softmax does not see: its gradient is zero. Summed
  // up in float it would be noise, and an optimizer that divides by the size of gradients would follow it.
  S* const d_bias = options_.use_bias && part != key ? grads[bias(part)] : nullptr;
  add_products<S>(x, {{in, x.data, grads[kernel(part)]}}, out, dy, d_bias, s.product, f.precision);
}

template <class S>
void MultiHeadAttention<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y,
                                    const Frame<S>& f) const noexcept {
  const Index d = in_channels_, w = width(), time = x.shape.time;
  const bool keep = f.mode == Mode::training;
  Slices<S> saved(f.saved), scratch(f.scratch);
  const AttentionScratch<S> s(scratch, time, options_.key_dim, f.mode);
  const Rows rows(keep ? saved : scratch, x.shape, options_.heads, w, f.mode);
  const SeqView<const S> queries = query_view(x);
  project(p, query, queries, rows.q, f);
  project(p, key, x, rows.k, f);
  project(p, value, x, rows.v, f);
  if (keep) std::fill_n(rows.weights, x.shape.batch * options_.heads * time * time, S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    for (Index h = 0; h < options_.heads; ++h) {
      attend_forward(rows.head(queries, x, b, h, options_.key_dim, w, f.precision),
                     keep ? rows.weights + (b * options_.heads + h) * time * time : nullptr, time,
                     rows.a + b * time * w + h * options_.key_dim, w, s);
    }
  }
  project(p, output, {rows.a, {x.shape.batch, time, w}, queries.lengths}, y.data, f);
  zero_padding(queries, d, y.data);
}

template <class S>
void MultiHeadAttention<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy,
                                     SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const Index d = in_channels_, w = width(), time = x.shape.time, all = x.shape.batch * time * w;
  Slices<S> saved(f.saved), scratch(f.scratch);
  const BackwardScratch s(scratch, x.shape, options_.key_dim, w);
  const Rows rows(saved, x.shape, options_.heads, w, f.mode);
  const SeqView<const S> queries = query_view(x);
  project_backward(output, {rows.a, {x.shape.batch, time, w}, queries.lengths}, dy.data, s.da, false, s, f, grads);
  for (S* gradient : {s.dq, s.dk, s.dv}) std::fill_n(gradient, all, S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    for (Index h = 0; h < options_.heads; ++h) {
      const Index at = b * time * w + h * options_.key_dim;
      attend_backward(rows.head(queries, x, b, h, options_.key_dim, w, f.precision), weights(f, x.shape, b, h), time,
                      s.da + at, w, s.dq + at, s.dk + at, s.dv + at, w, s.attention);
    }
  }
  project_backward(query, queries, s.dq, dx.data, false, s, f, grads);
  project_backward(key, x, s.dk, dx.data, true, s, f, grads);
  project_backward(value, x, s.dv, dx.data, true, s, f, grads);
  if (dx.data != nullptr) zero_padding(queries, d, dx.data);
}

template class MultiHeadAttention<float>;
template class MultiHeadAttention<double>;

}  // namespace serene
