#include "serene/nn/conv1d.h"

#include <algorithm>

#include "serene/nn/products.h"

namespace serene {

// The kernel packed for the products of forward, one piece behind the other, and in training for that of dx. T: S or
// const S.
template <class S>
template <class T>
struct Conv1D<S>::Packed {
  Packed(const Conv1D& layer, Slices<T>& slices, const Packing& packing) {
    const Index k = layer.window_.size, c = layer.channels_, f = layer.filters_;
    piece = part_size(packed_size<S>(layer.piece_rows(), f, packing.precision));
    kernel = slices.take(layer.pieces() * piece);
    if (packing.mode != Mode::training) return;
    const bool dense = layer.dense_windows();
    flipped = dense ? slices.take(k * c * f) : nullptr;
    back =
        slices.take(dense ? packed_size<S>(k * f, c, packing.precision) : packed_size<S>(f, k * c, packing.precision));
  }
  Index piece;
  T *kernel, *flipped = nullptr, *back = nullptr;  // flipped: room to turn the kernel around while packing
};

// For one sample of at most `time` frames.
template <class S>
struct Conv1D<S>::Scratch {
  Scratch(const Conv1D& layer, Slices<S>& slices, Index time, Mode mode) {
    const Index k = layer.window_.size, c = layer.channels_, f = layer.filters_;
    // No shorter input has more output frames; at least one keeps the sizes free of special cases.
    const Index out = std::max<Index>(layer.window_.out_length(time), 1);
    rows = slices.take((std::max<Index>(time, 1) + layer.window_.extent() - 1) * c);
    if (mode != Mode::training) return;
    dz = slices.take(layer.dense_windows() ? (time + k - 1) * f : out * f);
    packed_dz = slices.take(activation_packed_size<S>(out, f));
    columns = layer.dense_windows() ? nullptr : slices.take(out * k * c);
  }
  S *rows, *dz = nullptr, *packed_dz = nullptr, *columns = nullptr;
};

template <class S>
Conv1D<S>::Conv1D(Index channels, Index filters, Window window, Activation activation, bool use_bias)
    : channels_(channels), filters_(filters), window_(window), activation_(activation), use_bias_(use_bias) {
  window.check("conv1d");
  if (channels < 1) throw Error(ErrorCode::usage, "conv1d", "no input channels");
  if (filters < 1) throw Error(ErrorCode::usage, "conv1d", "filters below 1").got(std::to_string(filters));
}

template <class S>
std::string Conv1D<S>::summary() const {
  std::string text = std::to_string(filters_) + " filters, kernel " + std::to_string(window_.size);
  if (window_.stride != 1) text += ", stride " + std::to_string(window_.stride);
  if (window_.dilation != 1) text += ", dilation " + std::to_string(window_.dilation);
  return text + ", " + padding_name(window_.padding) + ", " + activation_name(activation_) +
         (use_bias_ ? "" : ", no bias");
}

template <class S>
std::vector<ParameterSpec> Conv1D<S>::parameters() const {
  const Index k = window_.size;
  std::vector<ParameterSpec> specs = {
      {"kernel", {k, channels_, filters_}, Init::glorot_uniform, k * channels_, k * filters_, true, true}};
  if (use_bias_) specs.push_back({"bias", {filters_}, Init::zeros, 0, 0, true, false});
  return specs;
}

template <class S>
Plan Conv1D<S>::plan(Shape in, Mode mode) const {
  if (in.channels != channels_) {
    throw Error(ErrorCode::usage, "conv1d", "wrong number of input channels")
        .expected(std::to_string(channels_))
        .got(std::to_string(in.channels));
  }
  Plan plan;
  plan.out = {in.batch, window_.out_length(in.time), filters_};
  Slices<S> slices(nullptr);
  Scratch(*this, slices, in.time, mode);
  plan.scratch = slices.used();
  if (mode == Mode::training && activation_needs_input(activation_)) plan.saved = plan.out.size();
  return plan;
}

template <class S>
double Conv1D<S>::multiply_adds(Shape in) const {
  return static_cast<double>(window_.out_length(in.time)) * static_cast<double>(window_.size * channels_) *
         static_cast<double>(filters_);
}

// The n frames of x between the zeros that the windows of `out` output frames reach into; x itself where there are
// none.
template <class S>
const S* Conv1D<S>::padded_input(const S* x, Index n, Index out, S* rows) const noexcept {
  const Index left = window_.left(n), needed = (out - 1) * window_.stride + window_.extent();
  if (left == 0 && needed <= n) return x;
  const Index copied = std::min(n, needed - left);
  std::fill_n(rows, left * channels_, S(0));
  std::copy_n(x, copied * channels_, rows + left * channels_);
  std::fill(rows + (left + copied) * channels_, rows + needed * channels_, S(0));
  return rows;
}

template <class S>
Index Conv1D<S>::packed_weights_size(const Packing& packing) const {
  Slices<S> slices(nullptr);
  Packed<S>(*this, slices, packing);
  return slices.used();
}

template <class S>
void Conv1D<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  Slices<S> slices(packed);
  const Packed<S> to(*this, slices, packing);
  for (Index j = 0; j < pieces(); ++j) {
    pack(Trans::no, piece_rows(), filters_, p[0] + j * piece_rows() * filters_, filters_, to.kernel + j * to.piece,
         packing.precision);
  }
  if (packing.mode == Mode::training) pack_input_gradient(p[0], packing, to);
}

