// Starting values of parameters, with Keras' names and formulas.
//
//   glorot_uniform  U(-a, a), a = sqrt(6 / (fan_in + fan_out))          (Glorot and Bengio 2010)
//   he_normal       normal cut at two standard deviations whose variance after the cut is 2 / fan_in (He et al. 2015)
//   orthogonal      rows or columns (the fewer) of the matrix (product of all but the last axis, last axis)
//                   are orthonormal (Saxe et al. 2013); Gram-Schmidt on normal numbers, in double
//   lstm_bias       0, and 1 for the forget gate: the second quarter     (Jozefowicz et al. 2015)
//   minus_ones      -1: gates that begin nearly closed                   (Srivastava et al. 2015)
#pragma once

#include <cstdint>

#include "serene/nn/parameter.h"

namespace serene {

// Fills the flat vector of layout.size scalars, gaps with zeros. A tensor's numbers are a function of (seed, its index
// among the entries) alone, the same in float (rounded) and double. Throws Error(internal) for a spec without its fans.
template <class S>
void initialize(const ParameterLayout& layout, std::uint64_t seed, S* params);

// One tensor: values (spec.size()).
template <class S>
void initialize_tensor(const ParameterSpec& spec, std::uint64_t seed, std::uint64_t index, S* values);

}  // namespace serene
