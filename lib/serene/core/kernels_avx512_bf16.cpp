// Products of bfloat16 with the instructions of AVX512_BF16.
#if defined(__x86_64__)
#define SERENE_VECTOR_BYTES 64
#define SERENE_TILE_ROWS 12
#define SERENE_BF16_INSTRUCTIONS
#include "serene/core/kernels_product.h"

namespace serene {

const Product<float>& avx512_bf16_product() noexcept {
  static constexpr Product<float> product = product_of<Bf16>();
  return product;
}

}  // namespace serene
#endif
