// The weights of a model under PyTorch's names and in PyTorch's layouts, and back, exact to the last bit.
//
//   serene                             PyTorch                                          shapes
//   conv1d kernel, bias                Conv1d weight, bias                              (k,in,out) -> (out,in,k)
//   depthwise_conv1d kernel, bias      Conv1d of groups = channels                      (k,c,1) -> (c,1,k)
//   conv2d kernel, bias                Conv2d weight, bias over (time, frequency)       (i,j,in,out) -> (out,in,i,j)
//   dense kernel, bias                 Linear weight, bias                              (in,out) -> (out,in)
//   lstm kernel, recurrent, bias       LSTM weight_ih_l0, weight_hh_l0, bias_ih_l0,     gates i,f,g,o; bias_hh_l0 = 0
//                                      bias_hh_l0
//   gru kernel, recurrent, bias (2,.)  GRU, the same names                              gates z,r,n -> r,z,n
//   bidirectional fw_..., bw_...       ... and ..._reverse
//   batch_norm gamma, beta,            BatchNorm1d weight, bias,
//     moving_mean, moving_variance       running_mean, running_var
//   layer_norm gamma, beta             LayerNorm weight, bias
//   multi_head_attention               Linear query, key, value, output                 (d,h,k) -> (h k,d)
//   ..._attention_pooling W, b, v      Linear attention, and score without bias         (c,u) -> (u,c), (u) -> (1,u)
//   squeeze_excitation                 Linear reduce, expand
//   residual, highway, separable       their parts by name; shortcut, gate (Linear); depthwise, pointwise
//
// A tensor's name is that of its layer, a dot and the name above: "conv1.weight", "lstm1.weight_ih_l0". PyTorch's
// convolutions and recurrent layers want other axes than serene's frames (batch, time, channels), and its LSTM with
// go_backwards the frames in reverse; that is the matter of whoever builds the module.
#pragma once

#include <string>
#include <vector>

#include "serene/io/safetensors.h"
#include "serene/nn/model.h"

namespace serene {

// A tensor of PyTorch: element i is element places[i] of the model's flat vector of parameters.
struct TorchTensor {
  std::string name;
  std::vector<Index> shape;
  std::vector<Index> places;
  bool added = false;  // zeros when written, added to what stands at the places when read: an LSTM's second bias
};

// Every parameter of the model. Throws Error(internal) for a layer that is not in the table.
std::vector<TorchTensor> torch_tensors(const Model<float>& model);

// Adds them all to `out`. params: model.layout().size scalars.
void add_torch_tensors(const Model<float>& model, std::span<const float> params, SafeTensorsWriter& out);

// The flat vector of parameters. Every tensor of the file is read once; num_batches_tracked, which says nothing about
// the answer, is not read. Throws Error(input) that names the first tensor missing, superfluous or of another shape.
std::vector<float> params_from_torch(const SafeTensors& file, const Model<float>& model);

}  // namespace serene
