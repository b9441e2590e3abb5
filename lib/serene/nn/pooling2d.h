// Pooling over time and frequency of frames that are grids (nn/grid.h): (B,T,F M) -> (B,T',F' M), every map by itself.
//
//   max:     y[t,f,m] = max over the window's real cells (padding counts as -infinity); the gradient goes to the first
//            maximum in the order of time, then frequency.
//   average: y[t,f,m] = mean over the window's real cells; every one of them gets dy / count.
//
// Windows are products of intervals, so both are one pooling after the other: first one axis, then the other.
#pragma once

#include <string>

#include "serene/nn/grid.h"
#include "serene/nn/layer.h"
#include "serene/nn/pooling.h"

namespace serene {

// No parameters. Keras' MaxPooling2D and AveragePooling2D. A window as high as the frequencies leaves one vector of
// maps a frame.
template <class S>
class Pooling2D final : public Layer<S> {
 public:
  // Throws Error(usage) for sizes out of range, dilations, causal padding or a window wider than the frequencies.
  Pooling2D(Pool kind, Grid in, Window2D window);

  std::string type() const override { return kind_ == Pool::max ? "max_pooling2d" : "average_pooling2d"; }
  std::string summary() const override;
  Plan plan(Shape in, Mode mode) const override;
  Index out_length(Index n) const override { return time_.out_length(n); }
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  Pool kind() const noexcept { return kind_; }
  Grid in() const noexcept { return in_; }
  Window2D window() const noexcept { return {time_, frequency_}; }  // along time and frequency

 private:
  struct Scratch;
  void max_of_bins(const S* frame, S* best) const noexcept;
  void max_backward(const S* x, const S* y, const S* dy, Index n, const Scratch& s, S* dx) const noexcept;
  void average_backward(const S* dy, Index n, const Scratch& s, S* dx) const noexcept;

  Pool kind_;
  Grid in_;
  Window time_, frequency_;
  Index out_bins_, left_;  // left_: windows begin so many bins in front of the first
};

extern template class Pooling2D<float>;
extern template class Pooling2D<double>;

}  // namespace serene
