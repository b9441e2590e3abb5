#include "serene/nn/lstm.h"

#include "serene/core/recurrent_kernels.h"

namespace serene {

// Kept from forward to backward, one row per frame. y holds the states, or `states` when y is the last one alone.
template <class S>
struct Lstm<S>::Saved {
  Saved(Slices<S>& slices, Shape in, const RecurrentOptions& o) {
    const Index rows = in.batch * in.time, u = o.units;
    gates = slices.take(rows * 4 * u);
    c_prev = slices.take(rows * u);
    tanh_c = slices.take(rows * u);
    initial_h = slices.take(in.batch * u);
    states = o.return_sequences ? nullptr : slices.take(rows * u);
  }
  S *gates, *c_prev, *tanh_c, *initial_h, *states;
};

template <class S>
struct Lstm<S>::ForwardScratch {
  ForwardScratch(Slices<S>& slices, Shape in, Index u, Mode mode) {
    h = slices.take(in.batch * u);
    c = slices.take(in.batch * u);
    tanh_c = slices.take(u);
    gates = mode == Mode::inference ? slices.take(in.batch * in.time * 4 * u) : nullptr;
  }
  S *h, *c, *tanh_c, *gates;
};

template <class S>
struct Lstm<S>::BackwardScratch {
  BackwardScratch(Slices<S>& slices, Shape in, Index u)
      : da(slices.take(in.batch * in.time * 4 * u)),
        dh(slices.take(in.batch * u)),
        dc(slices.take(in.batch * u)),
        h_prev(slices.take(in.batch * in.time * u)),
        product(slices, in.batch * in.time, std::max(in.channels, u), 4 * u) {}
  S *da, *dh, *dc, *h_prev;
  ProductScratch<S> product;
};

template <class S>
Lstm<S>::Lstm(Index in_channels, RecurrentOptions options) : RecurrentLayer<S>("lstm", 4, in_channels, options) {}

template <class S>
std::vector<ParameterSpec> Lstm<S>::parameters() const {
  const Index u = options_.units;
  return {{.name = "kernel",
           .shape = {in_channels_, 4 * u},
           .init = Init::glorot_uniform,
           .fan_in = in_channels_,
           .fan_out = 4 * u},
          {.name = "recurrent", .shape = {u, 4 * u}, .init = Init::orthogonal, .fan_in = u, .fan_out = 4 * u},
          {.name = "bias", .shape = {4 * u}, .init = Init::lstm_bias, .decay = false}};
}

template <class S>
Plan Lstm<S>::plan(Shape in, Mode mode) const {
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
void Lstm<S>::forward_from(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f,
                           LstmState<const S> initial, LstmState<S> final) const noexcept {
  const Index u = options_.units, batch = x.shape.batch, time = x.shape.time;
  const bool keep = f.mode == Mode::training;
  Slices<S> saved_slices(f.saved), scratch_slices(f.scratch);
  const ForwardScratch s(scratch_slices, x.shape, u, f.mode);
  const Saved saved(saved_slices, keep ? x.shape : Shape{}, options_);
  const PackedRecurrent<const S> weights = this->packed_weights(f);
  S* gates = keep ? saved.gates : s.gates;

  this->project(x, weights, p[2], gates);
  zero_padding(x, 4 * u, gates);
  recurrent::copy_or_zero(batch * u, initial.h, s.h);
  recurrent::copy_or_zero(batch * u, initial.c, s.c);
  if (keep) std::copy_n(s.h, batch * u, saved.initial_h);
  const auto at_step = [&](Index t) {
    gemm_packed(Trans::no, batch, 4 * u, u, s.h, u, weights.recurrent, true, gates + t * 4 * u, time * 4 * u);
  };
  recurrent::walk(options_.go_backwards, x, at_step, [&](Index b, Index t) {
    const Index row = b * time + t;
    S *h = s.h + b * u, *c = s.c + b * u;
    if (keep) std::copy_n(c, u, saved.c_prev + row * u);
    lstm_step_forward<S>(u, nullptr, gates + row * 4 * u, c, keep ? saved.tanh_c + row * u : s.tanh_c, h);
    if (options_.return_sequences) std::copy_n(h, u, y.frame(b, t));
    else if (keep) std::copy_n(h, u, saved.states + row * u);
  });
  this->finish_output(x, s.h, y);
  if (final.h != nullptr) std::copy_n(s.h, batch * u, final.h);
  if (final.c != nullptr) std::copy_n(s.c, batch * u, final.c);
}

template <class S>
void Lstm<S>::backward_from(SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                            const Frame<S>& f, Params<S> grads, LstmState<const S> d_final,
                            LstmState<S> d_initial) const noexcept {
  const Index u = options_.units, batch = x.shape.batch, time = x.shape.time;
  Slices<S> saved_slices(f.saved), scratch_slices(f.scratch);
  const Saved saved(saved_slices, x.shape, options_);
  const BackwardScratch s(scratch_slices, x.shape, u);
  const PackedRecurrent<const S> weights = this->packed_weights(f);
  zero_padding(x, 4 * u, s.da);
  this->start_state_gradient(x, dy, d_final.h, s.dh);
  recurrent::copy_or_zero(batch * u, d_final.c, s.dc);

  const auto at_step = [&](Index t) { this->add_later_gradients(x, dy, t, s.da, weights, s.dh); };
  recurrent::walk(!options_.go_backwards, x, at_step, [&](Index b, Index t) {
    const Index row = b * time + t;
    lstm_step_backward<S>(u, saved.gates + row * 4 * u, saved.c_prev + row * u, saved.tanh_c + row * u, s.dh + b * u,
                          s.dc + b * u, s.da + row * 4 * u);
    std::fill_n(s.dh + b * u, u, S(0));  // the earlier state gets its gradient through da alone
  });

  if (d_initial.c != nullptr) std::copy_n(s.dc, batch * u, d_initial.c);
  if (d_initial.h != nullptr) {
    std::copy_n(s.dh, batch * u, d_initial.h);
    for (Index b = 0; b < batch; ++b) {
      if (x.length(b) == 0) continue;
      const S* da = s.da + (b * time + recurrent::first_frame(options_, x.length(b))) * 4 * u;
      gemm_packed(Trans::no, 1, u, 4 * u, da, 4 * u, weights.recurrent_back, true, d_initial.h + b * u, u);
    }
  }
  dx.lengths = x.lengths;
  this->input_gradient(weights, s.da, dx);
  this->previous_states(x, saved.states != nullptr ? saved.states : y.data, saved.initial_h, s.h_prev);
  add_products<S>(x, {{in_channels_, x.data, grads[0]}, {u, s.h_prev, grads[1]}}, 4 * u, s.da, grads[2], s.product,
                  f.precision);
}

template class Lstm<float>;
template class Lstm<double>;

}  // namespace serene
