#include "serene/nn/lstm.h"

#include "serene/core/gemm.h"
#include "serene/core/vector_math.h"
#include "serene/core/wide_loop.h"

namespace serene {
namespace {

// One step of one sample: z (4U) holds x W + h R and becomes the gates; c and h become the new state, tanh_c its tanh.
template <class S>
void step_forward(Index u, const S* __restrict bias, S* __restrict z, S* __restrict c, S* __restrict tanh_c,
                  S* __restrict h) noexcept {
  wide_loop([&]() SERENE_WIDE {
    for (Index j = 0; j < 4 * u; ++j) z[j] += bias[j];
  });
  vec_sigmoid(2 * u, z, z);
  vec_tanh(u, z + 2 * u, z + 2 * u);
  vec_sigmoid(u, z + 3 * u, z + 3 * u);
  wide_loop([&]() SERENE_WIDE {
    for (Index j = 0; j < u; ++j) c[j] = z[u + j] * c[j] + z[j] * z[2 * u + j];
  });
  vec_tanh(u, c, tanh_c);
  wide_loop([&]() SERENE_WIDE {
    for (Index j = 0; j < u; ++j) h[j] = z[3 * u + j] * tanh_c[j];
  });
}

// Its gradient: dh (U) is complete, dc (U) holds the gradient from later steps and becomes that for earlier ones, da
// (4U) is written.
template <class S>
void step_backward(Index u, const S* __restrict gates, const S* __restrict c_prev, const S* __restrict tanh_c,
                   const S* __restrict dh, S* __restrict dc, S* __restrict da) noexcept {
  wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
    for (Index j = 0; j < u; ++j) {
      const S i = gates[j], f = gates[u + j], g = gates[2 * u + j], o = gates[3 * u + j];
      const S dcj = dc[j] + dh[j] * o * (1 - tanh_c[j] * tanh_c[j]);
      da[j] = dcj * g * i * (1 - i);
      da[u + j] = dcj * c_prev[j] * f * (1 - f);
      da[2 * u + j] = dcj * i * (1 - g * g);
      da[3 * u + j] = dh[j] * tanh_c[j] * o * (1 - o);
      dc[j] = dcj * f;
    }
  });
}

}  // namespace

// Kept from forward to backward, one row per frame.
template <class S>
struct Lstm<S>::Saved {
  Saved(Slices<S>& slices, Shape in, Index u) {
    const Index rows = in.batch * in.time;
    gates = slices.take(rows * 4 * u);
    c_prev = slices.take(rows * u);
    h_prev = slices.take(rows * u);
    tanh_c = slices.take(rows * u);
  }
  S *gates, *c_prev, *h_prev, *tanh_c;
};

template <class S>
struct Lstm<S>::ForwardScratch {
  ForwardScratch(Slices<S>& slices, Shape in, Index u, Mode mode) {
    packed_kernel = slices.take(packed_size<S>(in.channels, 4 * u));
    packed_recurrent = slices.take(packed_size<S>(u, 4 * u));
    h = slices.take(in.batch * u);
    c = slices.take(in.batch * u);
    tanh_c = slices.take(u);
    gates = mode == Mode::inference ? slices.take(in.batch * in.time * 4 * u) : nullptr;
  }
  S *packed_kernel, *packed_recurrent, *h, *c, *tanh_c, *gates;
};

template <class S>
struct Lstm<S>::BackwardScratch {
  BackwardScratch(Slices<S>& slices, Shape in, Index u) {
    const Index rows = in.batch * in.time;
    da = slices.take(rows * 4 * u);
    dh = slices.take(in.batch * u);
    dc = slices.take(in.batch * u);
    sums = slices.take(4 * u);
    gathered = slices.take(rows * std::max(in.channels, u));
    packed_recurrent = slices.take(packed_size<S>(4 * u, u));
    packed_kernel = slices.take(packed_size<S>(4 * u, in.channels));
    packed_da = slices.take(packed_size<S>(rows, 4 * u));
  }
  S *da, *dh, *dc, *sums, *gathered, *packed_recurrent, *packed_kernel, *packed_da;
};

template <class S>
Lstm<S>::Lstm(Index in_channels, RecurrentOptions options) : in_channels_(in_channels), options_(options) {
  recurrent::check_options("lstm", in_channels, options);
}

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
  recurrent::check_input("lstm", in_channels_, in);
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
double Lstm<S>::multiply_adds(Shape in) const {
  const double u = static_cast<double>(options_.units);
  return static_cast<double>(in.time) * (4 * u * (static_cast<double>(in_channels_) + u) + 3 * u);
}

