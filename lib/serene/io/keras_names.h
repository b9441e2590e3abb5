// Weights that Keras saved, by name and shape, onto a model. The layouts of the numbers are the same (nn/parameter.h);
// what differs is the names, of which Keras has written three kinds:
//
//   legacy HDF5          model_weights/<layer>/<layer>/kernel:0, or without model_weights (save_weights)
//                        .../<layer>/lstm_cell/recurrent_kernel:0, .../forward_lstm/lstm_cell/kernel:0
//   Keras 3              layers/<layer>/vars/0, layers/<layer>/cell/vars/1, layers/<layer>/forward_layer/cell/vars/0,
//                        layers/<layer>/query_dense/vars/0     (.weights.h5, and model.weights.h5 in a .keras file)
//
// <layer> is the name of a layer, or, as Keras 3 does by itself, its class in snake case and a number from the second
// on: conv1d, conv1d_1, lstm, ... in the order of the layers. One file is read by one of the two rules.
//
// Left aside: the optimizer's state, seeds of dropout, top_level_model_weights when empty. Everything else is read
// exactly once.
#pragma once

#include <string>
#include <vector>

#include "serene/io/safetensors.h"
#include "serene/nn/model.h"

namespace serene {

// arrays: the datasets of the HDF5 file by their paths. Returns the flat vector of parameters. Throws Error(input) that
// names the layer that is missing, superfluous, lacks a tensor, has one too many or one of another shape, and for a
// model with weights in layers that Keras does not have (residual, highway, squeeze_excitation, attention poolings).
std::vector<float> params_from_keras(const SafeTensors& arrays, const Model<float>& model);

}  // namespace serene
