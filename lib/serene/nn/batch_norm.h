// Batch normalisation (Ioffe and Szegedy 2015) over all axes but the last. (B,T,C) -> (B,T,C)
//
// With fewer statistics than inputs, frames are grids (nn/grid.h): C statistics for the C maps of F frequencies, which
// share them, so that (B,T,F C) is read as (B,T F,C).
//
// training:  m_c, v_c = mean and biased variance over the N valid frames of the whole batch,
//            xhat = (x - m) / sqrt(v + epsilon), y = gamma xhat + beta
//            dx = gamma / sqrt(v + epsilon) (dy - mean(dy) - xhat mean(dy xhat))
//            commit: moving = momentum moving + (1 - momentum) batch, for mean and (biased, as in Keras) variance
// inference: the same with the moving statistics, which are constants for the gradient.
//
// In training each pass has one synchronisation point (nn/layer.h), whose sums give m, v and the means of the gradient:
// N, sums of x and of x x in forward; N, sums of dy and of dy (x - m) in backward. A shard sums in double in the order
// of its frames: the product of two floats is exact there, so that v = E[x x] - m m loses no more to cancellation than
// x itself has lost to float. backward works in both modes.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/layer.h"

namespace serene {

// Parameters: gamma (C), beta (C), moving_mean (C), moving_variance (C); the last two are not trained.
template <class S>
class BatchNorm final : public Layer<S> {
 public:
  // channels: statistics, a divisor of the inputs; 0: one for each input. Throws Error(usage) unless they divide,
  // 0 <= momentum <= 1 and epsilon > 0.
  explicit BatchNorm(Index inputs, double momentum = 0.99, double epsilon = 1e-3, Index channels = 0);

  std::string type() const override { return "batch_norm"; }
  std::string summary() const override;
  std::vector<ParameterSpec> parameters() const override;
  Plan plan(Shape in, Mode mode) const override;
  std::vector<Index> sync_points(Pass) const override { return {1 + 2 * channels_}; }
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;
  void commit(const Frame<S>& f, Params<S> p) const noexcept override;

  double epsilon() const noexcept { return epsilon_; }

 private:
  struct Statistics;
  void normalise(Params<const S> p, SeqView<const S> x, SeqView<S> y, const S* mean, const S* variance,
                 const Frame<S>& f) const noexcept;
  // Adds this shard's part to the gradients of gamma and beta; sums: what it gives at backward's point.
  void parameter_gradients(SeqView<const S> x, SeqView<const S> dy, const S* mean, const S* variance, double* sums,
                           Params<S> grads) const noexcept;
  void input_gradient(Params<const S> p, SeqView<const S> x, SeqView<const S> dy, SeqView<S> dx, const S* batch_mean,
                      const S* variance, const Frame<S>& f) const noexcept;

  Index inputs_, channels_;
  double momentum_, epsilon_;
};

extern template class BatchNorm<float>;
extern template class BatchNorm<double>;

}  // namespace serene
