#include "serene/nn/conv1d.h"

#include <algorithm>

#include "serene/core/gemm.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

template <class S>
struct Conv1D<S>::Sizes {
  Index rows;            // padded input
  Index kernel_product;  // one packed piece of the kernel in forward; there are pieces of them
  Index pieces;
  Index dz, packed_dz;
  Index flipped, packed_dx, columns;

  Index forward() const { return part_size(rows) + pieces * part_size(kernel_product); }
  Index backward() const {
    return part_size(rows) + part_size(dz) + part_size(packed_dz) + part_size(flipped) + part_size(packed_dx) +
           part_size(columns);
  }
};

template <class S>
typename Conv1D<S>::Sizes Conv1D<S>::sizes(Index time) const {
  const Index k = window_.size, c = channels_, f = filters_;
  // No shorter input has more output frames; at least one keeps the sizes free of special cases.
  const Index out = std::max<Index>(window_.out_length(time), 1);
  const bool one_product = window_.dilation == 1;
  Sizes s;
  s.rows = (std::max<Index>(time, 1) + window_.extent() - 1) * c;
  s.pieces = one_product ? 1 : k;
  s.kernel_product = packed_size<S>(one_product ? k * c : c, f);
  s.dz = dense_windows() ? (time + k - 1) * f : out * f;
  s.packed_dz = packed_size<S>(out, f);
  s.flipped = dense_windows() ? k * c * f : 0;
  s.packed_dx = dense_windows() ? packed_size<S>(k * f, c) : packed_size<S>(f, k * c);
  s.columns = dense_windows() ? 0 : out * k * c;
  return s;
}

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
  const Sizes s = sizes(in.time);
  plan.scratch = s.forward();
  if (mode == Mode::training) {
    plan.scratch = std::max(plan.scratch, s.backward());
    if (activation_needs_input(activation_)) plan.saved = plan.out.size();
  }
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
void Conv1D<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const Sizes s = sizes(x.shape.time);
  const bool keep = f.mode == Mode::training && activation_needs_input(activation_);
  const Index inner = window_.size * channels_ / s.pieces;
  Parts<S> parts(f.scratch);
  S* rows = parts.take(s.rows);
  S* packed = parts.take(s.pieces * part_size(s.kernel_product));
  for (Index j = 0; j < s.pieces; ++j) {
    pack(Trans::no, inner, filters_, p[0] + j * inner * filters_, filters_, packed + j * part_size(s.kernel_product));
  }
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n);
    if (out > 0) {
      const S* a = padded_input(x.sample(b), n, out, rows);
      S* to = y.sample(b);
      for (Index j = 0; j < s.pieces; ++j) {
        gemm_packed(Trans::no, out, filters_, inner, a + j * window_.dilation * channels_, window_.stride * channels_,
                    packed + j * part_size(s.kernel_product), j > 0, to, filters_);
      }
      S* pre = keep ? f.saved + (to - y.data) : nullptr;
      add_bias_activate(activation_, out, filters_, use_bias_ ? p[1] : nullptr, to, pre);
    }
    zero_frames(y, b, out);
  }
}

template <class S>
void Conv1D<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                         const Frame<S>& f, Params<S> grads) const noexcept {
  const Sizes s = sizes(x.shape.time);
  const Index k = window_.size;
  const Index inner = k * channels_ / s.pieces;
  Parts<S> parts(f.scratch);
  S* rows = parts.take(s.rows);
  S* dz_rows = parts.take(s.dz);
  S* packed_dz = parts.take(s.packed_dz);
  S* flipped = parts.take(s.flipped);
  S* packed_dx = parts.take(s.packed_dx);
  S* columns = parts.take(s.columns);
  const bool saved_input = activation_needs_input(activation_);
  if (dx.data != nullptr) pack_input_gradient(p[0], flipped, packed_dx);

  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n);
    if (out > 0) {
      // dz lies where input_gradient wants it: behind the zero frames in front of the flipped windows.
      S* dz = dz_rows + (dense_windows() ? (k - 1 - window_.left(n)) * filters_ : 0);
      const Index at = y.sample(b) - y.data;
      add_bias_activate_backward(activation_, out, filters_, saved_input ? f.saved + at : nullptr, y.data + at,
                                 dy.data + at, dz, use_bias_ ? grads[1] : nullptr);
      const S* a = padded_input(x.sample(b), n, out, rows);
      pack(Trans::no, out, filters_, dz, filters_, packed_dz);
      for (Index j = 0; j < s.pieces; ++j) {
        gemm_packed(Trans::yes, inner, filters_, out, a + j * window_.dilation * channels_, window_.stride * channels_,
                    packed_dz, true, grads[0] + j * inner * filters_, filters_);
      }
      if (dx.data != nullptr) input_gradient(dz_rows, n, out, packed_dx, columns, dx.sample(b));
    }
    if (dx.data != nullptr) zero_frames(dx, b, out > 0 ? n : 0);
  }
}

// For overlapping rows of dz: rows c of (k F) with W[k-1-i, c, f] at (i, f). Else W^T as it stands.
template <class S>
void Conv1D<S>::pack_input_gradient(const S* kernel, S* flipped, S* packed) const noexcept {
  const Index k = window_.size;
  if (!dense_windows()) {
    pack(Trans::yes, filters_, k * channels_, kernel, filters_, packed);
    return;
  }
  for (Index c = 0; c < channels_; ++c) {
    for (Index i = 0; i < k; ++i) {
      std::copy_n(kernel + ((k - 1 - i) * channels_ + c) * filters_, filters_, flipped + (c * k + i) * filters_);
    }
  }
  pack(Trans::yes, k * filters_, channels_, flipped, k * filters_, packed);
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
