// Two recurrent layers that read a sequence in both directions (Schuster, Paliwal: Bidirectional recurrent neural
// networks, 1997). x (B,T,C), y (B,T,2U) or (B,1,2U):  y_t = concat(forward_t, backward_t), backward in natural time
// order.
//
// The backward layer begins at each sample's own last valid frame. Padded frames of y are zero, as Keras forces them to
// be. A layer that returns the last state gives concat(forward state after the last valid frame, backward state after
// frame 0). Parameters are those of the two layers with the prefixes "fw_" and "bw_".
#pragma once

#include "serene/nn/gru.h"
#include "serene/nn/lstm.h"

namespace serene {

template <class S>
class Bidirectional final : public Layer<S> {
 public:
  // forward_layer reads forwards, backward_layer backwards, both with masked output zero. Throws Error(usage) when one
  // is missing or has synchronisation points.
  Bidirectional(LayerPtr<S> forward_layer, LayerPtr<S> backward_layer);

  std::string type() const override { return "bidirectional"; }
  std::string summary() const override { return forward_->type() + " both ways, " + forward_->summary(); }
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index n) const override { return forward_->out_length(n); }
  double multiply_adds(Shape in) const override { return forward_->multiply_adds(in) + backward_->multiply_adds(in); }
  Index packed_weights_size(const Packing& packing) const override {
    return part_size(forward_->packed_weights_size(packing)) + backward_->packed_weights_size(packing);
  }
  void pack_weights(Params<const S> p, const Packing& packing, S* packed) const noexcept override;

  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  const Layer<S>& forward_layer() const noexcept { return *forward_; }    // reads forwards
  const Layer<S>& backward_layer() const noexcept { return *backward_; }  // reads backwards

 private:
  struct Scratch;
  Frame<S> backward_frame(const Frame<S>& forward, const Plan& forward_plan) const noexcept;

  LayerPtr<S> forward_, backward_;
  Index forward_parameters_;
};

// A bidirectional LSTM or GRU of `options.units` units per direction; go_backwards and masked_output of `options` do
// not matter.
template <class S, template <class> class Recurrent>
LayerPtr<S> make_bidirectional(Index in_channels, RecurrentOptions options) {
  options.masked_output = MaskedOutput::zero;
  options.go_backwards = false;
  LayerPtr<S> forward = std::make_shared<Recurrent<S>>(in_channels, options);
  options.go_backwards = true;
  return std::make_shared<Bidirectional<S>>(std::move(forward), std::make_shared<Recurrent<S>>(in_channels, options));
}

extern template class Bidirectional<float>;
extern template class Bidirectional<double>;

}  // namespace serene
