// Activations: y = a(z), element by element or over the channels of a frame. Fused into dense and conv1d, and a layer.
//
//   relu         max(z, 0)
//   leaky_relu   z, or 0.3 z below 0
//   elu          z, or e^z - 1 below 0
//   sigmoid      s(z) = 1 / (1 + e^-z)
//   tanh
//   softplus     ln(1 + e^z)
//   swish        z s(z)                                                          (Ramachandran et al. 2017)
//   gelu         z Phi(z)                                                        (Hendrycks and Gimpel 2016)
//   gelu_tanh    z (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))) / 2                 (the same)
//   softmax      e^z_c / sum e^z
//   log_softmax  z_c - ln sum e^z
//
// No finite input overflows or gives a NaN. Everything here is thread-safe and allocates nothing.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/layer.h"

namespace serene {

enum class Activation {
  linear,
  relu,
  leaky_relu,
  elu,
  gelu,
  gelu_tanh,
  sigmoid,
  tanh,
  softplus,
  swish,
  softmax,
  log_softmax
};

// Throws Error(usage) that lists the names.
Activation parse_activation(const std::string& name);
const char* activation_name(Activation a) noexcept;
const std::vector<std::string>& activation_names();

// True when the gradient needs z itself; for the others y is enough.
bool activation_needs_input(Activation a) noexcept;

// z (rows, channels), contiguous, becomes y.
template <class S>
void activate(Activation a, Index rows, Index channels, S* z) noexcept;

// dz = a'(z) dy. z is read only when activation_needs_input(a); dz may be dy.
template <class S>
void activate_backward(Activation a, Index rows, Index channels, const S* z, const S* y, const S* dy, S* dz) noexcept;

// The end of a layer with weights: y = a(x W + b). epilogue_of() goes into the product, finish_activation() over its
// result y (rows, channels), contiguous. bias may be nullptr; pre (may be nullptr) receives x W + b, and must be
// nullptr unless activation_needs_input(a).
template <class S>
Epilogue<S> epilogue_of(Activation a, const S* bias) noexcept {
  return {.bias = bias, .relu = a == Activation::relu};
}
template <class S>
void finish_activation(Activation a, Index rows, Index channels, S* y, S* pre) noexcept;

// Its gradient: dz = a'(z) dy and dbias += sum of dz over the rows (dbias may be nullptr). pre, y: of
// finish_activation.
template <class S>
void finish_activation_backward(Activation a, Index rows, Index channels, const S* pre, const S* y, const S* dy, S* dz,
                                S* dbias) noexcept;

// y = a(x) on the valid frames. (B,T,C) -> (B,T,C)
template <class S>
class ActivationLayer final : public Layer<S> {
 public:
  explicit ActivationLayer(Activation activation) : activation_(activation) {}  // any activation

  std::string type() const override { return "activation"; }
  std::string summary() const override { return activation_name(activation_); }
  Plan plan(Shape in, Mode mode) const override;
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  Activation activation() const noexcept { return activation_; }

 private:
  Activation activation_;
};

extern template class ActivationLayer<float>;
extern template class ActivationLayer<double>;

}  // namespace serene
