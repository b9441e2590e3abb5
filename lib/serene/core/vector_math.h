// Element-wise functions over arrays, vectorised for the processor at run time (float) or from the standard library
// (double). An element's result depends on its value alone, never on its place in the array or its neighbours. Float
// results are within 2 units in the last place (relative) of the exact value. y may be x. Thread-safe, no allocation.
#pragma once

#include "serene/core/types.h"

namespace serene {

// y (n) from x (n).
template <class S>
void vec_exp(Index n, const S* x, S* y) noexcept;  // e^x; 0 below -87.3, +inf above 88.7 in float
template <class S>
void vec_tanh(Index n, const S* x, S* y) noexcept;
template <class S>
void vec_sigmoid(Index n, const S* x, S* y) noexcept;  // 1 / (1 + e^-x)

template <>
void vec_exp<float>(Index, const float*, float*) noexcept;
template <>
void vec_tanh<float>(Index, const float*, float*) noexcept;
template <>
void vec_sigmoid<float>(Index, const float*, float*) noexcept;
template <>
void vec_exp<double>(Index, const double*, double*) noexcept;
template <>
void vec_tanh<double>(Index, const double*, double*) noexcept;
template <>
void vec_sigmoid<double>(Index, const double*, double*) noexcept;

}  // namespace serene
