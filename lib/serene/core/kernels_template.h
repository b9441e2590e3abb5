// The table of one instruction set. Include only from kernels_<isa>.cpp, after defining the macros of kernels_simd.h
// and
//   SERENE_TABLE     name of the function that hands out the table
//   SERENE_ISA_NAME  its name
#pragma once

#include "serene/core/kernels_int8.h"
#include "serene/core/kernels_math.h"

namespace serene {

template <>
const Kernels<float>& SERENE_TABLE<float>() noexcept {
  static constexpr Kernels<float> table{SERENE_ISA_NAME,    product_of<Full<float>>(),
                                        product_of<Bf16>(), product_of<Int8>(),
                                        exp_array,          tanh_array,
                                        sigmoid_array,      lstm_forward,
                                        lstm_backward};
  return table;
}

// What is element-wise in double comes from the standard library (kernels.cpp): references and checks use it.
template <>
const Kernels<double>& SERENE_TABLE<double>() noexcept {
  static constexpr Kernels<double> table{SERENE_ISA_NAME, product_of<Full<double>>(), {}, {}, {}, {}, {}, {}, {}};
  return table;
}

}  // namespace serene