template <class S>
void Conv1D<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const bool keep = f.mode == Mode::training && activation_needs_input(activation_);
  const Index inner = piece_rows(), last = pieces() - 1;
  const Index piece = part_size(packed_size<S>(inner, filters_, f.precision));
  const Epilogue<S> end = epilogue_of(activation_, use_bias_ ? p[1] : nullptr);
  Slices<S> slices(f.scratch);
  const Scratch s(*this, slices, x.shape.time, f.mode);
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n);
    if (out > 0) {
      const S* a = padded_input(x.sample(b), n, out, s.rows);
      S* to = y.sample(b);
      for (Index j = 0; j <= last; ++j) {
        gemm_packed(Trans::no, out, filters_, inner, a + j * window_.dilation * channels_, window_.stride * channels_,
                    f.packed + j * piece, j > 0, to, filters_, j == last ? end : Epilogue<S>{});
      }
      finish_activation(activation_, out, filters_, to, keep ? f.saved + (to - y.data) : nullptr);
    }
    zero_frames(y, b, out);
  }
}

template <class S>
void Conv1D<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                         const Frame<S>& f, Params<S> grads) const noexcept {
  const Index k = window_.size, inner = piece_rows();
  Slices<S> slices(f.scratch);
  Slices<const S> packed_slices(f.packed);
  const Scratch s(*this, slices, x.shape.time, f.mode);
  const Packed<const S> packed(*this, packed_slices, {f.mode, f.precision});
  const bool saved_input = activation_needs_input(activation_);

  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n);
    if (out > 0) {
      // dz lies where input_gradient wants it: behind the zero frames in front of the flipped windows.
      S* dz = s.dz + (dense_windows() ? (k - 1 - window_.left(n)) * filters_ : 0);
      const Index at = y.sample(b) - y.data;
      finish_activation_backward(activation_, out, filters_, saved_input ? f.saved + at : nullptr, y.data + at,
                                 dy.data + at, dz, use_bias_ ? grads[1] : nullptr);
      const S* a = padded_input(x.sample(b), n, out, s.rows);
      pack(Trans::no, out, filters_, dz, filters_, s.packed_dz, activation_precision(f.precision));
      for (Index j = 0; j < pieces(); ++j) {
        gemm_packed(Trans::yes, inner, filters_, out, a + j * window_.dilation * channels_, window_.stride * channels_,
                    s.packed_dz, true, grads[0] + j * inner * filters_, filters_);
      }
      if (dx.data != nullptr) input_gradient(s.dz, n, out, packed.back, s.columns, dx.sample(b));
    }
    if (dx.data != nullptr) zero_frames(dx, b, out > 0 ? n : 0);
  }
}

// For overlapping rows of dz: rows c of (k F) with W[k-1-i, c, f] at (i, f). Else W^T as it stands.
template <class S>
void Conv1D<S>::pack_input_gradient(const S* kernel, const Packing& packing, const Packed<S>& to) const noexcept {
  const Index k = window_.size;
  if (!dense_windows()) {
    pack(Trans::yes, filters_, k * channels_, kernel, filters_, to.back, packing.precision);
    return;
  }
  for (Index c = 0; c < channels_; ++c) {
    for (Index i = 0; i < k; ++i) {
      std::copy_n(kernel + ((k - 1 - i) * channels_ + c) * filters_, filters_, to.flipped + (c * k + i) * filters_);
    }
  }
  pack(Trans::yes, k * filters_, channels_, to.flipped, k * filters_, to.back, packing.precision);
}

// dx of one sample of n frames. With dense windows `dz` has room for n + k - 1 frames around the gradient.
template <class S>
void Conv1D<S>::input_gradient(S* dz, Index n, Index out, const S* packed, S* columns, S* dx) const noexcept {
  const Index k = window_.size, left = window_.left(n);
  if (dense_windows()) {
    const Index front = (k - 1 - left) * filters_;
    std::fill_n(dz, front, S(0));
    std::fill(dz + front + out * filters_, dz + (n + k - 1) * filters_, S(0));
    gemm_packed(Trans::no, n, channels_, k * filters_, dz, filters_, packed, false, dx, channels_);
    return;
  }
  gemm_packed(Trans::no, out, k * channels_, filters_, dz, filters_, packed, false, columns, k * channels_);
  std::fill_n(dx, n * channels_, S(0));
  for (Index o = 0; o < out; ++o) {
    for (Index j = 0; j < k; ++j) {
      const Index t = o * window_.stride + j * window_.dilation - left;
      if (t < 0 || t >= n) continue;
      const S* from = columns + (o * k + j) * channels_;
      S* to = dx + t * channels_;
      for (Index c = 0; c < channels_; ++c) to[c] += from[c];
    }
  }
}

template class Conv1D<float>;
template class Conv1D<double>;

}  // namespace serene
