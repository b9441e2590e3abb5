// Table of the processor-specific kernels behind gemm.h and vector_math.h. Internal: layers use those two headers.
//
// kernels_template.h holds the one source; kernels_portable.cpp, kernels_avx2.cpp and kernels_avx512.cpp compile it
// with the flags of their instruction set, and kernels.cpp picks a table once, at first use.
#pragma once

#include "serene/core/types.h"

namespace serene {

template <class S>
struct Kernels {
  const char* name;
  Index panel;  // columns of a packed panel
  void (*pack)(bool transposed, Index k, Index n, const S* b, Index ldb, S* packed) noexcept;
  void (*multiply)(bool transposed_a, Index m, Index n, Index k, const S* a, Index lda, const S* packed,
                   bool accumulate, S* c, Index ldc) noexcept;
  void (*exp)(Index n, const S* x, S* y) noexcept;
  void (*tanh)(Index n, const S* x, S* y) noexcept;
  void (*sigmoid)(Index n, const S* x, S* y) noexcept;
};

// The table for this processor. The environment variable SERENE_CPU (avx512, avx2, portable) forces a lower one.
template <class S>
const Kernels<S>& kernels() noexcept;

template <class S>
const Kernels<S>& portable_kernels() noexcept;
#if defined(__x86_64__)
template <class S>
const Kernels<S>& avx2_kernels() noexcept;
template <class S>
const Kernels<S>& avx512_kernels() noexcept;
#endif

}  // namespace serene
