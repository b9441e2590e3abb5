// Table of the processor-specific kernels behind gemm.h, vector_math.h and recurrent_kernels.h. Internal: layers use
// those headers.
//
// The kernels_*.h parts hold the one source; kernels_portable.cpp, kernels_avx2.cpp and kernels_avx512.cpp compile it
// with the flags of their instruction set, kernels_avx512_bf16.cpp and kernels_avx512_vnni.cpp add the products of
// those two extensions, and kernels.cpp picks a table once, at first use.
#pragma once

#include "serene/core/types.h"

namespace serene {

// c (m, n) = relu(op(a) packed (+ c) (+ bias)); see gemm_packed().
template <class S>
struct ProductTask {
  bool transposed_a;
  Index m, n, k;
  const S* a;
  Index lda;
  const S* packed;  // as pack() of the same product left it
  bool accumulate;
  S* c;
  Index ldc;
  const S* bias;  // may be null
  bool relu;
};

// A matrix product in one number format.
template <class S>
struct Product {
  Index (*packed_size)(Index k, Index n) noexcept;                                             // scalars
  void (*pack)(bool transposed, Index k, Index n, const S* b, Index ldb, S* packed) noexcept;  // pack() of gemm.h
  void (*multiply)(const ProductTask<S>& task) noexcept;  // gemm_packed() of gemm.h
};

template <class S>
struct Kernels {
  const char* name;
  Product<S> full;
  Product<S> bf16, int8;  // float only
  // Those of vector_math.h and recurrent_kernels.h.
  void (*exp)(Index n, const S* x, S* y) noexcept;
  void (*tanh)(Index n, const S* x, S* y) noexcept;
  void (*sigmoid)(Index n, const S* x, S* y) noexcept;
  void (*lstm_forward)(Index units, const S* bias, S* z, S* c, S* tanh_c, S* h) noexcept;
  void (*lstm_backward)(Index units, const S* gates, const S* c_prev, const S* tanh_c, const S* dh, S* dc,
                        S* da) noexcept;
};

// The table for this processor. The environment variable SERENE_CPU (avx512, avx2, portable) forces a lower one.
template <class S>
const Kernels<S>& kernels() noexcept;

// The tables that kernels() chooses from.
template <class S>
const Kernels<S>& portable_kernels() noexcept;
#if defined(__x86_64__)
template <class S>
const Kernels<S>& avx2_kernels() noexcept;
template <class S>
const Kernels<S>& avx512_kernels() noexcept;
const Product<float>& avx512_bf16_product() noexcept;  // needs the extension AVX512_BF16
const Product<float>& avx512_vnni_product() noexcept;  // needs the extension AVX512_VNNI
// What this processor can run, whatever SERENE_CPU says.
bool runs_avx2_kernels() noexcept;
bool runs_avx512_kernels() noexcept;
bool runs_avx512_bf16() noexcept;
bool runs_avx512_vnni() noexcept;
#endif

}  // namespace serene
