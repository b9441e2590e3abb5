#include "serene/nn/gru.h"

#include "serene/core/gemm.h"
#include "serene/core/vector_math.h"

namespace serene {
namespace {

// One step of one sample: a (3U) holds x W and becomes z,r,n; s (3U) holds h R; q (U) is written; h becomes the new
// state.
template <class S>
void step_forward(Index u, const S* __restrict bias, S* __restrict a, const S* __restrict s, S* __restrict q,
                  S* __restrict h) noexcept {
  const S* d = bias + 3 * u;
  for (Index j = 0; j < 2 * u; ++j) a[j] += bias[j] + (s[j] + d[j]);
  vec_sigmoid(2 * u, a, a);
  S* n = a + 2 * u;
  for (Index j = 0; j < u; ++j) {
    q[j] = s[2 * u + j] + d[2 * u + j];
    n[j] += bias[2 * u + j] + a[u + j] * q[j];
  }
  vec_tanh(u, n, n);
  for (Index j = 0; j < u; ++j) h[j] = a[j] * h[j] + (1 - a[j]) * n[j];
}

// Its gradient: dh (U) is complete and becomes the part that goes straight to h_{t-1}; e and s (3U) are written.
template <class S>
void step_backward(Index u, const S* __restrict gates, const S* __restrict q, const S* __restrict h_prev,
                   S* __restrict dh, S* __restrict e, S* __restrict s) noexcept {
  for (Index j = 0; j < u; ++j) {
    const S z = gates[j], r = gates[u + j], n = gates[2 * u + j];
    const S e_n = dh[j] * (1 - z) * (1 - n * n);
    e[j] = s[j] = dh[j] * (h_prev[j] - n) * z * (1 - z);
    e[u + j] = s[u + j] = e_n * q[j] * r * (1 - r);
    e[2 * u + j] = e_n;
    s[2 * u + j] = e_n * r;
    dh[j] *= z;
  }
}

}  // namespace

// Kept from forward to backward, one row per frame.
template <class S>
struct Gru<S>::Saved {
  Saved(Slices<S>& slices, Shape in, Index u) {
    const Index rows = in.batch * in.time;
    gates = slices.take(rows * 3 * u);
    q = slices.take(rows * u);
    h_prev = slices.take(rows * u);
  }
  S *gates, *q, *h_prev;
};

template <class S>
struct Gru<S>::ForwardScratch {
  ForwardScratch(Slices<S>& slices, Shape in, Index u, Mode mode) {
    packed_kernel = slices.take(packed_size<S>(in.channels, 3 * u));
    packed_recurrent = slices.take(packed_size<S>(u, 3 * u));
    h = slices.take(in.batch * u);
    sums = slices.take(in.batch * 3 * u);
    q = slices.take(u);
    gates = mode == Mode::inference ? slices.take(in.batch * in.time * 3 * u) : nullptr;
  }
  S *packed_kernel, *packed_recurrent, *h, *sums, *q, *gates;
};

template <class S>
struct Gru<S>::BackwardScratch {
  BackwardScratch(Slices<S>& slices, Shape in, Index u) {
    const Index rows = in.batch * in.time;
    e = slices.take(rows * 3 * u);
    s = slices.take(rows * 3 * u);
    dh = slices.take(in.batch * u);
    sums = slices.take(3 * u);
    gathered = slices.take(rows * std::max(in.channels, u));
    packed_recurrent = slices.take(packed_size<S>(3 * u, u));
    packed_kernel = slices.take(packed_size<S>(3 * u, in.channels));
    packed_rows = slices.take(packed_size<S>(rows, 3 * u));
  }
  S *e, *s, *dh, *sums, *gathered, *packed_recurrent, *packed_kernel, *packed_rows;
};

template <class S>
Gru<S>::Gru(Index in_channels, RecurrentOptions options) : in_channels_(in_channels), options_(options) {
  recurrent::check_options("gru", in_channels, options);
}

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
  recurrent::check_input("gru", in_channels_, in);
  Slices<S> saved(nullptr), forward(nullptr), backward(nullptr);
  ForwardScratch(forward, in, options_.units, mode);
  if (mode == Mode::training) {
    Saved(saved, in, options_.units);
    BackwardScratch(backward, in, options_.units);
  }
  return {.out = {in.batch, options_.return_sequences ? in.time : 1, options_.units},
          .saved = saved.used(),
          .scratch = std::max(forward.used(), backward.used())};
}

template <class S>
double Gru<S>::multiply_adds(Shape in) const {
  const double u = static_cast<double>(options_.units);
  return static_cast<double>(in.time) * (3 * u * (static_cast<double>(in_channels_) + u) + 3 * u);
}

