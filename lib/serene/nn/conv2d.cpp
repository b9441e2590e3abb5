#include "serene/nn/conv2d.h"

#include <algorithm>

#include "serene/nn/products.h"

namespace serene {
namespace {

// Fewer bins than this and the rows of a product go along time instead of frequency.
constexpr Index kFewBins = 6;

// The products of one sample: out (frames, bins, outputs) from windows of `times` x `depth` scalars of a plane.
template <class S>
struct Correlation {
  Index times, depth, outputs;
  Index frame;               // scalars of a frame of the plane
  Index frame_hop, bin_hop;  // scalars from window to window
  Index frames, bins;        // windows
  const S* packed;           // `times` pieces of the kernel, `piece` scalars apart
  Index piece;
};

// Every element is one chain over times and depth, whichever way the rows go.
template <class S>
void correlate(const S* plane, const Correlation<S>& c, S* out, const Epilogue<S>& end) noexcept {
  const bool along_time = c.bins < kFewBins && c.frames > c.bins;
  const Index row_hop = along_time ? c.frame_hop : c.bin_hop, group_hop = along_time ? c.bin_hop : c.frame_hop;
  const Index out_row = along_time ? c.bins * c.outputs : c.outputs;
  const Index out_group = along_time ? c.outputs : c.bins * c.outputs;
  const Index rows = along_time ? c.frames : c.bins, groups = along_time ? c.bins : c.frames;
  for (Index g = 0; g < groups; ++g) {
    for (Index i = 0; i < c.times; ++i) {
      gemm_packed(Trans::no, rows, c.outputs, c.depth, plane + g * group_hop + i * c.frame, row_hop,
                  c.packed + i * c.piece, i > 0, out + g * out_group, out_row, i == c.times - 1 ? end : Epilogue<S>{});
    }
  }
}

}  // namespace

// The kernel packed in pieces, one for each of its times, and in training that of dx. T: S or const S.
template <class S>
template <class T>
struct Conv2D<S>::Packed {
  Packed(const Conv2D& layer, Slices<T>& slices, const Packing& packing) {
    const Index times = layer.time_.size, width = layer.frequency_.size, n = layer.filters_, maps = layer.in_.maps;
    piece = part_size(packed_size<S>(layer.piece_rows(), n, packing.precision));
    kernel = slices.take(times * piece);
    if (packing.mode != Mode::training) return;
    flipped = slices.take(width * maps * n);
    back_piece = part_size(packed_size<S>(width * n, maps, packing.precision));
    back = slices.take(times * back_piece);
  }
  Index piece, back_piece = 0;
  T *kernel, *flipped = nullptr, *back = nullptr;  // flipped: room to turn a piece around while packing
};

// For one sample of at most `time` frames.
template <class S>
struct Conv2D<S>::Scratch {
  Scratch(const Conv2D& layer, Slices<S>& slices, Index time, Mode mode) {
    const Index n = layer.filters_, maps = layer.in_.maps;
    const Index frames = std::max<Index>(time, 1) + layer.time_.size - 1;
    plane = slices.take((frames * layer.width_ + layer.left_) * maps);
    if (mode != Mode::training) return;
    back = slices.take(layer.back_size(std::max<Index>(time, 1)));
    // No shorter input has more output frames; at least one keeps the sizes free of special cases.
    const Index out = std::max<Index>(layer.time_.out_length(time), 1);
    dz = layer.strided() ? slices.take(out * layer.out_bins_ * n) : nullptr;
    packed_dz = slices.take(activation_packed_size<S>(layer.block_frames() * layer.width_, n));
  }
  S *plane, *back = nullptr, *dz = nullptr, *packed_dz = nullptr;
};

template <class S>
Conv2D<S>::Conv2D(Grid in, Index filters, Window2D window, Activation activation, bool use_bias)
    : in_(grid_of("conv2d", in.channels(), in.maps)),
      filters_(filters),
      time_(window.time),
      frequency_(window.frequency),
      activation_(activation),
      use_bias_(use_bias) {
  window.check("conv2d", in_.bins);
  if (filters < 1) throw Error(ErrorCode::usage, "conv2d", "filters below 1").got(std::to_string(filters));
  out_bins_ = frequency_.out_length(in_.bins);
  left_ = frequency_.left(in_.bins);
  // The zeros in front of a frame end the windows of the frame before it.
  const Index reach = (out_bins_ - 1) * frequency_.stride;
  width_ = std::max(left_ + in_.bins, reach + frequency_.size - left_);
  back_width_ = std::max(back_bins() + reach + 1, in_.bins + left_);
}

template <class S>
std::string Conv2D<S>::summary() const {
  std::string text = std::to_string(filters_) + " filters, kernel " + size_text(time_.size, frequency_.size);
  if (strided()) text += ", stride " + size_text(time_.stride, frequency_.stride);
  return text + ", " + padding_name(time_.padding) + ", " + activation_name(activation_) +
         (use_bias_ ? "" : ", no bias") + ", " + std::to_string(in_.bins) + " frequencies to " +
         std::to_string(out_bins_);
}

template <class S>
std::vector<ParameterSpec> Conv2D<S>::parameters() const {
  const Index area = time_.size * frequency_.size;
  std::vector<ParameterSpec> specs = {{"kernel",
                                       {time_.size, frequency_.size, in_.maps, filters_},
                                       Init::glorot_uniform,
                                       area * in_.maps,
                                       area * filters_,
                                       true,
                                       true}};
  if (use_bias_) specs.push_back({"bias", {filters_}, Init::zeros, 0, 0, true, false});
  return specs;
}

template <class S>
Plan Conv2D<S>::plan(Shape in, Mode mode) const {
  if (in.channels != in_.channels()) {
    throw Error(ErrorCode::usage, "conv2d", "wrong number of input channels")
        .expected(std::to_string(in_.channels()))
        .got(std::to_string(in.channels));
  }
  Plan plan;
  plan.out = {in.batch, time_.out_length(in.time), out_bins_ * filters_};
  Slices<S> slices(nullptr);
  Scratch(*this, slices, in.time, mode);
  plan.scratch = slices.used();
  if (mode == Mode::training && activation_needs_input(activation_)) plan.saved = plan.out.size();
  return plan;
}

template <class S>
double Conv2D<S>::multiply_adds(Shape in) const {
  return static_cast<double>(time_.out_length(in.time) * out_bins_) * static_cast<double>(time_.size * piece_rows()) *
         static_cast<double>(filters_);
}

template <class S>
Index Conv2D<S>::block_frames() const {
  return strided() ? 1 : std::max<Index>(kProductRows / width_, 1);
}

// The n frames of x between the zeros that the windows of `out` output frames reach into; x itself where there are
// none.
template <class S>
const S* Conv2D<S>::padded_input(const S* x, Index n, Index out, S* plane) const noexcept {
  const Index left = time_.left(n), needed = (out - 1) * time_.stride + time_.size;
  if (left == 0 && needed <= n && width_ == in_.bins) return x;  // so left_ is 0
  const Index copied = std::min(n, needed - left), channels = in_.channels();
  const Index front = left_ * in_.maps, back = width_ * in_.maps - front - channels;
  S* to = std::fill_n(plane, left * width_ * in_.maps, S(0));
  for (Index t = 0; t < copied; ++t) {
    to = std::fill_n(to, front, S(0));
    to = std::copy_n(x + t * channels, channels, to);
    to = std::fill_n(to, back, S(0));
  }
  std::fill(to, plane + (needed * width_ + left_) * in_.maps, S(0));
  return plane;
}

template <class S>
Index Conv2D<S>::packed_weights_size(const Packing& packing) const {
  Slices<S> slices(nullptr);
  Packed<S>(*this, slices, packing);
  return slices.used();
}

template <class S>
void Conv2D<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  const Index times = time_.size, width = frequency_.size, maps = in_.maps, n = filters_;
  Slices<S> slices(packed);
  const Packed<S> to(*this, slices, packing);
  for (Index i = 0; i < times; ++i) {
    const S* piece = p[0] + i * width * maps * n;
    pack(Trans::no, piece_rows(), n, piece, n, to.kernel + i * to.piece, packing.precision);
    if (packing.mode != Mode::training) continue;
    // Rows m of (J N) with W[i, J-1-j, m, n] at (j, n).
    for (Index m = 0; m < maps; ++m) {
      for (Index j = 0; j < width; ++j)
        std::copy_n(piece + ((width - 1 - j) * maps + m) * n, n, to.flipped + (m * width + j) * n);
    }
    pack(Trans::yes, width * n, maps, to.flipped, width * n, to.back + (times - 1 - i) * to.back_piece,
         packing.precision);
  }
}

