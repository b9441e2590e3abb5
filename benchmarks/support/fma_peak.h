// The most that one core can do: fused multiply-adds on registers alone, in the widest vectors of the processor.
#pragma once

namespace serene::bench {

struct FmaPeak {
  double gflops = 0;     // best of many short runs
  const char* how = "";  // "avx512", "avx2", or "gemm on a block in L1" where neither can be had
};

FmaPeak fma_peak();

}  // namespace serene::bench
