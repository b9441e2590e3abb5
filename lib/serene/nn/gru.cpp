#include "serene/nn/gru.h"

#include "serene/core/vector_math.h"

namespace serene {
namespace {

// One step of one sample: a (3U) holds x W + b and becomes z,r,n; s (3U) holds h R + d; q (U) is written; h becomes the
// new state.
template <class S>
void step_forward(Index u, S* __restrict a, const S* __restrict s, S* __restrict q, S* __restrict h) noexcept {
  S* n = a + 2 * u;
  wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
    for (Index j = 0; j < 2 * u; ++j) a[j] += s[j];
  });
  vec_sigmoid(2 * u, a, a);
  wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
    for (Index j = 0; j < u; ++j) {
      q[j] = s[2 * u + j];
      n[j] += a[u + j] * q[j];
    }
  });
  vec_tanh(u, n, n);
  wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
    for (Index j = 0; j < u; ++j) h[j] = a[j] * h[j] + (1 - a[j]) * n[j];
  });
}

// Its gradient: dh (U) is complete and becomes the part that goes straight to h_{t-1}; e and s (3U) are written.
template <class S>
void step_backward(Index u, const S* __restrict gates, const S* __restrict q, const S* __restrict h_prev,
                   S* __restrict dh, S* __restrict e, S* __restrict s) noexcept {
  wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
    for (Index j = 0; j < u; ++j) {
      const S z = gates[j], r = gates[u + j], n = gates[2 * u + j];
      const S e_n = dh[j] * (1 - z) * (1 - n * n);
      e[j] = s[j] = dh[j] * (h_prev[j] - n) * z * (1 - z);
      e[u + j] = s[u + j] = e_n * q[j] * r * (1 - r);
      e[2 * u + j] = e_n;
      s[2 * u + j] = e_n * r;
      dh[j] *= z;
    }
  });
}

}  // namespace

// Kept from forward to backward, one row per frame. y holds the states, or `states` when y is the last one alone.
template <class S>
struct Gru<S>::Saved {
  Saved(Slices<S>& slices, Shape in, const RecurrentOptions& o) {
    const Index rows = in.batch * in.time;
    gates = slices.take(rows * 3 * o.units);
    q = slices.take(rows * o.units);
    states = o.return_sequences ? nullptr : slices.take(rows * o.units);
  }
  S *gates, *q, *states;
};

template <class S>
struct Gru<S>::ForwardScratch {
  ForwardScratch(Slices<S>& slices, Shape in, Index u, Mode mode) {
    h = slices.take(in.batch * u);
    sums = slices.take(in.batch * 3 * u);
    q = slices.take(u);
    gates = mode == Mode::inference ? slices.take(in.batch * in.time * 3 * u) : nullptr;
  }
  S *h, *sums, *q, *gates;
};

template <class S>
struct Gru<S>::BackwardScratch {
  BackwardScratch(Slices<S>& slices, Shape in, Index u)
      : e(slices.take(in.batch * in.time * 3 * u)),
        s(slices.take(in.batch * in.time * 3 * u)),
        dh(slices.take(in.batch * u)),
        h_prev(slices.take(in.batch * in.time * u)),
        product(slices, in.batch * in.time, std::max(in.channels, u), 3 * u) {}
  S *e, *s, *dh, *h_prev;
  ProductScratch<S> product;
};

template <class S>
Gru<S>::Gru(Index in_channels, RecurrentOptions options) : RecurrentLayer<S>("gru", 3, in_channels, options) {}

template <class S>
std::vector<ParameterSpec> Gru<S>::parameters() const {
  const Index u = options_.units;
  return {{.name = "kernel",
           .shape = {in_channels_, 3 * u},
           .init = Init::glorot_uniform,
           .fan_in = in_channels_,
           .fan_out = 3 * u},
          {.name = "recurrent", .shape = {u, 3 * u}, .init = Init::orthogonal, .fan_in = u, .fan_out = 3 * u},
          {.name = "bias", .shape = {2, 3 * u}, .init = Init::zeros, .decay = false}};
}

template <class S>
Plan Gru<S>::plan(Shape in, Mode mode) const {
  const Shape out = this->out_shape(in);
  Slices<S> saved(nullptr), forward(nullptr), backward(nullptr);
  ForwardScratch(forward, in, options_.units, mode);
  if (mode == Mode::training) {
    Saved(saved, in, options_);
    BackwardScratch(backward, in, options_.units);
  }
  return {.out = out, .saved = saved.used(), .scratch = std::max(forward.used(), backward.used())};
}

template <class S>
void Gru<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Index u = options_.units, batch = x.shape.batch, time = x.shape.time;
  const bool keep = f.mode == Mode::training;
  Slices<S> saved_slices(f.saved), scratch_slices(f.scratch);
  const ForwardScratch s(scratch_slices, x.shape, u, f.mode);
  const Saved saved(saved_slices, keep ? x.shape : Shape{}, options_);
  const PackedRecurrent<const S> weights = this->packed_weights(f);
  S* gates = keep ? saved.gates : s.gates;

  this->project(x, weights, p[2], gates);
  std::fill_n(s.h, batch * u, S(0));
  const Epilogue<S> bias{.bias = p[2] + 3 * u};
  const auto at_step = [&](Index) {
    gemm_packed(Trans::no, batch, 3 * u, u, s.h, u, weights.recurrent, false, s.sums, 3 * u, bias);
  };
  recurrent::walk(options_.go_backwards, x, at_step, [&](Index b, Index t) {
    const Index row = b * time + t;
    S* h = s.h + b * u;
    step_forward(u, gates + row * 3 * u, s.sums + b * 3 * u, keep ? saved.q + row * u : s.q, h);
    if (options_.return_sequences) std::copy_n(h, u, y.frame(b, t));
    else if (keep) std::copy_n(h, u, saved.states + row * u);
  });
  this->finish_output(x, s.h, y);
}

template <class S>
void Gru<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                      const Frame<S>& f, Params<S> grads) const noexcept {
  const Index u = options_.units, time = x.shape.time;
  Slices<S> saved_slices(f.saved), scratch_slices(f.scratch);
  const Saved saved(saved_slices, x.shape, options_);
  const BackwardScratch s(scratch_slices, x.shape, u);
  const PackedRecurrent<const S> weights = this->packed_weights(f);
  this->previous_states(x, saved.states != nullptr ? saved.states : y.data, nullptr, s.h_prev);
  zero_padding(x, 3 * u, s.s);
  this->start_state_gradient(x, dy, nullptr, s.dh);
  const auto at_step = [&](Index t) { this->add_later_gradients(x, dy, t, s.s, weights, s.dh); };
  recurrent::walk(!options_.go_backwards, x, at_step, [&](Index b, Index t) {
    const Index row = b * time + t;
    step_backward(u, saved.gates + row * 3 * u, saved.q + row * u, s.h_prev + row * u, s.dh + b * u, s.e + row * 3 * u,
                  s.s + row * 3 * u);
  });
  dx.lengths = x.lengths;
  this->input_gradient(weights, s.e, dx);
  add_products<S>(x, {{in_channels_, x.data, grads[0]}}, 3 * u, s.e, grads[2], s.product, f.precision);
  add_products<S>(x, {{u, s.h_prev, grads[1]}}, 3 * u, s.s, grads[2] + 3 * u, s.product, f.precision);
}

template class Gru<float>;
template class Gru<double>;

}  // namespace serene
