#include "serene/nn/dense.h"

#include <algorithm>

#include "serene/core/gemm.h"
#include "serene/nn/sequence_ops.h"

namespace serene {

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
  plan.scratch = part_size(packed_size<S>(channels_, units_));
  if (mode == Mode::training) {
    const Index rows = in.batch * in.time;
    if (activation_needs_input(activation_)) plan.saved = plan.out.size();
    plan.scratch = std::max(plan.scratch, part_size(rows * units_) + part_size(packed_size<S>(rows, units_)) +
                                              part_size(packed_size<S>(units_, channels_)));
  }
  return plan;
}

template <class S>
double Dense<S>::multiply_adds(Shape in) const {
  return static_cast<double>(in.time) * static_cast<double>(channels_) * static_cast<double>(units_);
}

template <class S>
void Dense<S>::forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept {
  const bool keep = f.mode == Mode::training && activation_needs_input(activation_);
  pack(Trans::no, channels_, units_, p[0], units_, f.scratch);
  for_valid_rows(x, [&](Index first, Index rows) {
    S* to = y.data + first * units_;
    gemm_packed(Trans::no, rows, units_, channels_, x.data + first * channels_, channels_, f.scratch, false, to,
                units_);
    add_bias_activate(activation_, rows, units_, use_bias_ ? p[1] : nullptr, to,
                      keep ? f.saved + first * units_ : nullptr);
  });
  zero_padding(y, x);
}

template <class S>
void Dense<S>::backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                        const Frame<S>& f, Params<S> grads) const noexcept {
  const Index all_rows = x.shape.batch * x.shape.time;
  Parts<S> parts(f.scratch);
  S* dz = parts.take(all_rows * units_);
  S* packed_dz = parts.take(packed_size<S>(all_rows, units_));
  S* packed_kernel = parts.take(packed_size<S>(units_, channels_));
  const bool saved_input = activation_needs_input(activation_);
  if (dx.data != nullptr) pack(Trans::yes, units_, channels_, p[0], units_, packed_kernel);

  for_valid_rows(x, [&](Index first, Index rows) {
    const Index at = first * units_;
    S* d = dz + at;
    add_bias_activate_backward(activation_, rows, units_, saved_input ? f.saved + at : nullptr, y.data + at,
                               dy.data + at, d, use_bias_ ? grads[1] : nullptr);
    const S* input = x.data + first * channels_;
    gemm(Trans::yes, Trans::no, channels_, units_, rows, input, channels_, d, units_, true, grads[0], units_,
         packed_dz);
    if (dx.data == nullptr) return;
    gemm_packed(Trans::no, rows, channels_, units_, d, units_, packed_kernel, false, dx.data + first * channels_,
                channels_);
  });
  if (dx.data != nullptr) zero_padding(dx, x);
}

template class Dense<float>;
template class Dense<double>;

}  // namespace serene
