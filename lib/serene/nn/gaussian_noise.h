// Additive noise: y = x + stddev e, e standard normal, in training; y = x in inference (Keras' GaussianNoise; Bishop:
// Training with noise is equivalent to Tikhonov regularization, 1995). (B,T,C) -> (B,T,C); dx = dy. No parameters.
//
// The numbers of a sample follow its elements t C + c and nn/sample_random.h: padding, shards and threads do not change
// them.
#pragma once

#include <string>

#include "serene/nn/layer.h"

namespace serene {

template <class S>
class GaussianNoise final : public Layer<S> {
 public:
  // Throws Error(usage) unless 0 <= stddev <= 1e6.
  explicit GaussianNoise(double stddev);

  std::string type() const override { return "gaussian_noise"; }
  std::string summary() const override;
  Plan plan(Shape in, Mode) const override { return {in, 0, 0}; }
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

 private:
  double stddev_;
};

extern template class GaussianNoise<float>;
extern template class GaussianNoise<double>;

}  // namespace serene
