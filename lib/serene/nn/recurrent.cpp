#include "serene/nn/recurrent.h"

namespace serene {
namespace {

void check_positive(const std::string& type, const char* what, Index value) {
  if (value >= 1) return;
  throw Error(ErrorCode::usage, type, std::string("bad number of ") + what)
      .expected("at least 1")
      .got(std::to_string(value));
}

}  // namespace

template <class S>
RecurrentLayer<S>::RecurrentLayer(const char* type, Index gates, Index in_channels, RecurrentOptions options)
    : in_channels_(in_channels), options_(options), columns_(gates * options.units), type_(type) {
  check_positive(type_, "units", options.units);
  check_positive(type_, "input channels", in_channels);
}

template <class S>
std::string RecurrentLayer<S>::summary() const {
  const RecurrentOptions& o = options_;
  std::string text = std::to_string(o.units) + (o.return_sequences ? " units, sequence" : " units, last state");
  if (o.return_sequences && o.masked_output == MaskedOutput::carry) text += ", carry";
  if (o.go_backwards) text += ", backwards";
  return text;
}

template <class S>
double RecurrentLayer<S>::multiply_adds(Shape in) const {
  const double u = static_cast<double>(options_.units), columns = static_cast<double>(columns_);
  return static_cast<double>(in.time) * (columns * (static_cast<double>(in_channels_) + u) + 3 * u);
}

template <class S>
Shape RecurrentLayer<S>::out_shape(Shape in) const {
  if (in.channels != in_channels_)
    throw Error(ErrorCode::usage, type_, "wrong number of input channels")
        .expected(std::to_string(in_channels_))
        .got(to_string(in));
  return {in.batch, options_.return_sequences ? in.time : 1, options_.units};
}

template <class S>
Index RecurrentLayer<S>::packed_weights_size(const Packing& packing) const {
  Slices<S> slices(nullptr);
  PackedRecurrent<S>(slices, in_channels_, options_.units, columns_, packing);
  return slices.used();
}

template <class S>
void RecurrentLayer<S>::pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept {
  Slices<S> slices(packed);
  const PackedRecurrent<S> to(slices, in_channels_, options_.units, columns_, packing);
  const auto pack_both = [&](Index rows, const S* weights, S* forward, S* backward) {
    pack(Trans::no, rows, columns_, weights, columns_, forward, packing.precision);
    if (backward != nullptr) pack(Trans::yes, columns_, rows, weights, columns_, backward, packing.precision);
  };
  pack_both(in_channels_, p[0], to.kernel, to.kernel_back);
  pack_both(options_.units, p[1], to.recurrent, to.recurrent_back);
}

template <class S>
PackedRecurrent<const S> RecurrentLayer<S>::packed_weights(const Frame<S>& f) const noexcept {
  Slices<const S> slices(f.packed);
  return {slices, in_channels_, options_.units, columns_, {f.mode, f.precision}};
}

template <class S>
void RecurrentLayer<S>::project(SeqView<const S> x, const PackedRecurrent<const S>& weights, const S* bias,
                                S* sums) const noexcept {
  for_valid_rows(x, [&](Index first, Index rows) {
    gemm_packed<S>(Trans::no, rows, columns_, in_channels_, x.data + first * in_channels_, in_channels_, weights.kernel,
                   false, sums + first * columns_, columns_, {.bias = bias});
  });
}

template <class S>
void RecurrentLayer<S>::input_gradient(const PackedRecurrent<const S>& weights, const S* d_sums,
                                       SeqView<S> dx) const noexcept {
  if (dx.data == nullptr) return;
  for_valid_rows(dx, [&](Index first, Index rows) {
    gemm_packed(Trans::no, rows, in_channels_, columns_, d_sums + first * columns_, columns_, weights.kernel_back,
                false, dx.data + first * in_channels_, in_channels_);
  });
  zero_padding(dx, in_channels_, dx.data);
}

template <class S>
void RecurrentLayer<S>::finish_output(SeqView<const S> x, const S* state, SeqView<S> y) const noexcept {
  const Index units = options_.units;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const S* h = state + b * units;
    if (!options_.return_sequences) {
      std::copy_n(h, units, y.sample(b));
      continue;
    }
    for (Index t = x.length(b); t < x.shape.time; ++t) {
      if (options_.masked_output == MaskedOutput::carry) std::copy_n(h, units, y.frame(b, t));
      else std::fill_n(y.frame(b, t), units, S(0));
    }
  }
}

template <class S>
void RecurrentLayer<S>::start_state_gradient(SeqView<const S> x, SeqView<const S> dy, const S* given,
                                             S* dh) const noexcept {
  const Index units = options_.units;
  recurrent::copy_or_zero(x.shape.batch * units, given, dh);
  for (Index b = 0; b < x.shape.batch; ++b) {
    if (!options_.return_sequences) {
      sum_columns(1, units, dy.sample(b), dh + b * units);
    } else if (options_.masked_output == MaskedOutput::carry) {
      sum_columns(x.shape.time - x.length(b), units, dy.frame(b, x.length(b)), dh + b * units);
    }
  }
}

template <class S>
void RecurrentLayer<S>::add_later_gradients(SeqView<const S> x, SeqView<const S> dy, Index t, const S* d_sums,
                                            const PackedRecurrent<const S>& weights, S* dh) const noexcept {
  const Index units = options_.units, later = t + (options_.go_backwards ? -1 : 1);
  for (Index b = 0; options_.return_sequences && b < x.shape.batch; ++b) {
    if (t < x.length(b)) sum_columns(1, units, dy.frame(b, t), dh + b * units);
  }
  if (later < 0 || later >= longest_sample(x)) return;
  gemm_packed(Trans::no, x.shape.batch, units, columns_, d_sums + later * columns_, x.shape.time * columns_,
              weights.recurrent_back, true, dh, units);
}

template <class S>
void RecurrentLayer<S>::previous_states(SeqView<const S> x, const S* states, const S* initial,
                                        S* previous) const noexcept {
  const Index units = options_.units, time = x.shape.time;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const Index length = x.length(b), first = recurrent::first_frame(options_, length);
    if (length == 0) continue;
    const S* from = states + b * time * units;
    S* to = previous + b * time * units;
    if (options_.go_backwards) std::copy_n(from + units, (length - 1) * units, to);
    else std::copy_n(from, (length - 1) * units, to + units);
    recurrent::copy_or_zero(units, initial != nullptr ? initial + b * units : nullptr, to + first * units);
  }
}

template class RecurrentLayer<float>;
template class RecurrentLayer<double>;

}  // namespace serene
