// A model for inference alone: the same graph with everything folded away that costs time and changes nothing.
//
//   dropout, linear activations     vanish
//   batch norm y = s x + t          s = gamma / sqrt(moving_variance + epsilon), t = beta - s moving_mean:
//     after a linear layer            (x W + b) s + t  =  x (W s) + (b s + t)        dense, conv1d without activation
//     before a linear layer           (x s + t) W + b  =  x (s W) + (t W + b)        dense, conv1d with valid padding
//     elsewhere                       stays: between two bends, or before a convolution whose padding is not s 0 + t
//   activation after a linear layer   becomes that layer's own, part of its product
//
// Residual blocks are folded inside; their projections and the ends of a block stay apart. Layers that stay keep their
// names. (Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only inference,
// CVPR 2018, section 3.2.)
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
