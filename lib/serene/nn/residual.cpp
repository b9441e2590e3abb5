#include "serene/nn/residual.h"

#include <algorithm>
#include <cstdio>

#include "serene/core/wide_loop.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/sample_random.h"
#include "serene/nn/sequence_ops.h"
#include "serene/nn/slices.h"

namespace serene {

// Where everything of one call lies. Built again by every call, from the shape; never throws for a shape that plan()
// took.
template <class S>
struct Residual<S>::Layout {
  Layout(const Residual& r, Shape in, const Frame<S>& f) : body(f), shortcut(f), activation(f) {
    Slices<S> keep(f.saved), work(f.scratch);
    Slices<const S> packed(f.packed);
    Index most_scratch = 0;
    const auto add = [&](const Layer<S>& layer, Shape shape, Frame<S>& frame) {
      const Plan plan = layer.plan(shape, f.mode);
      frame.packed = packed.take(layer.packed_weights_size({f.mode, f.precision}));
      frame.saved = keep.take(plan.saved);
      most_scratch = std::max(most_scratch, plan.scratch);
      return plan.out;
    };
    along = add(r.body_, in, body);
    body_out = keep.take(along.size());
    beside = r.shortcut_ != nullptr ? add(*r.shortcut_, in, shortcut) : in;
    shortcut_out = r.shortcut_ != nullptr ? keep.take(beside.size()) : nullptr;
    shortcut.key = inner_key(f.key, r.parts().size());
    sum = r.activation_ != nullptr ? keep.take(along.size()) : nullptr;
    out = r.activation_ != nullptr ? add(*r.activation_, along, activation) : along;
    branch_scales = r.drops(f.mode) ? keep.take(in.batch) : nullptr;
    if (f.mode == Mode::training) {
      Slices<S>& passing = r.suspends() ? keep : work;  // what backward must find again in its next phase
      d_sum = r.activation_ != nullptr ? passing.take(along.size()) : nullptr;
      d_body = r.drops(f.mode) ? passing.take(along.size()) : nullptr;
      d_in = passing.take(in.size());
    }
    body.scratch = shortcut.scratch = activation.scratch = work.take(most_scratch);
    saved = keep.used();
    scratch = work.used();
  }