template <class S>
void Conv2D<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const bool keep = f.mode == Mode::training && activation_needs_input(activation_);
  const Index frame = width_ * in_.maps;
  const Epilogue<S> end = epilogue_of(activation_, use_bias_ ? p[1] : nullptr);
  Slices<S> slices(f.scratch);
  const Scratch s(*this, slices, x.shape.time, f.mode);
  Correlation<S> c{time_.size,
                   piece_rows(),
                   filters_,
                   frame,
                   time_.stride * frame,
                   frequency_.stride * in_.maps,
                   0,
                   out_bins_,
                   f.packed,
                   part_size(packed_size<S>(piece_rows(), filters_, f.precision))};
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n);
    if (out > 0) {
      S* to = y.sample(b);
      c.frames = out;
      correlate(padded_input(x.sample(b), n, out, s.plane), c, to, end);
      finish_activation(activation_, out * out_bins_, filters_, to, keep ? f.saved + (to - y.data) : nullptr);
    }
    zero_frames(y, b, out);
  }
}

template <class S>
void Conv2D<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                         const Frame<S>& f, Params<S> grads) const noexcept {
  Slices<S> slices(f.scratch);
  Slices<const S> packed_slices(f.packed);
  const Scratch s(*this, slices, x.shape.time, f.mode);
  const Packed<const S> packed(*this, packed_slices, {f.mode, f.precision});
  const bool saved_input = activation_needs_input(activation_);
  const Index row = out_bins_ * filters_;

  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index n = x.length(b), out = out_length(n);
    if (out > 0) {
      // Without strides dz lies at once where input_gradient() wants it.
      const Index dz_row = strided() ? row : back_width_ * filters_;
      S* dz = strided() ? s.dz : s.back + back_frames(n) * dz_row + back_bins() * filters_;
      if (!strided()) std::fill(s.back, dz, S(0));
      for (Index t = 0; t < out; ++t) {
        const Index at = y.frame(b, t) - y.data;
        finish_activation_backward(activation_, out_bins_, filters_, saved_input ? f.saved + at : nullptr, y.data + at,
                                   dy.data + at, dz + t * dz_row, use_bias_ ? grads[1] : nullptr);
        std::fill(dz + t * dz_row + row, dz + (t + 1) * dz_row, S(0));
      }
      if (!strided()) std::fill(dz + out * dz_row, s.back + back_size(n), S(0));
      add_kernel_gradient(padded_input(x.sample(b), n, out, s.plane), dz, out, s, f.precision, grads[0]);
      if (dx.data != nullptr) {
        if (strided()) spread(dz, n, out, s.back);
        input_gradient(s.back, n, packed, dx.sample(b));
      }
    }
    if (dx.data != nullptr) zero_frames(dx, b, out > 0 ? n : 0);
  }
}

