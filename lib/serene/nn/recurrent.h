// What LSTM, GRU and Bidirectional share: options, packed weights, the walk through time, and the plumbing between
// padded batches and products.
//
// Direction. A recurrent layer visits the frames 0..L-1, or L-1..0 with go_backwards; each sample begins at its own
// first frame in that direction, and the output stays in natural time order. At step t all samples with t < L[b] are
// alive, in both directions.
#pragma once

#include <algorithm>
#include <string>
#include <type_traits>

#include "serene/nn/layer.h"
#include "serene/nn/products.h"
#include "serene/nn/slices.h"
#include "serene/nn/valid_frames.h"

namespace serene {

// What a layer that returns sequences writes to padded frames: zeros, or the last state (Keras' default).
enum class MaskedOutput { zero, carry };

struct RecurrentOptions {
  Index units = 0;
  bool return_sequences = true;  // false: y (B,1,U) is the state after the last visited frame
  MaskedOutput masked_output = MaskedOutput::zero;
  bool go_backwards = false;
};

// The packed weights of a layer: W (in, columns), R (units, columns), and in training both transposed. S may be const.
template <class S>
struct PackedRecurrent {
  // in: C, columns: gates times units.
  PackedRecurrent(Slices<S>& slices, Index in, Index units, Index columns, const Packing& packing) {
    const auto take = [&](Index k, Index n) {
      return slices.take(packed_size<std::remove_const_t<S>>(k, n, packing.precision));
    };
    kernel = take(in, columns);
    recurrent = take(units, columns);
    if (packing.mode != Mode::training) return;
    kernel_back = take(columns, in);
    recurrent_back = take(columns, units);
  }
  S *kernel, *recurrent, *kernel_back = nullptr, *recurrent_back = nullptr;
};

namespace recurrent {

// The frame a sample of L >= 1 valid frames begins with.
inline Index first_frame(const RecurrentOptions& o, Index length) { return o.go_backwards ? length - 1 : 0; }

// Calls at_step(t) for the frames of the longest sample in order, or from the last to the first, and after it
// at_sample(b, t) for every sample that is alive there.
template <class S, class Step, class Sample>
void walk(bool descending, const SeqView<S>& x, Step&& at_step, Sample&& at_sample) {
  const Index longest = longest_sample(x);
  for (Index i = 0; i < longest; ++i) {
    const Index t = descending ? longest - 1 - i : i;
    at_step(t);
    for (Index b = 0; b < x.shape.batch; ++b) {
      if (t < x.length(b)) at_sample(b, t);
    }
  }
}

// Copies n given scalars, or zeros when there are none.
template <class S>
void copy_or_zero(Index n, const S* src, S* dst) {
  if (src != nullptr) std::copy_n(src, n, dst);
  else std::fill_n(dst, n, S(0));
}

}  // namespace recurrent

// A layer with parameters kernel W (C, columns), recurrent R (U, columns) and a bias, columns = gates * U. "Sums" are
// the arguments of the gates, one row of `columns` per frame.
template <class S>
class RecurrentLayer : public Layer<S> {
 public:
  std::string type() const override { return type_; }
  std::string summary() const override;
  Index out_length(Index n) const override { return options_.return_sequences ? n : 1; }
  double multiply_adds(Shape in) const override;
  Index packed_weights_size(const Packing& packing) const override;
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;
  const RecurrentOptions& options() const { return options_; }

 protected:
  // Throws Error(usage) unless in_channels and units are positive.
  RecurrentLayer(const char* type, Index gates, Index in_channels, RecurrentOptions options);

  // Throws Error(usage) unless the input has the channels the layer was made for.
  Shape out_shape(Shape in) const;
  PackedRecurrent<const S> packed_weights(const Frame<S>& f) const noexcept;

  // sums = x W + bias on the valid frames. All input projections are one product.
  void project(SeqView<const S> x, const PackedRecurrent<const S>& weights, const S* bias, S* sums) const noexcept;
  // dx = d_sums W', zero where dx is padded; dx may be null.
  void input_gradient(const PackedRecurrent<const S>& weights, const S* d_sums, SeqView<S> dx) const noexcept;

  // What is left of y after the walk: padded frames, or the one frame of a layer that returns the last state.
  void finish_output(SeqView<const S> x, const S* state, SeqView<S> y) const noexcept;
  // Gradient of the final state: what was given for it (may be nullptr), the gradient of the last state, and with
  // `carry` that of the padded frames which repeat it.
  void start_state_gradient(SeqView<const S> x, SeqView<const S> dy, const S* given, S* dh) const noexcept;
  // dh (B,U) += dy_t + d_sums R' of the step that forward visited after t. d_sums is zero where x is padded.
  void add_later_gradients(SeqView<const S> x, SeqView<const S> dy, Index t, const S* d_sums,
                           const PackedRecurrent<const S>& weights, S* dh) const noexcept;
  // The state before each valid frame, from the states after the frames and those before the first (nullptr: zeros).
  void previous_states(SeqView<const S> x, const S* states, const S* initial, S* previous) const noexcept;

  Index in_channels_;
  RecurrentOptions options_;
  Index columns_;

 private:
  std::string type_;
};

extern template class RecurrentLayer<float>;
extern template class RecurrentLayer<double>;

}  // namespace serene