  Frame<S> body, shortcut, activation;
  Shape along, beside, out;  // of F, P and the block
  S *body_out, *shortcut_out, *sum, *branch_scales;
  S *d_sum = nullptr, *d_body = nullptr, *d_in = nullptr;
  Index saved, scratch;
};

template <class S>
Residual<S>::Residual(Index in_channels, std::vector<NamedLayer<S>> parts, Activation activation, LayerPtr<S> shortcut,
                      double drop_path)
    : body_(std::move(parts), "residual"), shortcut_(std::move(shortcut)), drop_path_(drop_path) {
  if (!(drop_path >= 0 && drop_path < 1)) {
    throw Error(ErrorCode::usage, "residual", "drop_path out of range")
        .expected("0 <= drop_path < 1")
        .got(std::to_string(drop_path));
  }
  if (shortcut_ == nullptr) shortcut_ = make_shortcut(in_channels);
  if (activation != Activation::linear) activation_ = std::make_shared<ActivationLayer<S>>(activation);
  shortcut_first_ = static_cast<int>(body_.parameters().size());
  body_sync_ = LayerSync(body_);
  if (shortcut_ != nullptr) shortcut_sync_ = LayerSync(*shortcut_);
}

// nullptr (the identity), or the convolution of width 1 that gives the channels and the stride of F.
template <class S>
LayerPtr<S> Residual<S>::make_shortcut(Index in_channels) const {
  constexpr Index probe = 256, most_stride = 64;
  const Shape shape = body_.plan({1, probe, in_channels}, Mode::inference).out;
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
      .hint("use padding \"same\" or \"causal\", or give a shortcut");
}

template <class S>
std::string Residual<S>::summary() const {
  const auto* chain = dynamic_cast<const LayerChain<S>*>(shortcut_.get());
  std::string text = body_.summary() + " + ";
  text += shortcut_ == nullptr ? "identity" : chain != nullptr ? chain->summary() : shortcut_->type();
  if (activation_ != nullptr) text += ", " + activation_->summary();
  if (drop_path_ > 0) {
    char rate[40];
    std::snprintf(rate, sizeof rate, ", drop path %g", drop_path_);
    text += rate;
  }
  return text;
}

template <class S>
std::vector<ParameterSpec> Residual<S>::parameters() const {
  std::vector<ParameterSpec> all = body_.parameters();
  if (shortcut_ == nullptr) return all;
  for (ParameterSpec spec : shortcut_->parameters()) {
    spec.name = "shortcut." + spec.name;
    all.push_back(std::move(spec));
  }
  return all;
}

template <class S>
Plan Residual<S>::plan(Shape in, Mode mode) const {
  Frame<S> nowhere;
  nowhere.mode = mode;
  const Layout layout(*this, in, nowhere);
  if (layout.along != layout.beside)
    throw Error(ErrorCode::usage, "residual", "block and shortcut differ in shape")
        .expected(to_string(layout.along))
        .got(to_string(layout.beside))
        .hint("without a shortcut of your own a projection is chosen by itself");
  if (layout.out != layout.along)
    throw Error(ErrorCode::usage, "residual", "the final activation changes the shape")
        .expected(to_string(layout.along))
        .got(to_string(layout.out));
  for (Index n = 0; n <= in.time; ++n) {
    const Index along = out_length(n), beside = shortcut_ != nullptr ? shortcut_->out_length(n) : n;
    if (along != beside)
      throw Error(ErrorCode::usage, "residual",
                  "block and shortcut differ in length for " + std::to_string(n) + " frames")
          .expected(std::to_string(along))
          .got(std::to_string(beside));
  }
  return {.out = layout.out, .saved = layout.saved, .scratch = layout.scratch};
}

template <class S>
std::vector<Index> Residual<S>::sync_points(Pass pass) const {
  std::vector<Index> all = body_.sync_points(pass);
  if (shortcut_ == nullptr) return all;
  const std::vector<Index> beside = shortcut_->sync_points(pass);
  all.insert(pass == Pass::forward ? all.end() : all.begin(), beside.begin(), beside.end());
  return all;
}

template <class S>
double Residual<S>::multiply_adds(Shape in) const {
  const Shape out = body_.plan(in, Mode::inference).out;
  return body_.multiply_adds(in) + (shortcut_ != nullptr ? shortcut_->multiply_adds(in) : 0) +
         static_cast<double>(out.time * out.channels);
}

template <class S>
Index Residual<S>::packed_weights_size(const Packing& packing) const {
  return part_size(body_.packed_weights_size(packing)) +
         (shortcut_ != nullptr ? part_size(shortcut_->packed_weights_size(packing)) : 0);
}

template <class S>
void Residual<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  body_.pack_weights(p, packing, packed);
  if (shortcut_ == nullptr) return;
  shortcut_->pack_weights(shortcut_params(p), packing, packed + part_size(body_.packed_weights_size(packing)));
}

// k / (1 - p) for each sample of the shard.
template <class S>
void Residual<S>::draw_branch_scales(Index batch, const Frame<S>& f, S* scales) const noexcept {
  constexpr std::uint64_t place = 1023;  // behind all parts
  for (Index b = 0; b < batch; ++b) {
    Random random = sample_random(f, inner_key(f.key, place), f.first_sample + b);
    scales[b] = random.uniform() < drop_path_ ? S(0) : static_cast<S>(1 / (1 - drop_path_));
  }
}

