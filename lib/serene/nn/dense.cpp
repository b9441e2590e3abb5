#include "serene/nn/dense.h"

#include <algorithm>

#include "serene/nn/products.h"

namespace serene {

template <class S>
struct Dense<S>::BackwardScratch {
  BackwardScratch(Slices<S>& slices, Shape in, Index units)
      : dz(slices.take(in.batch * in.time * units)), product(slices, in.batch * in.time, in.channels, units) {}
  S* dz;
  ProductScratch<S> product;
};

template <class S>
Dense<S>::Dense(Index channels, Index units, Activation activation, bool use_bias)
    : channels_(channels), units_(units), activation_(activation), use_bias_(use_bias) {
  if (channels < 1) throw Error(ErrorCode::usage, "dense", "no input channels");
  if (units < 1) throw Error(ErrorCode::usage, "dense", "units below 1").got(std::to_string(units));
}

template <class S>
std::string Dense<S>::summary() const {
  return std::to_string(units_) + " units, " + activation_name(activation_) + (use_bias_ ? "" : ", no bias");
}

template <class S>
std::vector<ParameterSpec> Dense<S>::parameters() const {
  std::vector<ParameterSpec> specs = {
      {"kernel", {channels_, units_}, Init::glorot_uniform, channels_, units_, true, true}};
  if (use_bias_) specs.push_back({"bias", {units_}, Init::zeros, 0, 0, true, false});
  return specs;
}

template <class S>
Plan Dense<S>::plan(Shape in, Mode mode) const {
  if (in.channels != channels_) {
    throw Error(ErrorCode::usage, "dense", "wrong number of input channels")
        .expected(std::to_string(channels_))
        .got(std::to_string(in.channels));
  }
  Plan plan;
  plan.out = {in.batch, in.time, units_};
  if (mode == Mode::training) {
    Slices<S> slices(nullptr);
    BackwardScratch(slices, in, units_);
    if (activation_needs_input(activation_)) plan.saved = plan.out.size();
    plan.scratch = slices.used();
  }
  return plan;
}

template <class S>
double Dense<S>::multiply_adds(Shape in) const {
  return static_cast<double>(in.time) * static_cast<double>(channels_) * static_cast<double>(units_);
}

template <class S>
Index Dense<S>::packed_weights_size(const Packing& packing) const {
  const Index backward =
      packing.mode == Mode::training ? part_size(packed_size<S>(units_, channels_, packing.precision)) : 0;
  return part_size(packed_size<S>(channels_, units_, packing.precision)) + backward;
}

template <class S>
void Dense<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  Slices<S> slices(packed);
  pack(Trans::no, channels_, units_, p[0], units_, slices.take(packed_size<S>(channels_, units_, packing.precision)),
       packing.precision);
  if (packing.mode != Mode::training) return;
  pack(Trans::yes, units_, channels_, p[0], units_, slices.take(packed_size<S>(units_, channels_, packing.precision)),
       packing.precision);
}

template <class S>
void Dense<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const bool keep = f.mode == Mode::training && activation_needs_input(activation_);
  for_valid_rows(x, [&](Index first, Index rows) {
    S* to = y.data + first * units_;
    gemm_packed(Trans::no, rows, units_, channels_, x.data + first * channels_, channels_, f.packed, false, to, units_,
                epilogue_of(activation_, use_bias_ ? p[1] : nullptr));
    finish_activation(activation_, rows, units_, to, keep ? f.saved + first * units_ : nullptr);
  });
  zero_padding(y, x);
}

template <class S>
void Dense<S>::backward(Params<const S>, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                        const Frame<S>& f, Params<S> grads) const noexcept {
  Slices<S> slices(f.scratch);
  const BackwardScratch s(slices, x.shape, units_);
  const bool saved_input = activation_needs_input(activation_);
  const S* transposed = f.packed + part_size(packed_size<S>(channels_, units_, f.precision));
  for_valid_rows(x, [&](Index first, Index rows) {
    const Index at = first * units_;
    finish_activation_backward(activation_, rows, units_, saved_input ? f.saved + at : nullptr, y.data + at,
                               dy.data + at, s.dz + at, use_bias_ ? grads[1] : nullptr);
    if (dx.data == nullptr) return;
    gemm_packed(Trans::no, rows, channels_, units_, s.dz + at, units_, transposed, false, dx.data + first * channels_,
                channels_);
  });
  add_products<S>(x, {{channels_, x.data, grads[0]}}, units_, s.dz, nullptr, s.product, f.precision);
  if (dx.data != nullptr) zero_padding(dx, x);
}

template class Dense<float>;
template class Dense<double>;

}  // namespace serene
