#include "serene/nn/residual.h"

#include <algorithm>

#include "serene/nn/conv1d.h"
#include "serene/nn/sequence_ops.h"

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
struct Residual<S>::Layout {
  // commit() has no shape: forward leaves it at the head of `saved`.
  static Shape& shape_in(S* saved) { return *reinterpret_cast<Shape*>(saved); }

  Layout(const Residual& r, Shape in, const Frame<S>& f)
      : saved(f.saved), scratch(f.scratch), packed(f.packed), packing{f.mode, f.precision} {
    saved.take(static_cast<Index>(sizeof(Shape) / sizeof(S)));
    Shape shape = in;
    for (const NamedLayer<S>& part : r.parts_) {
      Stage& s = stages[static_cast<std::size_t>(count)];
      shape = add(s, *part.layer, r.first_parameters_[static_cast<std::size_t>(count)], shape, true);
      s.key = count++;
    }
    out = shape;
    if (r.shortcut_ != nullptr) {
      add(shortcut, *r.shortcut_, r.first_parameters_[r.parts_.size()], in, true);
      shortcut.key = count;
    }
    if (r.activation_ != nullptr) {
      sum = saved.take(out.size());
      out = add(activation, *r.activation_, r.first_parameters_[r.parts_.size() + 1], out, false);
      activation.key = count + 1;
    }
    if (f.mode == Mode::training) {
      d_sum = scratch.take(std::max(stages[static_cast<std::size_t>(count - 1)].plan.out.size(), out.size()));
      for (S*& buffer : gradient) buffer = scratch.take(std::max(largest, in.size()));
    }
    inner_scratch = scratch.take(most_scratch);
  }

  Shape add(Stage& s, const Layer<S>& layer, int first_parameter, Shape in, bool keep_out) {
    s.layer = &layer;
    s.first_parameter = first_parameter;
    s.plan = layer.plan(in, packing.mode);
    s.packed = packed.take(layer.packed_weights_size(packing));
    s.saved = saved.take(s.plan.saved);
    s.out = keep_out ? saved.take(s.plan.out.size()) : nullptr;
    s.lengths = take_indices(saved, in.batch);
    largest = std::max(largest, s.plan.out.size());
    most_scratch = std::max(most_scratch, s.plan.scratch);
    return s.plan.out;
  }

  Frame<S> frame(const Stage& s, const Frame<S>& outer) const {
    Frame<S> f = outer;
    f.saved = s.saved;
    f.packed = s.packed;
    f.scratch = inner_scratch;
    // Keys of the parts of a block must differ from those of all other layers of a model, which count from 0.
    f.key = (outer.key + 1) * 1024 + static_cast<std::uint64_t>(s.key);
    return f;
  }

  // The output of a stage for an input with x's lengths; sets the lengths when `fresh`.
  SeqView<S> view(const Stage& s, const Index* in_lengths, bool fresh) const {
    if (in_lengths == nullptr) return {s.out, s.plan.out, nullptr};
    for (Index b = 0; fresh && b < s.plan.out.batch; ++b) s.lengths[b] = s.layer->out_length(in_lengths[b]);
    return {s.out, s.plan.out, s.lengths};
  }

  const Stage& last() const { return stages[static_cast<std::size_t>(count - 1)]; }

  Slices<S> saved, scratch;
  Slices<const S> packed;
  Packing packing;
  std::array<Stage, kMostParts> stages;
  Index count = 0, largest = 0, most_scratch = 0;
  Stage shortcut, activation;
  Shape out;
  S* sum = nullptr;
  S* d_sum = nullptr;
  S* gradient[2] = {nullptr, nullptr};
  S* inner_scratch = nullptr;
};

template <class S>
Residual<S>::Residual(Index in_channels, std::vector<NamedLayer<S>> parts, Activation activation, LayerPtr<S> shortcut)
    : parts_(std::move(parts)), shortcut_(std::move(shortcut)) {
  check_parts();
  if (shortcut_ == nullptr) shortcut_ = make_shortcut(in_channels);
  if (activation != Activation::linear) activation_ = std::make_shared<ActivationLayer<S>>(activation);
  std::size_t total = 0;
  const auto count = [&](const LayerPtr<S>& layer) {
    first_parameters_.push_back(static_cast<int>(total));
    if (layer != nullptr) total += layer->parameters().size();
  };
  for (const NamedLayer<S>& part : parts_) count(part.layer);
  count(shortcut_);
  count(activation_);
}

template <class S>
void Residual<S>::check_parts() const {
  if (parts_.empty() || parts_.size() > kMostParts)
    throw Error(ErrorCode::usage, "residual", "bad number of inner layers")
        .expected("1 to " + std::to_string(kMostParts))
        .got(std::to_string(parts_.size()));
  for (const NamedLayer<S>& part : parts_) {
    if (part.layer == nullptr) throw Error(ErrorCode::usage, "residual", "inner layer " + part.name + " is missing");
  }
}

