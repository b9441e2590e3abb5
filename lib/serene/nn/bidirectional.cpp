#include "serene/nn/bidirectional.h"

#include "serene/nn/phases.h"

namespace serene {
namespace {

// Copies columns of a row-major matrix: cols of src at src_ld to dst at dst_ld.
template <class S>
void copy_columns(Index rows, Index cols, const S* src, Index src_ld, S* dst, Index dst_ld) noexcept {
  for (Index r = 0; r < rows; ++r) std::copy_n(src + r * src_ld, cols, dst + r * dst_ld);
}

}  // namespace

template <class S>
struct Bidirectional<S>::Scratch {
  Scratch(Slices<S>& slices, const Plan& fw, const Plan& bw, Shape in, Mode mode) {
    y = slices.take(std::max(fw.out.size(), bw.out.size()));
    dy = mode == Mode::training ? slices.take(std::max(fw.out.size(), bw.out.size())) : nullptr;
    dx = mode == Mode::training ? slices.take(in.size()) : nullptr;
    inner = slices.take(std::max(fw.scratch, bw.scratch));
  }
  S *y, *dy, *dx, *inner;
};

template <class S>
Bidirectional<S>::Bidirectional(LayerPtr<S> forward_layer, LayerPtr<S> backward_layer)
    : forward_(std::move(forward_layer)), backward_(std::move(backward_layer)), forward_parameters_(0) {
  if (forward_ == nullptr || backward_ == nullptr)
    throw Error(ErrorCode::usage, "bidirectional", "an inner layer is missing");
  for (const LayerPtr<S>& layer : {forward_, backward_}) {
    if (LayerSync(*layer).forward.points > 0)
      throw Error(ErrorCode::usage, "bidirectional", layer->type() + " needs the whole batch and cannot stand here");
  }
  forward_parameters_ = static_cast<Index>(forward_->parameters().size());
}

template <class S>
std::vector<ParameterSpec> Bidirectional<S>::parameters() const {
  std::vector<ParameterSpec> all;
  const auto add = [&](const char* prefix, const Layer<S>& layer) {
    for (ParameterSpec spec : layer.parameters()) {
      spec.name = prefix + spec.name;
      all.push_back(std::move(spec));
    }
  };
  add("fw_", *forward_);
  add("bw_", *backward_);
  return all;
}

template <class S>
Plan Bidirectional<S>::plan(Shape in, Mode mode) const {
  const Plan fw = forward_->plan(in, mode), bw = backward_->plan(in, mode);
  if (fw.out.batch != bw.out.batch || fw.out.time != bw.out.time)
    throw Error(ErrorCode::usage, "bidirectional", "the two directions differ in shape")
        .expected(to_string(fw.out))
        .got(to_string(bw.out));
  Slices<S> slices(nullptr);
  Scratch(slices, fw, bw, in, mode);
  return {.out = {fw.out.batch, fw.out.time, fw.out.channels + bw.out.channels},
          .saved = part_size(fw.saved) + bw.saved,
          .scratch = slices.used()};
}

template <class S>
void Bidirectional<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  forward_->pack_weights(p, packing, packed);
  backward_->pack_weights({p.base, p.offsets + forward_parameters_}, packing,
                          packed + part_size(forward_->packed_weights_size(packing)));
}

// The frame of the backward layer behind that of the forward layer.
template <class S>
Frame<S> Bidirectional<S>::backward_frame(const Frame<S>& forward, const Plan& forward_plan) const noexcept {
  Frame<S> f = forward;
  f.saved += part_size(forward_plan.saved);
  f.packed += part_size(forward_->packed_weights_size({f.mode, f.precision}));
  return f;
}

template <class S>
void Bidirectional<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Plan fw = forward_->plan(x.shape, f.mode), bw = backward_->plan(x.shape, f.mode);
  Slices<S> slices(f.scratch);
  const Scratch s(slices, fw, bw, x.shape, f.mode);
  const Index rows = y.shape.batch * y.shape.time;
  Frame<S> inner = f;
  inner.scratch = s.inner;
  forward_->forward(p, x, {s.y, fw.out, y.lengths}, inner);
  copy_columns(rows, fw.out.channels, s.y, fw.out.channels, y.data, y.shape.channels);
  backward_->forward({p.base, p.offsets + forward_parameters_}, x, {s.y, bw.out, y.lengths}, backward_frame(inner, fw));
  copy_columns(rows, bw.out.channels, s.y, bw.out.channels, y.data + fw.out.channels, y.shape.channels);
}

template <class S>
void Bidirectional<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy,
                                SeqView<S> dx, const Frame<S>& f, Params<S> grads) const noexcept {
  const Plan fw = forward_->plan(x.shape, f.mode), bw = backward_->plan(x.shape, f.mode);
  Slices<S> slices(f.scratch);
  const Scratch s(slices, fw, bw, x.shape, f.mode);
  const Index rows = y.shape.batch * y.shape.time;
  Frame<S> inner = f;
  inner.scratch = s.inner;
  const auto split = [&](Index first, Index channels) {
    copy_columns(rows, channels, y.data + first, y.shape.channels, s.y, channels);
    copy_columns(rows, channels, dy.data + first, y.shape.channels, s.dy, channels);
  };
  split(0, fw.out.channels);
  forward_->backward(p, x, {s.y, fw.out, y.lengths}, {s.dy, fw.out, y.lengths}, dx, inner, grads);
  split(fw.out.channels, bw.out.channels);
  const bool wanted = dx.data != nullptr;
  backward_->backward({p.base, p.offsets + forward_parameters_}, x, {s.y, bw.out, y.lengths}, {s.dy, bw.out, y.lengths},
                      {wanted ? s.dx : nullptr, x.shape, x.lengths}, backward_frame(inner, fw),
                      {grads.base, grads.offsets + forward_parameters_});
  for (Index i = 0; wanted && i < x.shape.size(); ++i) dx.data[i] += s.dx[i];
}

template class Bidirectional<float>;
template class Bidirectional<double>;

}  // namespace serene
