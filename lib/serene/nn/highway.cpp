#include "serene/nn/highway.h"

#include <algorithm>

#include "serene/nn/sequence_ops.h"
#include "serene/nn/slices.h"

namespace serene {

// Where everything of one call lies; built again by every call.
template <class S>
struct Highway<S>::Layout {
  Layout(const Highway& block, Shape in, const Frame<S>& f) {
    const Plan inner = block.inner_.plan(in, f.mode), gating = block.gate_.plan(in, f.mode);
    out = inner.out;
    chain = gate = f;
    Slices<S> keep(f.saved), work(f.scratch);
    chain.saved = keep.take(inner.saved);
    gate.saved = keep.take(gating.saved);
    h = keep.take(in.size());
    g = keep.take(in.size());
    if (f.mode == Mode::training) {
      Slices<S>& passing = block.sync_.backward.points > 0 ? keep : work;  // found again in backward's next phase
      dh = passing.take(in.size());
      dg = work.take(in.size());
      d_in = passing.take(in.size());
    }
    chain.scratch = gate.scratch = work.take(std::max(inner.scratch, gating.scratch));
    if (f.packed != nullptr) gate.packed += part_size(block.inner_.packed_weights_size({f.mode, f.precision}));
    saved = keep.used();
    scratch = work.used();
  }

  Shape out;
  Frame<S> chain, gate;
  S *h, *g, *dh = nullptr, *dg = nullptr, *d_in = nullptr;
  Index saved, scratch;
};

template <class S>
Highway<S>::Highway(Index channels, std::vector<NamedLayer<S>> parts)
    : channels_(channels),
      inner_(std::move(parts), "highway"),
      sync_(inner_),
      gate_(channels, channels, Activation::sigmoid),
      gate_first_(static_cast<int>(inner_.parameters().size())) {}

template <class S>
std::vector<ParameterSpec> Highway<S>::parameters() const {
  std::vector<ParameterSpec> all = inner_.parameters();
  for (ParameterSpec spec : gate_.parameters()) {
    if (spec.name == "bias") spec.init = Init::minus_ones;
    spec.name = "gate." + spec.name;
    all.push_back(std::move(spec));
  }
  return all;
}

template <class S>
Plan Highway<S>::plan(Shape in, Mode mode) const {
  Frame<S> nowhere;
  nowhere.mode = mode;
  const Layout layout(*this, in, nowhere);
  if (layout.out != in)
    throw Error(ErrorCode::usage, "highway", "the inner layers change the shape")
        .expected(to_string(in))
        .got(to_string(layout.out))
        .hint("end with as many channels as come in, use padding \"same\" and return sequences");
  for (Index n = 0; n <= in.time; ++n) {
    if (inner_.out_length(n) == n) continue;
    throw Error(ErrorCode::usage, "highway", "the inner layers change the length of " + std::to_string(n) + " frames")
        .got(std::to_string(inner_.out_length(n)));
  }
  return {.out = in, .saved = layout.saved, .scratch = layout.scratch};
}

template <class S>
double Highway<S>::multiply_adds(Shape in) const {
  return inner_.multiply_adds(in) + gate_.multiply_adds(in) + static_cast<double>(2 * in.time * in.channels);
}

template <class S>
Index Highway<S>::packed_weights_size(const Packing& packing) const {
  return part_size(inner_.packed_weights_size(packing)) + gate_.packed_weights_size(packing);
}

template <class S>
void Highway<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  inner_.pack_weights(p, packing, packed);
  gate_.pack_weights(gate_params(p), packing, packed + part_size(inner_.packed_weights_size(packing)));
}

template <class S>
void Highway<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Layout at(*this, x.shape, f);
  PhaseWalk<S> walk(f);
  walk.enter(sync_.forward);
  inner_.forward(p, x, {at.h, x.shape, x.lengths}, walk.frame(at.chain));
  if (walk.stops()) return;
  gate_.forward(gate_params(p), x, {at.g, x.shape, x.lengths}, at.gate);
  for_valid_rows(x, [&](Index first, Index rows) {
    const Index begin = first * channels_, end = begin + rows * channels_;
    wide_loop([g = at.g, h = at.h, from = x.data, to = y.data, begin, end]() SERENE_WIDE {
#pragma GCC ivdep
      for (Index i = begin; i < end; ++i) to[i] = g[i] * h[i] + (S(1) - g[i]) * from[i];
    });
  });
  zero_padding(y, x);
}

template <class S>
void Highway<S>::backward_gate(Params<const S> p, SeqView<const S> x, SeqView<const S> dy, SeqView<S> dx,
                               const Layout& at, Params<S> grads) const noexcept {
  for_valid_rows(x, [&](Index first, Index rows) {
    const Index begin = first * channels_, end = begin + rows * channels_;
    wide_loop([g = at.g, h = at.h, dg = at.dg, dh = at.dh, from = x.data, d = dy.data, begin, end]() SERENE_WIDE {
#pragma GCC ivdep
      for (Index i = begin; i < end; ++i) {
        dg[i] = d[i] * (h[i] - from[i]);
        dh[i] = d[i] * g[i];
      }
    });
  });
  gate_.backward(gate_params(p), x, {at.g, x.shape, x.lengths}, {at.dg, x.shape, x.lengths}, dx, at.gate,
                 {grads.base, grads.offsets + gate_first_});
}

template <class S>
void Highway<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S>, SeqView<const S> dy, SeqView<S> dx,
                          const Frame<S>& f, Params<S> grads) const noexcept {
  const Layout at(*this, x.shape, f);
  PhaseWalk<S> walk(f);
  if (walk.enter({})) backward_gate(p, x, dy, dx, at, grads);
  const bool wanted = dx.data != nullptr;
  walk.enter(sync_.backward);
  inner_.backward(p, x, {at.h, x.shape, x.lengths}, {at.dh, x.shape, x.lengths},
                  {wanted ? at.d_in : nullptr, x.shape, x.lengths}, walk.frame(at.chain), grads);
  if (walk.stops() || !wanted) return;
  for_valid_rows(x, [&](Index first, Index rows) {
    const Index begin = first * channels_, end = begin + rows * channels_;
    wide_loop([g = at.g, d_in = at.d_in, d = dy.data, to = dx.data, begin, end]() SERENE_WIDE {
#pragma GCC ivdep
      for (Index i = begin; i < end; ++i) to[i] += d_in[i] + d[i] * (S(1) - g[i]);
    });
  });
}

template <class S>
void Highway<S>::commit(const Frame<S>& f, Params<S> params) const noexcept {
  inner_.commit(f, params);
}

template class Highway<float>;
template class Highway<double>;

}  // namespace serene
