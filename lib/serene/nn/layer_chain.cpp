#include "serene/nn/layer_chain.h"

#include <algorithm>
#include <utility>

#include "serene/nn/slices.h"

namespace serene {
namespace {

// Indices kept among scalars: part sizes are multiples of 16 scalars and blocks are 64-byte aligned, so they are
// aligned.
template <class S>
Index* take_indices(Slices<S>& slices, Index n) {
  return reinterpret_cast<Index*>(slices.take(n * static_cast<Index>(sizeof(Index) / sizeof(S))));
}

}  // namespace

// Where everything of one call lies. Built again by every call, from the shape; never throws for a shape that plan()
// took.
template <class S>
struct LayerChain<S>::Layout {
  Layout(const LayerChain& chain, Shape in, const Frame<S>& f)
      : saved(f.saved), scratch(f.scratch), packed(f.packed), count(chain.parts_.size()) {
    Shape shape = in;
    Index widest = 0, most_scratch = 0;
    for (std::size_t i = 0; i < count; ++i) {
      Stage& s = stages[i];
      s.layer = chain.parts_[i].layer.get();
      s.first_parameter = chain.first_parameters_[i];
      s.plan = s.layer->plan(shape, f.mode);
      s.packed = packed.take(s.layer->packed_weights_size({f.mode, f.precision}));
      s.saved = saved.take(s.plan.saved);
      shape = s.plan.out;
      most_scratch = std::max(most_scratch, s.plan.scratch);
      if (i + 1 == count) continue;
      s.out = saved.take(shape.size());
      s.lengths = take_indices(saved, shape.batch);
      widest = std::max(widest, shape.size());
    }
    if (f.mode == Mode::training) {
      for (S*& buffer : gradient) buffer = (chain.suspends_ ? saved : scratch).take(widest);
    }
    inner_scratch = scratch.take(most_scratch);
  }

  Frame<S> frame(std::size_t i, const Frame<S>& outer) const {
    Frame<S> f = outer;
    f.saved = stages[i].saved;
    f.packed = stages[i].packed;
    f.scratch = inner_scratch;
    f.key = inner_key(outer.key, i);
    return f;
  }

  // The output of part i < count - 1 for an input with the lengths given; writes its own lengths when `fresh`.
  SeqView<S> view(std::size_t i, const Index* in_lengths, bool fresh) const {
    const Stage& s = stages[i];
    if (in_lengths == nullptr) return {s.out, s.plan.out, nullptr};
    for (Index b = 0; fresh && b < s.plan.out.batch; ++b) s.lengths[b] = s.layer->out_length(in_lengths[b]);
    return {s.out, s.plan.out, s.lengths};
  }

