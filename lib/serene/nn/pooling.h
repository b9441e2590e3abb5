// Pooling over time. (B,T,C) -> (B,T',C), see window.h for T'; the global ones (B,T,C) -> (B,1,C).
//
//   max:     y[o,c] = max over the window's real frames (padding counts as -infinity); the gradient goes to the first
//            maximum, which backward finds again in x.
//   average: y[o,c] = mean over the window's real frames; every real frame gets dy / count.
//   global:  the same over all valid frames of a sample; a sample without frames gives zeros.
#pragma once

#include <string>

#include "serene/nn/layer.h"
#include "serene/nn/window.h"

namespace serene {

enum class Pool { max, average };

// No parameters. Keras' MaxPooling1D and AveragePooling1D.
template <class S>
class Pooling1D final : public Layer<S> {
 public:
  // Throws Error(usage) for sizes out of range, a dilation or causal padding.
  Pooling1D(Pool kind, Window window);

  std::string type() const override { return kind_ == Pool::max ? "max_pooling1d" : "average_pooling1d"; }
  std::string summary() const override;
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index n) const override { return window_.out_length(n); }
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  Pool kind() const noexcept { return kind_; }
  const Window& window() const noexcept { return window_; }

 private:
  Pool kind_;
  Window window_;
};

// No parameters. Keras' GlobalMaxPooling1D and (with a mask) GlobalAveragePooling1D.
template <class S>
class GlobalPooling1D final : public Layer<S> {
 public:
  explicit GlobalPooling1D(Pool kind) : kind_(kind) {}  // over all valid frames

  std::string type() const override { return kind_ == Pool::max ? "global_max_pooling1d" : "global_average_pooling1d"; }
  std::string summary() const override { return kind_ == Pool::max ? "maximum over time" : "mean over time"; }
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index) const override { return 1; }
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  Pool kind() const noexcept { return kind_; }

 private:
  Pool kind_;
};

extern template class Pooling1D<float>;
extern template class Pooling1D<double>;
extern template class GlobalPooling1D<float>;
extern template class GlobalPooling1D<double>;

}  // namespace serene