template <class S>
void Residual<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Layout at(*this, x.shape, f);
  PhaseWalk<S> walk(f);
  const SeqView<S> body{at.body_out, at.along, y.lengths};
  if (walk.enter(body_sync_.forward)) {
    body_.forward(p, x, body, walk.frame(at.body));
    if (walk.stops()) return;
  }
  SeqView<const S> beside = x;
  if (shortcut_ != nullptr) {
    const SeqView<S> to{at.shortcut_out, at.beside, y.lengths};
    if (walk.enter(shortcut_sync_.forward)) {
      shortcut_->forward(shortcut_params(p), x, to, walk.frame(at.shortcut));
      if (walk.stops()) return;
    }
    beside = to;
  }
  if (at.branch_scales != nullptr) draw_branch_scales(x.shape.batch, f, at.branch_scales);
  const SeqView<S> sum{activation_ != nullptr ? at.sum : y.data, at.along, y.lengths};
  for (Index b = 0; b < sum.shape.batch; ++b) {
    const Index valid = sum.length(b) * sum.shape.channels;
    const S scale = at.branch_scales != nullptr ? at.branch_scales[b] : S(1);
    const S *along = body.sample(b), *other = beside.sample(b);
    S* to = sum.sample(b);
    if (scale == S(0)) {
      std::copy_n(other, valid, to);
    } else {
      wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
        for (Index i = 0; i < valid; ++i) to[i] = along[i] * scale + other[i];
      });
    }
    zero_frames(sum, b, sum.length(b));
  }
  if (activation_ != nullptr) activation_->forward(p, sum, y, at.activation);
}

// Through act to ds, and what of it goes to F.
template <class S>
void Residual<S>::backward_begin(Params<const S> p, SeqView<const S> y, SeqView<const S> dy, const Layout& at,
                                 Params<S> grads) const noexcept {
  SeqView<const S> d_sum{dy.data, at.along, y.lengths};
  if (activation_ != nullptr) {
    const SeqView<S> to{at.d_sum, at.along, y.lengths};
    activation_->backward(p, {at.sum, at.along, y.lengths}, y, dy, to, at.activation, grads);
    d_sum = to;
  }
  for (Index b = 0; at.branch_scales != nullptr && b < d_sum.shape.batch; ++b) {
    const Index valid = d_sum.length(b) * d_sum.shape.channels;
    const S *from = d_sum.sample(b), scale = at.branch_scales[b];
    S* to = at.d_body + (from - d_sum.data);
    for (Index i = 0; i < valid; ++i) to[i] = from[i] * scale;
  }
}

template <class S>
void Residual<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy,
                           SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const Layout at(*this, x.shape, f);
  PhaseWalk<S> walk(f);
  if (walk.enter({})) backward_begin(p, y, dy, at, grads);
  const SeqView<const S> d_sum{activation_ != nullptr ? at.d_sum : dy.data, at.along, y.lengths};
  if (walk.enter(shortcut_sync_.backward)) {
    if (shortcut_ != nullptr) {
      shortcut_->backward(shortcut_params(p), x, {at.shortcut_out, at.beside, y.lengths}, d_sum, dx,
                          walk.frame(at.shortcut), {grads.base, grads.offsets + shortcut_first_});
      if (walk.stops()) return;
    } else if (dx.data != nullptr) {
      for (Index b = 0; b < x.shape.batch; ++b) {
        std::copy_n(d_sum.sample(b), x.length(b) * x.shape.channels, dx.sample(b));
        zero_frames(dx, b, x.length(b));
      }
    }
  }
  const SeqView<const S> d_body{at.d_body != nullptr ? at.d_body : d_sum.data, at.along, y.lengths};
  const SeqView<S> d_in{dx.data != nullptr ? at.d_in : nullptr, x.shape, x.lengths};
  walk.enter(body_sync_.backward);
  body_.backward(p, x, {at.body_out, at.along, y.lengths}, d_body, d_in, walk.frame(at.body), grads);
  if (walk.stops() || dx.data == nullptr) return;
  for_valid_rows(dx, [&](Index first, Index rows) {
    const Index begin = first * dx.shape.channels, end = begin + rows * dx.shape.channels;
    wide_loop([to = dx.data, from = d_in.data, begin, end]() SERENE_WIDE {
#pragma GCC ivdep
      for (Index i = begin; i < end; ++i) to[i] += from[i];
    });
  });
}

template <class S>
void Residual<S>::commit(const Frame<S>& f, Params<S> params) const noexcept {
  body_.commit(f, params);
  if (shortcut_ == nullptr) return;
  Frame<S> beside = f;
  beside.totals += body_sync_.forward.sums;
  shortcut_->commit(beside, {params.base, params.offsets + shortcut_first_});
}

template class Residual<float>;
template class Residual<double>;

}  // namespace serene
