#include "serene/core/kernels.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "serene/core/gemm.h"
#include "serene/core/recurrent_kernels.h"
#include "serene/core/vector_math.h"

namespace serene {

#if defined(__x86_64__)
bool runs_avx2_kernels() noexcept { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
bool runs_avx512_kernels() noexcept {
  return runs_avx2_kernels() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
}
bool runs_avx512_bf16() noexcept { return runs_avx512_kernels() && __builtin_cpu_supports("avx512bf16"); }
bool runs_avx512_vnni() noexcept { return runs_avx512_kernels() && __builtin_cpu_supports("avx512vnni"); }
#endif

namespace {

#if defined(__x86_64__)
// Intel's processors start VDPBF16PS every other cycle, where they start four multiply-adds in float: with the
// instruction the same products take 1.8 times as long as in float, with factors widened to float 1.15 times.
bool bf16_instructions_pay() noexcept { return !__builtin_cpu_is("intel"); }
#endif

template <class S>
Kernels<S> choose() noexcept {
#if defined(__x86_64__)
  const char* forced = std::getenv("SERENE_CPU");
  const std::string_view most = forced != nullptr ? forced : "avx512";
  if (most == "avx512" && runs_avx512_kernels()) {
    Kernels<S> best = avx512_kernels<S>();
    if constexpr (sizeof(S) == sizeof(float)) {
      if (runs_avx512_bf16() && bf16_instructions_pay()) best.bf16 = avx512_bf16_product();
      if (runs_avx512_vnni()) best.int8 = avx512_vnni_product();
    }
    return best;
  }
  if (most != "portable" && runs_avx2_kernels()) return avx2_kernels<S>();
#endif
  return portable_kernels<S>();
}

template <class S>
const Product<S>& product(Precision precision) noexcept {
  const Kernels<S>& k = kernels<S>();
  if (sizeof(S) != sizeof(float) || precision == Precision::full) return k.full;
  return precision == Precision::bf16 ? k.bf16 : k.int8;
}

// Scalars in front of a packed matrix; the first tells its format.
template <class S>
constexpr Index header_size = 64 / static_cast<Index>(sizeof(S));

}  // namespace

template <class S>
const Kernels<S>& kernels() noexcept {
  static const Kernels<S> chosen = choose<S>();
  return chosen;
}
template const Kernels<float>& kernels<float>() noexcept;
template const Kernels<double>& kernels<double>() noexcept;

const char* cpu_kernels() noexcept { return kernels<float>().name; }

bool cpu_accelerates([[maybe_unused]] Precision precision) noexcept {
  if (precision == Precision::full) return true;
#if defined(__x86_64__)
  const Kernels<float>& k = kernels<float>();
  if (precision == Precision::bf16) return k.bf16.multiply == avx512_bf16_product().multiply;
  return k.int8.multiply == avx512_vnni_product().multiply;
#else
  return false;
#endif
}

template <class S>
Index packed_size(Index k, Index n, Precision precision) noexcept {
  return header_size<S> + product<S>(precision).packed_size(k, n);
}

template <class S>
void pack(Trans trans, Index k, Index n, const S* b, Index ldb, S* packed, Precision precision) noexcept {
  for (Index i = 0; i < header_size<S>; ++i) packed[i] = S(0);
  const int format = sizeof(S) == sizeof(float) ? static_cast<int>(precision) : 0;
  std::memcpy(packed, &format, sizeof format);
  product<S>(precision).pack(trans == Trans::yes, k, n, b, ldb, packed + header_size<S>);
}

template <class S>
void gemm_packed(Trans trans_a, Index m, Index n, Index k, const S* a, Index lda, const S* packed, bool accumulate,
                 S* c, Index ldc, const Epilogue<S>& epilogue) noexcept {
  int format;
  std::memcpy(&format, packed, sizeof format);
  product<S>(static_cast<Precision>(format))
      .multiply({trans_a == Trans::yes, m, n, k, a, lda, packed + header_size<S>, accumulate, c, ldc, epilogue.bias,
                 epilogue.relu});
}

#define SERENE_INSTANTIATE(S)                                                                          \
  template Index packed_size<S>(Index, Index, Precision) noexcept;                                     \
  template void pack<S>(Trans, Index, Index, const S*, Index, S*, Precision) noexcept;                 \
  template void gemm_packed<S>(Trans, Index, Index, Index, const S*, Index, const S*, bool, S*, Index, \
                               const Epilogue<S>&) noexcept;
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
void lstm_step_forward<float>(Index u, const float* bias, float* z, float* c, float* tanh_c, float* h) noexcept {
  kernels<float>().lstm_forward(u, bias, z, c, tanh_c, h);
}
template <>
void lstm_step_backward<float>(Index u, const float* gates, const float* c_prev, const float* tanh_c, const float* dh,
                               float* dc, float* da) noexcept {
  kernels<float>().lstm_backward(u, gates, c_prev, tanh_c, dh, dc, da);
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

template <>
void lstm_step_forward<double>(Index u, const double* bias, double* z, double* c, double* tanh_c, double* h) noexcept {
  for (Index j = 0; bias != nullptr && j < 4 * u; ++j) z[j] += bias[j];
  vec_sigmoid(2 * u, z, z);
  vec_tanh(u, z + 2 * u, z + 2 * u);
  vec_sigmoid(u, z + 3 * u, z + 3 * u);
  for (Index j = 0; j < u; ++j) c[j] = z[u + j] * c[j] + z[j] * z[2 * u + j];
  vec_tanh(u, c, tanh_c);
  for (Index j = 0; j < u; ++j) h[j] = z[3 * u + j] * tanh_c[j];
}

template <>
void lstm_step_backward<double>(Index u, const double* gates, const double* c_prev, const double* tanh_c,
                                const double* dh, double* dc, double* da) noexcept {
  for (Index j = 0; j < u; ++j) {
    const double i = gates[j], f = gates[u + j], g = gates[2 * u + j], o = gates[3 * u + j];
    const double dcj = dc[j] + dh[j] * o * (1 - tanh_c[j] * tanh_c[j]);
    da[j] = dcj * g * i * (1 - i);
    da[u + j] = dcj * c_prev[j] * f * (1 - f);
    da[2 * u + j] = dcj * i * (1 - g * g);
    da[3 * u + j] = dh[j] * tanh_c[j] * o * (1 - o);
    dc[j] = dcj * f;
  }
}

}  // namespace serene
