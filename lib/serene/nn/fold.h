// A model for inference alone: the same graph with everything folded away that costs time and changes nothing.
//
//   dropout, noise, drop path and linear activations vanish
//   batch norm y = s x + t          s = gamma / sqrt(moving_variance + epsilon), t = beta - s moving_mean:
//     after a linear layer            (x W + b) s + t  =  x (W s) + (b s + t)        dense, conv without activation
//     before a linear layer           (x s + t) W + b  =  x (s W) + (t W + b)        dense, conv with valid padding
//     elsewhere                       stays: between two bends, before a convolution whose padding is not s 0 + t, or
//                                     where a conv2d has one weight for frequencies of different s and t
//   activation after a linear layer   becomes that layer's own, part of its product
//
// Residual and highway blocks are folded inside, along their shortcuts too; projections, gates and the ends of a block
// stay apart. A separable convolution becomes its two halves, "<name>.depthwise" and "<name>.pointwise". Layers that
// stay keep their names. (Jacob et al., Quantization and training of neural networks for efficient
// integer-arithmetic-only inference, CVPR 2018, section 3.2.)
#pragma once

#include <vector>

#include "serene/nn/model.h"

namespace serene {

template <class S>
struct Folded {
  Model<S> model;
  std::vector<S> params;  // in the layout of `model`
};

// params: model.layout().size scalars, whose memory the folded parameters take over where they fit into it. Arithmetic
// in double, rounded once; what is not folded keeps its bits. The folded model answers as the model does in inference,
// up to rounding. Pure and thread-safe. Throws Error(internal) when the parameters are not the model's.
template <class S>
Folded<S> fold(const Model<S>& model, std::vector<S> params);

extern template Folded<float> fold(const Model<float>&, std::vector<float>);
extern template Folded<double> fold(const Model<double>&, std::vector<double>);

}  // namespace serene