template <class S>
void Gru<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Index u = options_.units, batch = x.shape.batch, time = x.shape.time, in = in_channels_;
  const bool keep = f.mode == Mode::training;
  Slices<S> saved_slices(f.saved), scratch_slices(f.scratch);
  const ForwardScratch s(scratch_slices, x.shape, u, f.mode);
  const Saved saved(saved_slices, keep ? x.shape : Shape{}, u);
  S* gates = keep ? saved.gates : s.gates;

  pack(Trans::no, in, 3 * u, p[0], 3 * u, s.packed_kernel);
  for_valid_rows(x, [&](Index first, Index rows) {
    gemm_packed(Trans::no, rows, 3 * u, in, x.data + first * in, in, s.packed_kernel, false, gates + first * 3 * u,
                3 * u);
  });
  pack(Trans::no, u, 3 * u, p[1], 3 * u, s.packed_recurrent);
  std::fill_n(s.h, batch * u, S(0));
  recurrent::for_frames(options_.go_backwards, time, [&](Index t) {
    gemm_packed(Trans::no, batch, 3 * u, u, s.h, u, s.packed_recurrent, false, s.sums, 3 * u);
    for (Index b = 0; b < batch; ++b) {
      if (t >= x.length(b)) continue;
      const Index row = b * time + t;
      S* h = s.h + b * u;
      if (keep) std::copy_n(h, u, saved.h_prev + row * u);
      step_forward(u, p[2], gates + row * 3 * u, s.sums + b * 3 * u, keep ? saved.q + row * u : s.q, h);
      if (options_.return_sequences) std::copy_n(h, u, y.frame(b, t));
    }
  });
  recurrent::finish_output<S>(options_, x, s.h, y);
}

template <class S>
void Gru<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy, SeqView<S> dx,
                      const Frame<S>& f, Params<S> grads) const noexcept {
  const Index u = options_.units, in = in_channels_;
  Slices<S> saved_slices(f.saved), scratch_slices(f.scratch);
  const Saved saved(saved_slices, x.shape, u);
  const BackwardScratch s(scratch_slices, x.shape, u);
  pack(Trans::yes, 3 * u, u, p[1], 3 * u, s.packed_recurrent);
  walk_back(x, dy, saved, s);
  if (dx.data != nullptr) {
    pack(Trans::yes, 3 * u, in, p[0], 3 * u, s.packed_kernel);
    for_valid_rows(x, [&](Index first, Index rows) {
      gemm_packed(Trans::no, rows, in, 3 * u, s.e + first * 3 * u, 3 * u, s.packed_kernel, false, dx.data + first * in,
                  in);
    });
    zero_padding(x, in, dx.data);
  }
  add_parameter_gradients(x, saved.h_prev, s, grads);
}

// Fills e and s for all frames, the last visited frame first.
template <class S>
void Gru<S>::walk_back(SeqView<const S> x, SeqView<const S> dy, const Saved& saved,
                       const BackwardScratch& s) const noexcept {
  const Index u = options_.units, batch = x.shape.batch, time = x.shape.time;
  zero_padding(x, 3 * u, s.s);
  recurrent::start_state_gradient<S>(options_, x, dy, nullptr, s.dh);
  const Index later = recurrent::direction(options_);
  recurrent::for_frames(!options_.go_backwards, time, [&](Index t) {
    for (Index b = 0; b < batch && options_.return_sequences; ++b) {
      if (t >= x.length(b)) continue;
      for (Index j = 0; j < u; ++j) s.dh[b * u + j] += dy.frame(b, t)[j];
    }
    if (t + later >= 0 && t + later < time)
      gemm_packed(Trans::no, batch, u, 3 * u, s.s + (t + later) * 3 * u, time * 3 * u, s.packed_recurrent, true, s.dh,
                  u);
    for (Index b = 0; b < batch; ++b) {
      if (t >= x.length(b)) continue;
      const Index row = b * time + t;
      step_backward(u, saved.gates + row * 3 * u, saved.q + row * u, saved.h_prev + row * u, s.dh + b * u,
                    s.e + row * 3 * u, s.s + row * 3 * u);
    }
  });
}

// Destroys e and s where the batch is padded.
template <class S>
void Gru<S>::add_parameter_gradients(SeqView<const S> x, const S* h_prev, const BackwardScratch& s,
                                     Params<S> grads) const noexcept {
  const Index u = options_.units, in = in_channels_, rows = valid_rows(x);
  const S* e = gather_valid<S>(x, 3 * u, s.e, s.e);
  pack(Trans::no, rows, 3 * u, e, 3 * u, s.packed_rows);
  const S* inputs = gather_valid<S>(x, in, x.data, s.gathered);
  gemm_packed(Trans::yes, in, 3 * u, rows, inputs, in, s.packed_rows, true, grads[0], 3 * u);
  add_column_sums(rows, 3 * u, e, s.sums, grads[2]);
  const S* sums = gather_valid<S>(x, 3 * u, s.s, s.s);
  pack(Trans::no, rows, 3 * u, sums, 3 * u, s.packed_rows);
  const S* states = gather_valid<S>(x, u, h_prev, s.gathered);
  gemm_packed(Trans::yes, u, 3 * u, rows, states, u, s.packed_rows, true, grads[1], 3 * u);
  add_column_sums(rows, 3 * u, sums, s.sums, grads[2] + 3 * u);
}

template class Gru<float>;
template class Gru<double>;

}  // namespace serene
