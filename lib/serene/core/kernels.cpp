#include "serene/core/kernels.h"

#include <cmath>
#include <cstdlib>
#include <string_view>

#include "serene/core/gemm.h"
#include "serene/core/vector_math.h"

namespace serene {
namespace {

template <class S>
const Kernels<S>& choose() noexcept {
#if defined(__x86_64__)
  const char* forced = std::getenv("SERENE_CPU");
  const std::string_view most = forced != nullptr ? forced : "avx512";
  const bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (most == "avx512" && avx512) return avx512_kernels<S>();
  if (most != "portable" && avx2) return avx2_kernels<S>();
#endif
  return portable_kernels<S>();
}

}  // namespace

template <class S>
const Kernels<S>& kernels() noexcept {
  static const Kernels<S>& chosen = choose<S>();
  return chosen;
}
template const Kernels<float>& kernels<float>() noexcept;
template const Kernels<double>& kernels<double>() noexcept;

const char* cpu_kernels() noexcept { return kernels<float>().name; }

template <class S>
Index packed_size(Index k, Index n) noexcept {
  const Index panel = kernels<S>().panel;
  return (n + panel - 1) / panel * panel * k;
}

template <class S>
void pack(Trans trans, Index k, Index n, const S* b, Index ldb, S* packed) noexcept {
  kernels<S>().pack(trans == Trans::yes, k, n, b, ldb, packed);
}

template <class S>
void gemm_packed(Trans trans_a, Index m, Index n, Index k, const S* a, Index lda, const S* packed, bool accumulate,
                 S* c, Index ldc) noexcept {
  kernels<S>().multiply(trans_a == Trans::yes, m, n, k, a, lda, packed, accumulate, c, ldc);
}

#define SERENE_INSTANTIATE(S)                                               \
  template Index packed_size<S>(Index, Index) noexcept;                     \
  template void pack<S>(Trans, Index, Index, const S*, Index, S*) noexcept; \
  template void gemm_packed<S>(Trans, Index, Index, Index, const S*, Index, const S*, bool, S*, Index) noexcept;
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

template <>
void vec_exp<float>(Index n, const float* x, float* y) noexcept {
  kernels<float>().exp(n, x, y);
}
template <>
void vec_tanh<float>(Index n, const float* x, float* y) noexcept {
  kernels<float>().tanh(n, x, y);
}
template <>
void vec_sigmoid<float>(Index n, const float* x, float* y) noexcept {
  kernels<float>().sigmoid(n, x, y);
}

template <>
void vec_exp<double>(Index n, const double* x, double* y) noexcept {
  for (Index i = 0; i < n; ++i) y[i] = std::exp(x[i]);
}
template <>
void vec_tanh<double>(Index n, const double* x, double* y) noexcept {
  for (Index i = 0; i < n; ++i) y[i] = std::tanh(x[i]);
}
template <>
void vec_sigmoid<double>(Index n, const double* x, double* y) noexcept {
  for (Index i = 0; i < n; ++i) y[i] = 1.0 / (1.0 + std::exp(-x[i]));
}

}  // namespace serene