// nullptr (the identity), or the convolution of width 1 that gives the channels and the stride of F.
template <class S>
LayerPtr<S> Residual<S>::make_shortcut(Index in_channels) const {
  constexpr Index probe = 256, most_stride = 64;
  Shape shape{1, probe, in_channels};
  for (const NamedLayer<S>& part : parts_) shape = part.layer->plan(shape, Mode::inference).out;
  const auto strides_by = [&](Index stride) {
    for (Index n = 0; n <= probe; ++n) {
      if (out_length(n) != (n + stride - 1) / stride) return false;
    }
    return true;
  };
  for (Index stride = 1; stride <= most_stride; ++stride) {
    if (!strides_by(stride)) continue;
    if (stride == 1 && shape.channels == in_channels) return nullptr;
    const Window window{.size = 1, .stride = stride, .padding = Padding::same};
    return std::make_shared<Conv1D<S>>(in_channels, shape.channels, window);
  }
  throw Error(ErrorCode::usage, "residual",
              "no shortcut fits: the inner layers do not keep the length, or divide it by a stride")
      .hint("use padding \"same\" or \"causal\"");
}

template <class S>
std::string Residual<S>::summary() const {
  std::string text;
  for (const NamedLayer<S>& part : parts_) text += (text.empty() ? "" : " > ") + part.layer->type();
  text += shortcut_ != nullptr ? " + " + shortcut_->type() : " + identity";
  if (activation_ != nullptr) text += ", " + activation_->summary();
  return text;
}

template <class S>
std::vector<ParameterSpec> Residual<S>::parameters() const {
  std::vector<ParameterSpec> all;
  const auto add = [&](const std::string& prefix, const LayerPtr<S>& layer) {
    if (layer == nullptr) return;
    for (ParameterSpec spec : layer->parameters()) {
      spec.name = prefix + "." + spec.name;
      all.push_back(std::move(spec));
    }
  };
  for (const NamedLayer<S>& part : parts_) add(part.name, part.layer);
  add("shortcut", shortcut_);
  add("activation", activation_);
  return all;
}

template <class S>
Plan Residual<S>::plan(Shape in, Mode mode) const {
  Frame<S> nowhere;
  nowhere.mode = mode;
  const Layout layout(*this, in, nowhere);
  const Shape body = layout.last().plan.out, other = shortcut_ != nullptr ? layout.shortcut.plan.out : in;
  if (body != other)
    throw Error(ErrorCode::usage, "residual", "block and shortcut differ in shape")
        .expected(to_string(body))
        .got(to_string(other))
        .hint("leave the shortcut out: a projection is chosen by itself");
  if (activation_ != nullptr && layout.out != body)
    throw Error(ErrorCode::usage, "residual", "the final activation changes the shape")
        .expected(to_string(body))
        .got(to_string(layout.out));
  for (Index n = 0; n <= in.time; ++n) {
    const Index along = out_length(n), beside = shortcut_ != nullptr ? shortcut_->out_length(n) : n;
    if (along != beside)
      throw Error(ErrorCode::usage, "residual",
                  "block and shortcut differ in length for " + std::to_string(n) + " frames")
          .expected(std::to_string(along))
          .got(std::to_string(beside));
  }
  return {.out = layout.out, .saved = layout.saved.used(), .scratch = layout.scratch.used()};
}

template <class S>
Index Residual<S>::out_length(Index n) const {
  for (const NamedLayer<S>& part : parts_) n = part.layer->out_length(n);
  return n;
}

template <class S>
bool Residual<S>::couples_batch(Mode mode) const {
  const auto couples = [&](const LayerPtr<S>& layer) { return layer != nullptr && layer->couples_batch(mode); };
  return couples(shortcut_) || couples(activation_) ||
         std::any_of(parts_.begin(), parts_.end(), [&](const NamedLayer<S>& part) { return couples(part.layer); });
}

template <class S>
double Residual<S>::multiply_adds(Shape in) const {
  double total = shortcut_ != nullptr ? shortcut_->multiply_adds(in) : 0;
  Shape shape = in;
  for (const NamedLayer<S>& part : parts_) {
    total += part.layer->multiply_adds(shape);
    shape = part.layer->plan(shape, Mode::inference).out;
  }
  return total + static_cast<double>(shape.time * shape.channels);
}

