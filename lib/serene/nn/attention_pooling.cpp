#include "serene/nn/attention_pooling.h"

#include <cmath>

#include "serene/nn/products.h"
#include "serene/nn/softmax.h"

namespace serene {
namespace {

constexpr double kVarianceFloor = 1e-12;

// mu += sum of a_t x_t over the frames of one sample.
template <class S>
void weighted_mean(Index frames, Index channels, const S* a, const S* x, S* mu) noexcept {
  for (Index t = 0; t < frames; ++t)
    for (Index c = 0; c < channels; ++c) mu[c] += a[t] * x[t * channels + c];
}

// sigma (zero at the start) becomes the standard deviation around mu.
template <class S>
void weighted_deviation(Index frames, Index channels, const S* a, const S* x, const S* mu, S* sigma) noexcept {
  for (Index t = 0; t < frames; ++t) {
    for (Index c = 0; c < channels; ++c) {
      const S d = x[t * channels + c] - mu[c];
      sigma[c] += a[t] * d * d;
    }
  }
  for (Index c = 0; c < channels; ++c) sigma[c] = std::sqrt(std::max(sigma[c], static_cast<S>(kVarianceFloor)));
}

}  // namespace

// What forward makes: the weights a first (see weights()), then u.
template <class S>
struct AttentionPooling<S>::Rows {
  Rows(Slices<S>& slices, Shape in, Index units) {
    a = slices.take(in.batch * in.time);
    u = slices.take(in.batch * in.time * units);
  }
  S *a, *u;
};

template <class S>
struct AttentionPooling<S>::BackwardScratch {
  BackwardScratch(Slices<S>& slices, Shape in, Index units)
      : de(slices.take(in.batch * in.time)),
        dz(slices.take(in.batch * in.time * units)),
        w(slices.take(in.channels)),
        sums(slices.take(units)),
        product(slices, in.batch * in.time, in.channels, units) {}
  S *de, *dz, *w, *sums;
  ProductScratch<S> product;
};

template <class S>
AttentionPooling<S>::AttentionPooling(Index in_channels, Index units, bool statistics)
    : in_channels_(in_channels), units_(units), statistics_(statistics) {
  if (in_channels < 1 || units < 1)
    throw Error(ErrorCode::usage, "attention pooling", "channels and attention units must be positive")
        .got(std::to_string(in_channels) + ", " + std::to_string(units));
}

template <class S>
std::vector<ParameterSpec> AttentionPooling<S>::parameters() const {
  return {{.name = "W",
           .shape = {in_channels_, units_},
           .init = Init::glorot_uniform,
           .fan_in = in_channels_,
           .fan_out = units_},
          {.name = "b", .shape = {units_}, .decay = false},
          {.name = "v", .shape = {units_}, .init = Init::glorot_uniform, .fan_in = units_, .fan_out = 1}};
}

template <class S>
Plan AttentionPooling<S>::plan(Shape in, Mode mode) const {
  if (in.channels != in_channels_)
    throw Error(ErrorCode::usage, this->type(), "wrong number of input channels")
        .expected(std::to_string(in_channels_))
        .got(to_string(in));
  Slices<S> rows(nullptr), backward(nullptr);
  Rows(rows, in, units_);
  const Shape out{in.batch, 1, statistics_ ? 2 * in.channels : in.channels};
  if (mode == Mode::inference) return {.out = out, .saved = 0, .scratch = rows.used()};
  BackwardScratch(backward, in, units_);
  return {.out = out, .saved = rows.used(), .scratch = backward.used()};
}

template <class S>
double AttentionPooling<S>::multiply_adds(Shape in) const {
  const double units = static_cast<double>(units_), channels = static_cast<double>(in_channels_);
  return static_cast<double>(in.time) * (units * (channels + 1) + (statistics_ ? 2 : 1) * channels);
}

template <class S>
Index AttentionPooling<S>::packed_weights_size(const Packing& packing) const {
  const Index backward =
      packing.mode == Mode::training ? part_size(packed_size<S>(units_, in_channels_, packing.precision)) : 0;
  return part_size(packed_size<S>(in_channels_, units_, packing.precision)) + backward;
}

template <class S>
void AttentionPooling<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  Slices<S> slices(packed);
  pack(Trans::no, in_channels_, units_, p[0], units_,
       slices.take(packed_size<S>(in_channels_, units_, packing.precision)), packing.precision);
  if (packing.mode != Mode::training) return;
  pack(Trans::yes, units_, in_channels_, p[0], units_,
       slices.take(packed_size<S>(units_, in_channels_, packing.precision)), packing.precision);
}

