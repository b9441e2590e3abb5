// Parameters: one flat vector with a named layout. Layers say what they need; the model lays everything out once, so
// that optimizer, clipping, saving, reduction over threads and the gradient check are one loop each.
#pragma once

#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

// How a parameter starts (Keras' names and formulas).
enum class Init { zeros, ones, glorot_uniform, he_normal, orthogonal, lstm_bias, minus_ones };

// One tensor a layer needs. Kernel layouts are Keras': conv (k,in,out), dense (in,out), LSTM (in,4u)(u,4u)(4u) gates
// i,f,c,o.
struct ParameterSpec {
  std::string name;  // within the layer: "kernel", "recurrent", "bias", "gamma", ...
  std::vector<Index> shape;
  Init init = Init::zeros;
  Index fan_in = 0;  // for glorot_uniform and he_normal
  Index fan_out = 0;
  bool trainable = true;  // false: moving statistics
  bool decay = true;      // weight decay applies (kernels: yes; biases, gamma, beta: no)

  // Scalars.
  Index size() const {
    Index n = 1;
    for (Index d : shape) n *= d;
    return n;
  }
};

// Where a tensor lies in the flat vector.
struct ParameterEntry {
  std::string name;  // full name: "conv1.kernel"
  ParameterSpec spec;
  Index layer = 0;   // index of the layer in the model
  Index offset = 0;  // in scalars; a multiple of 16, gaps hold zeros
};

struct ParameterLayout {
  std::vector<ParameterEntry> entries;
  Index size = 0;  // scalars of the flat vector, gaps included
};

// The tensors of one layer inside a flat vector of values (const S) or gradients (S): tensor i starts at params[i].
template <class S>
struct Params {
  S* base = nullptr;
  const Index* offsets = nullptr;

  S* operator[](int i) const { return base + offsets[i]; }      // where tensor i begins
  operator Params<const S>() const { return {base, offsets}; }  // the same, for reading
};

}  // namespace serene