// Without strides a product takes whole frames of both planes, in which the windows that are none meet zeros of dz.
template <class S>
void Conv2D<S>::add_kernel_gradient(const S* plane, const S* dz, Index out, const Scratch& s, Precision precision,
                                    S* grad) const noexcept {
  const Index frame = width_ * in_.maps, rows_of_frame = strided() ? out_bins_ : back_width_;
  for (Index t = 0; t < out; t += block_frames()) {
    const Index frames = std::min(block_frames(), out - t), rows = (frames - 1) * rows_of_frame + out_bins_;
    pack(Trans::no, rows, filters_, dz + t * rows_of_frame * filters_, filters_, s.packed_dz,
         activation_precision(precision));
    for (Index i = 0; i < time_.size; ++i) {
      gemm_packed(Trans::yes, piece_rows(), filters_, rows, plane + (t * time_.stride + i) * frame,
                  frequency_.stride * in_.maps, s.packed_dz, true, grad + i * piece_rows() * filters_, filters_);
    }
  }
}

// dz (out, F', N) into its plane, strides apart.
template <class S>
void Conv2D<S>::spread(const S* dz, Index n, Index out, S* plane) const noexcept {
  std::fill_n(plane, back_size(n), S(0));
  for (Index t = 0; t < out; ++t) {
    S* to = plane + ((back_frames(n) + t * time_.stride) * back_width_ + back_bins()) * filters_;
    for (Index j = 0; j < out_bins_; ++j) {
      std::copy_n(dz + (t * out_bins_ + j) * filters_, filters_, to + j * frequency_.stride * filters_);
    }
  }
}

template <class S>
void Conv2D<S>::input_gradient(const S* plane, Index n, const Packed<const S>& packed, S* dx) const noexcept {
  const Index frame = back_width_ * filters_;
  correlate(plane,
            {time_.size, frequency_.size * filters_, in_.maps, frame, frame, filters_, n, in_.bins, packed.back,
             packed.back_piece},
            dx, Epilogue<S>{});
}

template class Conv2D<float>;
template class Conv2D<double>;

}  // namespace serene