template <class S>
void AttentionPooling<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y,
                                  const Frame<S>& f) const noexcept {
  const Index channels = in_channels_, time = x.shape.time;
  Slices<S> slices(f.mode == Mode::training ? f.saved : f.scratch);
  const Rows rows(slices, x.shape, units_);
  const Epilogue<S> bias{.bias = p[1]};
  std::fill_n(rows.a, x.shape.batch * time, S(0));
  std::fill_n(y.data, y.shape.size(), S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index length = x.length(b);
    S* u = rows.u + b * time * units_;
    S* a = rows.a + b * time;
    gemm_packed(Trans::no, length, units_, channels, x.sample(b), channels, f.packed, false, u, units_, bias);
    vec_tanh(length * units_, u, u);
    for (Index t = 0; t < length; ++t)
      a[t] =
          static_cast<S>(sum_over(units_, [&](Index j) { return static_cast<double>(u[t * units_ + j]) * p[2][j]; }));
    softmax_row(length, S(1), a);
    if (length == 0) continue;
    weighted_mean(length, channels, a, x.sample(b), y.sample(b));
    if (statistics_) weighted_deviation(length, channels, a, x.sample(b), y.sample(b), y.sample(b) + channels);
  }
}

template <class S>
void AttentionPooling<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy,
                                   SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const Index channels = in_channels_, time = x.shape.time;
  Slices<S> saved(f.saved), scratch(f.scratch);
  const BackwardScratch s(scratch, x.shape, units_);
  const Rows kept(saved, x.shape, units_);
  pool_backward(x, y, dy, dx, kept, s);
  std::fill_n(s.sums, units_, S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    for (Index r = b * time; r < b * time + x.length(b); ++r) {
      for (Index j = 0; j < units_; ++j) {
        const S u = kept.u[r * units_ + j];
        s.sums[j] += s.de[r] * u;
        s.dz[r * units_ + j] = s.de[r] * p[2][j] * (1 - u * u);
      }
    }
  }
  for (Index j = 0; j < units_; ++j) grads[2][j] += s.sums[j];
  if (dx.data != nullptr) {
    const S* transposed = f.packed + part_size(packed_size<S>(channels, units_, f.precision));
    for_valid_rows(x, [&](Index first, Index n) {
      gemm_packed(Trans::no, n, channels, units_, s.dz + first * units_, units_, transposed, true,
                  dx.data + first * channels, channels);
    });
  }
  add_products<S>(x, {{channels, x.data, grads[0]}}, units_, s.dz, grads[1], s.product, f.precision);
}

// Through the weighted sums: de, and the part of dx that does not pass the scores.
template <class S>
void AttentionPooling<S>::pool_backward(SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                                        const Rows& rows, const BackwardScratch& s) const noexcept {
  const Index channels = in_channels_, time = x.shape.time;
  if (dx.data != nullptr) std::fill_n(dx.data, dx.shape.size(), S(0));
  std::fill_n(s.w, channels, S(0));
  for (Index b = 0; b < x.shape.batch; ++b) {
    const S *mu = y.sample(b), *g = dy.sample(b), *a = rows.a + b * time;
    S* de = s.de + b * time;
    const S floor = std::sqrt(static_cast<S>(kVarianceFloor));
    for (Index c = 0; c < channels && statistics_; ++c) {
      const S sigma = mu[channels + c];
      s.w[c] = sigma > floor ? g[channels + c] / (2 * sigma) : S(0);
    }
    for (Index t = 0; t < x.length(b); ++t) {
      const S* row = x.frame(b, t);
      de[t] = static_cast<S>(sum_over(channels, [&](Index c) {
        const double d = static_cast<double>(row[c]) - static_cast<double>(mu[c]);
        return static_cast<double>(g[c]) * static_cast<double>(row[c]) + static_cast<double>(s.w[c]) * d * d;
      }));
      for (Index c = 0; c < channels && dx.data != nullptr; ++c)
        dx.frame(b, t)[c] = a[t] * (g[c] + 2 * s.w[c] * (row[c] - mu[c]));
    }
    softmax_row_backward(x.length(b), S(1), a, de, de);
  }
}

template class AttentionPooling<float>;
template class AttentionPooling<double>;

}  // namespace serene
