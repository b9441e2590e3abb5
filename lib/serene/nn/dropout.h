// Dropout (Srivastava et al. 2014), inverted: y = x keep / (1 - rate) in training, y = x in inference. (B,T,C) ->
// (B,T,C)
//
// keep is 1 with probability 1 - rate, drawn per element, or (SpatialDropout1D, Tompson et al. 2015) per channel of a
// sample. A sample's numbers are a function of (frame.seed, frame.step, frame.key, frame.first_sample + b) and of the
// element's place t C + c in the sample: padding, shards and threads do not change them.
#pragma once

#include <string>
#include <vector>

#include "serene/nn/layer.h"

namespace serene {

enum class DropoutKind { element, channel };

// y = x / (1 - rate) where keep is not 0, else 0. y may be x.
template <class S>
void apply_keep_mask(Index n, const S* x, const S* keep, double rate, S* y) noexcept;

// No parameters.
template <class S>
class Dropout final : public Layer<S> {
 public:
  // Throws Error(usage) unless 0 <= rate < 1.
  explicit Dropout(double rate, DropoutKind kind = DropoutKind::element);

  std::string type() const override { return kind_ == DropoutKind::element ? "dropout" : "spatial_dropout1d"; }
  std::string summary() const override;
  Plan plan(Shape in, Mode mode) const override;
  void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept override;
  void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                const Frame<S>& f, Params<S> grads) const noexcept override;

  // The same layer with a mask in place of the random one, to compare with another implementation: keep[(b T + t) C +
  // c], or keep[b C + c] for channels, b counted over the whole batch. Throws Error(usage) from plan() when it is too
  // small.
  Dropout with_mask(std::vector<S> keep) const;

 private:
  bool active(Mode mode) const { return mode == Mode::training && (rate_ > 0 || !mask_.empty()); }
  Index drawn(Shape in) const { return kind_ == DropoutKind::element ? in.time * in.channels : in.channels; }
  void draw(Index sample, Index n, Index stride, const Frame<S>& f, S* keep) const noexcept;
  void apply(SeqView<const S> x, SeqView<const S> lengths_of, SeqView<S> y, const Frame<S>& f) const noexcept;

  double rate_;
  DropoutKind kind_;
  std::vector<S> mask_;
};

extern template class Dropout<float>;
extern template class Dropout<double>;

}  // namespace serene