template <class S>
void Lstm<S>::forward_from(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f,
                           LstmState<const S> initial, LstmState<S> final) const noexcept {
  const Index u = options_.units, batch = x.shape.batch, time = x.shape.time, in = in_channels_;
  const bool keep = f.mode == Mode::training;
  Slices<S> saved_slices(f.saved), scratch_slices(f.scratch);
  const ForwardScratch s(scratch_slices, x.shape, u, f.mode);
  const Saved saved(saved_slices, keep ? x.shape : Shape{}, u);
  S* gates = keep ? saved.gates : s.gates;

  pack(Trans::no, in, 4 * u, p[0], 4 * u, s.packed_kernel);
  for_valid_rows(x, [&](Index first, Index rows) {
    gemm_packed(Trans::no, rows, 4 * u, in, x.data + first * in, in, s.packed_kernel, false, gates + first * 4 * u,
                4 * u);
  });
  zero_padding(x, 4 * u, gates);
  pack(Trans::no, u, 4 * u, p[1], 4 * u, s.packed_recurrent);
  recurrent::copy_or_zero(batch * u, initial.h, s.h);
  recurrent::copy_or_zero(batch * u, initial.c, s.c);
  recurrent::for_frames(options_.go_backwards, longest_sample(x), [&](Index t) {
    gemm_packed(Trans::no, batch, 4 * u, u, s.h, u, s.packed_recurrent, true, gates + t * 4 * u, time * 4 * u);
    for (Index b = 0; b < batch; ++b) {
      if (t >= x.length(b)) continue;
      const Index row = b * time + t;
      S* h = s.h + b * u;
      S* c = s.c + b * u;
      if (keep) {
        std::copy_n(h, u, saved.h_prev + row * u);
        std::copy_n(c, u, saved.c_prev + row * u);
      }
      step_forward(u, p[2], gates + row * 4 * u, c, keep ? saved.tanh_c + row * u : s.tanh_c, h);
      if (options_.return_sequences) std::copy_n(h, u, y.frame(b, t));
    }
  });
  recurrent::finish_output<S>(options_, x, s.h, y);
  if (final.h != nullptr) std::copy_n(s.h, batch * u, final.h);
  if (final.c != nullptr) std::copy_n(s.c, batch * u, final.c);
}

template <class S>
void Lstm<S>::backward_from(Params<const S> p, SeqView<const S> x, SeqView<const S> dy, SeqView<S> dx,
                            const Frame<S>& f, Params<S> grads, LstmState<const S> d_final,
                            LstmState<S> d_initial) const noexcept {
  const Index u = options_.units, batch = x.shape.batch, time = x.shape.time, in = in_channels_;
  Slices<S> saved_slices(f.saved), scratch_slices(f.scratch);
  const Saved saved(saved_slices, x.shape, u);
  const BackwardScratch s(scratch_slices, x.shape, u);
  pack(Trans::yes, 4 * u, u, p[1], 4 * u, s.packed_recurrent);
  zero_padding(x, 4 * u, s.da);
  recurrent::start_state_gradient(options_, x, dy, d_final.h, s.dh);
  recurrent::copy_or_zero(batch * u, d_final.c, s.dc);

  const Index later = recurrent::direction(options_), longest = longest_sample(x);
  recurrent::for_frames(!options_.go_backwards, longest, [&](Index t) {
    for (Index b = 0; b < batch; ++b) {
      // The gradient of the final state waits in dh for the sample's last visited frame; earlier ones begin from dy.
      if (t >= x.length(b)) continue;
      S* dh = s.dh + b * u;
      const bool last = options_.go_backwards ? t == 0 : t + 1 == x.length(b);
      if (!options_.return_sequences) {
        if (!last) std::fill_n(dh, u, S(0));
      } else if (last) {
        for (Index j = 0; j < u; ++j) dh[j] += dy.frame(b, t)[j];
      } else {
        std::copy_n(dy.frame(b, t), u, dh);
      }
    }
    if (t + later >= 0 && t + later < longest)
      gemm_packed(Trans::no, batch, u, 4 * u, s.da + (t + later) * 4 * u, time * 4 * u, s.packed_recurrent, true, s.dh,
                  u);
    for (Index b = 0; b < batch; ++b) {
      if (t >= x.length(b)) continue;
      const Index row = b * time + t;
      step_backward(u, saved.gates + row * 4 * u, saved.c_prev + row * u, saved.tanh_c + row * u, s.dh + b * u,
                    s.dc + b * u, s.da + row * 4 * u);
    }
  });

  if (d_initial.c != nullptr) std::copy_n(s.dc, batch * u, d_initial.c);
  for (Index b = 0; b < batch && d_initial.h != nullptr; ++b) {
    S* dh = d_initial.h + b * u;
    if (x.length(b) == 0) {
      std::copy_n(s.dh + b * u, u, dh);
    } else {
      const S* da = s.da + (b * time + recurrent::first_frame(options_, x.length(b))) * 4 * u;
      gemm_packed(Trans::no, 1, u, 4 * u, da, 4 * u, s.packed_recurrent, false, dh, u);
    }
  }
  if (dx.data != nullptr) {
    pack(Trans::yes, 4 * u, in, p[0], 4 * u, s.packed_kernel);
    for_valid_rows(x, [&](Index first, Index rows) {
      gemm_packed(Trans::no, rows, in, 4 * u, s.da + first * 4 * u, 4 * u, s.packed_kernel, false, dx.data + first * in,
                  in);
    });
    zero_padding(x, in, dx.data);
  }
  add_parameter_gradients(x, saved.h_prev, s, grads);
}

// Destroys da where the batch is padded.
template <class S>
void Lstm<S>::add_parameter_gradients(SeqView<const S> x, const S* h_prev, const BackwardScratch& s,
                                      Params<S> grads) const noexcept {
  const Index u = options_.units, in = in_channels_, rows = valid_rows(x);
  const S* da = gather_valid<S>(x, 4 * u, s.da, s.da);
  pack(Trans::no, rows, 4 * u, da, 4 * u, s.packed_da);
  const S* inputs = gather_valid<S>(x, in, x.data, s.gathered);
  gemm_packed(Trans::yes, in, 4 * u, rows, inputs, in, s.packed_da, true, grads[0], 4 * u);
  const S* states = gather_valid<S>(x, u, h_prev, s.gathered);
  gemm_packed(Trans::yes, u, 4 * u, rows, states, u, s.packed_da, true, grads[1], 4 * u);
  add_column_sums(rows, 4 * u, da, s.sums, grads[2]);
}

template class Lstm<float>;
template class Lstm<double>;

}  // namespace serene