// Calls f(layer, index of its first parameter) for F's parts, the shortcut and the activation.
template <class S>
template <class F>
void Residual<S>::for_layers(F&& f) const {
  std::size_t i = 0;
  const auto call = [&](const LayerPtr<S>& layer) {
    const int first = first_parameters_[i++];
    if (layer != nullptr) f(*layer, first);
  };
  for (const NamedLayer<S>& part : parts_) call(part.layer);
  call(shortcut_);
  call(activation_);
}

template <class S>
Index Residual<S>::packed_weights_size(const Packing& packing) const {
  Index size = 0;
  for_layers([&](const Layer<S>& layer, int) { size += part_size(layer.packed_weights_size(packing)); });
  return size;
}

template <class S>
void Residual<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  Slices<S> slices(packed);
  for_layers([&](const Layer<S>& layer, int first) {
    layer.pack_weights({p.base, p.offsets + first}, packing, slices.take(layer.packed_weights_size(packing)));
  });
}

template <class S>
void Residual<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Layout layout(*this, x.shape, f);
  Layout::shape_in(f.saved) = x.shape;
  const auto run = [&](const Stage& s, SeqView<const S> in, SeqView<S> out) {
    s.layer->forward({p.base, p.offsets + s.first_parameter}, in, out, layout.frame(s, f));
  };
  SeqView<const S> at = x;
  for (Index i = 0; i < layout.count; ++i) {
    const Stage& s = layout.stages[static_cast<std::size_t>(i)];
    const SeqView<S> out = layout.view(s, at.lengths, true);
    run(s, at, out);
    at = out;
  }
  SeqView<const S> beside = x;
  if (shortcut_ != nullptr) {
    const SeqView<S> out = layout.view(layout.shortcut, x.lengths, true);
    run(layout.shortcut, x, out);
    beside = out;
  }
  SeqView<S> sum{activation_ != nullptr ? layout.sum : y.data, at.shape, at.lengths};
  for (Index b = 0; b < at.shape.batch; ++b) {
    const Index valid = at.length(b) * at.shape.channels;
    for (Index i = 0; i < valid; ++i) sum.sample(b)[i] = at.sample(b)[i] + beside.sample(b)[i];
    zero_frames(sum, b, at.length(b));
  }
  if (activation_ != nullptr) run(layout.activation, sum, y);
}

template <class S>
void Residual<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy,
                           SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const Layout layout(*this, x.shape, f);
  const auto run = [&](const Stage& s, SeqView<const S> in, SeqView<const S> out, SeqView<const S> d_out,
                       SeqView<S> d_in) {
    s.layer->backward({p.base, p.offsets + s.first_parameter}, in, out, d_out, d_in, layout.frame(s, f),
                      {grads.base, grads.offsets + s.first_parameter});
  };
  const auto input_of = [&](Index i) -> SeqView<const S> {
    if (i == 0) return x;
    return layout.view(layout.stages[static_cast<std::size_t>(i - 1)], x.lengths, false);
  };
  const SeqView<const S> body = input_of(layout.count);
  SeqView<const S> d_sum{dy.data, body.shape, body.lengths};
  if (activation_ != nullptr) {
    const SeqView<S> to{layout.d_sum, body.shape, body.lengths};
    run(layout.activation, {layout.sum, body.shape, body.lengths}, y, dy, to);
    d_sum = to;
  }
  if (shortcut_ != nullptr) {
    run(layout.shortcut, x, layout.view(layout.shortcut, x.lengths, false), d_sum, dx);
  } else if (dx.data != nullptr) {
    for (Index b = 0; b < x.shape.batch; ++b) {
      std::copy_n(d_sum.sample(b), x.length(b) * x.shape.channels, dx.sample(b));
      zero_frames(dx, b, x.length(b));
    }
  }
  SeqView<const S> upstream = d_sum;
  for (Index i = layout.count - 1; i >= 0; --i) {
    const SeqView<const S> in = input_of(i);
    const bool wanted = i > 0 || dx.data != nullptr;
    const SeqView<S> to{wanted ? layout.gradient[i % 2] : nullptr, in.shape, in.lengths};
    run(layout.stages[static_cast<std::size_t>(i)], in, input_of(i + 1), upstream, to);
    upstream = to;
  }
  for (Index i = 0; dx.data != nullptr && i < dx.shape.size(); ++i) dx.data[i] += upstream.data[i];
}

template <class S>
void Residual<S>::commit(const Frame<S>& f, Params<S> params) const noexcept {
  const Layout layout(*this, Layout::shape_in(f.saved), f);
  const auto run = [&](const Stage& s) {
    if (s.layer != nullptr) s.layer->commit(layout.frame(s, f), {params.base, params.offsets + s.first_parameter});
  };
  for (const Stage& s : layout.stages) run(s);
  run(layout.shortcut);
  run(layout.activation);
}

template class Residual<float>;
template class Residual<double>;

}  // namespace serene
