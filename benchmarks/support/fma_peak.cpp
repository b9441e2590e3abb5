#include "support/fma_peak.h"

#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "serene/core/gemm.h"
#include "serene/nn/layer_runner.h"
#include "support/measure.h"

namespace serene::bench {
namespace {

constexpr long kRounds = 100000;
constexpr int kChains = 12;  // enough to hide the latency of a multiply-add

#if defined(__x86_64__)
__attribute__((target("avx512f"), noinline)) float chains_avx512() {
  __m512 sum[kChains];
  const __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(0.001f);
  for (__m512& s : sum) s = _mm512_setzero_ps();
  for (long r = 0; r < kRounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = _mm512_fmadd_ps(sum[i], factor, term);
  }
  alignas(64) float lane[16];
  for (int i = 1; i < kChains; ++i) sum[0] = _mm512_add_ps(sum[0], sum[i]);
  _mm512_store_ps(lane, sum[0]);
  return lane[0];
}

__attribute__((target("avx2,fma"), noinline)) float chains_avx2() {
  __m256 sum[kChains];
  const __m256 factor = _mm256_set1_ps(0.999f), term = _mm256_set1_ps(0.001f);
  for (__m256& s : sum) s = _mm256_setzero_ps();
  for (long r = 0; r < kRounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kChains; ++i) sum[i] = _mm256_fmadd_ps(sum[i], factor, term);
  }
  alignas(32) float lane[8];
  for (int i = 1; i < kChains; ++i) sum[0] = _mm256_add_ps(sum[0], sum[i]);
  _mm256_store_ps(lane, sum[0]);
  return lane[0];
}
#endif

template <class Body>
double best_rate(double operations, Body&& body) {
  volatile float keep = 0;
  const Times times = repeat(0.3, 20, [&] { keep = keep + body(); });
  return operations / times.least * 1e-9;
}

FmaPeak peak_of_gemm() {
  constexpr Index m = 12, n = 32, k = 128;
  const std::vector<float> a = noise(m * k, 1), b = noise(k * n, 2);
  std::vector<float> c(m * n);
  AlignedVector<float> packed(packed_size<float>(k, n));
  pack<float>(Trans::no, k, n, b.data(), n, packed.data());
  constexpr int times = 200;
  const double rate = best_rate(2.0 * m * n * k * times, [&] {
    for (int i = 0; i < times; ++i) {
      gemm_packed<float>(Trans::no, m, n, k, a.data(), k, packed.data(), false, c.data(), n);
    }
    return c[0];
  });
  return {rate, "gemm on a block in L1"};
}

}  // namespace

FmaPeak fma_peak() {
#if defined(__x86_64__)
  constexpr double lanes512 = 16, lanes256 = 8;
  if (__builtin_cpu_supports("avx512f")) return {best_rate(2 * lanes512 * kChains * kRounds, chains_avx512), "avx512"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return {best_rate(2 * lanes256 * kChains * kRounds, chains_avx2), "avx2"};
  }
#endif
  return peak_of_gemm();
}

}  // namespace serene::bench