  Slices<S> saved, scratch;
  Slices<const S> packed;
  std::size_t count;
  std::array<Stage, kMostParts> stages;
  S* gradient[2] = {nullptr, nullptr};
  S* inner_scratch = nullptr;
};

template <class S>
LayerChain<S>::LayerChain(std::vector<NamedLayer<S>> parts, std::string type)
    : parts_(std::move(parts)), type_(std::move(type)) {
  if (parts_.empty() || parts_.size() > kMostParts)
    throw Error(ErrorCode::usage, type_, "bad number of inner layers")
        .expected("1 to " + std::to_string(kMostParts))
        .got(std::to_string(parts_.size()));
  std::size_t total = 0;
  for (const NamedLayer<S>& part : parts_) {
    if (part.layer == nullptr) throw Error(ErrorCode::usage, type_, "inner layer " + part.name + " is missing");
    first_parameters_.push_back(static_cast<int>(total));
    total += part.layer->parameters().size();
    sync_.emplace_back(*part.layer);
    suspends_ = suspends_ || sync_.back().backward.points > 0;
  }
}

template <class S>
std::string LayerChain<S>::summary() const {
  std::string text;
  for (const NamedLayer<S>& part : parts_) text += (text.empty() ? "" : " > ") + part.layer->type();
  return text;
}

template <class S>
std::vector<ParameterSpec> LayerChain<S>::parameters() const {
  std::vector<ParameterSpec> all;
  for (const NamedLayer<S>& part : parts_) {
    for (ParameterSpec spec : part.layer->parameters()) {
      spec.name = part.name + "." + spec.name;
      all.push_back(std::move(spec));
    }
  }
  return all;
}

template <class S>
Plan LayerChain<S>::plan(Shape in, Mode mode) const {
  Frame<S> nowhere;
  nowhere.mode = mode;
  const Layout layout(*this, in, nowhere);
  return {
      .out = layout.stages[layout.count - 1].plan.out, .saved = layout.saved.used(), .scratch = layout.scratch.used()};
}

template <class S>
Index LayerChain<S>::out_length(Index n) const {
  for (const NamedLayer<S>& part : parts_) n = part.layer->out_length(n);
  return n;
}

template <class S>
std::vector<Index> LayerChain<S>::sync_points(Pass pass) const {
  std::vector<Index> all;
  const auto add = [&](const NamedLayer<S>& part) {
    for (Index sums : part.layer->sync_points(pass)) all.push_back(sums);
  };
  if (pass == Pass::forward) std::for_each(parts_.begin(), parts_.end(), add);
  if (pass == Pass::backward) std::for_each(parts_.rbegin(), parts_.rend(), add);
  return all;
}

template <class S>
double LayerChain<S>::multiply_adds(Shape in) const {
  double total = 0;
  for (const NamedLayer<S>& part : parts_) {
    total += part.layer->multiply_adds(in);
    in = part.layer->plan(in, Mode::inference).out;
  }
  return total;
}

template <class S>
Index LayerChain<S>::packed_weights_size(const Packing& packing) const {
  Index size = 0;
  for (const NamedLayer<S>& part : parts_) size += part_size(part.layer->packed_weights_size(packing));
  return size;
}

template <class S>
void LayerChain<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  Slices<S> slices(packed);
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Layer<S>& layer = *parts_[i].layer;
    layer.pack_weights({p.base, p.offsets + first_parameters_[i]}, packing,
                       slices.take(layer.packed_weights_size(packing)));
  }
}

template <class S>
void LayerChain<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Layout layout(*this, x.shape, f);
  PhaseWalk<S> walk(f);
  SeqView<const S> at = x;
  for (std::size_t i = 0; i < layout.count; ++i) {
    const Stage& s = layout.stages[i];
    const SeqView<S> out = i + 1 < layout.count ? layout.view(i, at.lengths, true) : y;
    if (walk.enter(sync_[i].forward)) {
      s.layer->forward({p.base, p.offsets + s.first_parameter}, at, out, walk.frame(layout.frame(i, f)));
      if (walk.stops()) return;
    }
    at = out;
  }
}

template <class S>
void LayerChain<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy,
                             SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const Layout layout(*this, x.shape, f);
  const auto input_of = [&](std::size_t i) -> SeqView<const S> {
    if (i == 0) return x;
    return layout.view(i - 1, x.lengths, false);
  };
  PhaseWalk<S> walk(f);
  SeqView<const S> out = y, d_out = dy;
  for (std::size_t i = layout.count; i-- > 0;) {
    const Stage& s = layout.stages[i];
    const SeqView<const S> in = input_of(i);
    const SeqView<S> d_in = i == 0 ? dx : SeqView<S>{layout.gradient[i % 2], in.shape, in.lengths};
    if (walk.enter(sync_[i].backward)) {
      s.layer->backward({p.base, p.offsets + s.first_parameter}, in, out, d_out, d_in, walk.frame(layout.frame(i, f)),
                        {grads.base, grads.offsets + s.first_parameter});
      if (walk.stops()) return;
    }
    out = in;
    d_out = d_in;
  }
}

template <class S>
void LayerChain<S>::commit(const Frame<S>& f, Params<S> params) const noexcept {
  Frame<S> part = f;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    parts_[i].layer->commit(part, {params.base, params.offsets + first_parameters_[i]});
    part.totals += sync_[i].forward.sums;
  }
}

template class LayerChain<float>;
template class LayerChain<double>;

}  // namespace serene
