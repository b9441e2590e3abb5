// Element-wise part of a step of a long short-term memory in one pass over the units, vectorised for the processor at
// run time (float) or plain loops (double). Hochreiter and Schmidhuber, "Long short-term memory", 1997; gates i, f, g,
// o as Keras:
//   c = f c + i g,  h = o tanh(c)
//
// A unit's result depends on its own values alone, never on its place or on `units`. Arrays of one call must not
// overlap. Thread-safe, no allocation, no throw.
#pragma once

#include "serene/core/types.h"

namespace serene {

// One step of one sample. z (4 units) holds x W + h R and becomes the gates: sigmoid, sigmoid, tanh, sigmoid of
// z + bias. c (units) becomes the new state, tanh_c (units) its tanh, h (units) the new output. bias (4 units) may be
// null where z holds it already.
template <class S>
void lstm_step_forward(Index units, const S* bias, S* z, S* c, S* tanh_c, S* h) noexcept;

// Its gradient. gates (4 units) and tanh_c (units) as forward left them, c_prev (units) the state before the step. dh
// (units) is the complete gradient of h; dc (units) holds the gradient of c from later steps and becomes that for
// earlier ones; da (4 units) receives the gradient of z.
template <class S>
void lstm_step_backward(Index units, const S* gates, const S* c_prev, const S* tanh_c, const S* dh, S* dc,
                        S* da) noexcept;

template <>
void lstm_step_forward<float>(Index, const float*, float*, float*, float*, float*) noexcept;
template <>
void lstm_step_forward<double>(Index, const double*, double*, double*, double*, double*) noexcept;
template <>
void lstm_step_backward<float>(Index, const float*, const float*, const float*, const float*, float*, float*) noexcept;
template <>
void lstm_step_backward<double>(Index, const double*, const double*, const double*, const double*, double*,
                                double*) noexcept;

}  // namespace serene
