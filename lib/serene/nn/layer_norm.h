// Layer normalisation (Ba, Kiros and Hinton 2016) over the channels of a frame. (B,T,C) -> (B,T,C)
//
//   m, v = mean and biased variance over c;  xhat = (x - m) / sqrt(v + epsilon);  y = gamma xhat + beta
//   g = gamma dy;  dx = (g - mean(g) - xhat mean(g xhat)) / sqrt(v + epsilon)
#pragma once

#include <string>
#include <vector>

#include "serene/nn/layer.h"

namespace serene {

// Parameters: gamma (C), beta (C).
template <class S>
class LayerNorm final : public Layer<S> {
 public:
  // Throws Error(usage) unless epsilon > 0.
  explicit LayerNorm(Index channels, double epsilon = 1e-3);

  std::string type() const override { return "layer_norm"; }
  std::string summary() const override;
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  double epsilon() const noexcept { return epsilon_; }

 private:
  Index channels_;
  double epsilon_;
};

extern template class LayerNorm<float>;
extern template class LayerNorm<double>;

}  // namespace serene
