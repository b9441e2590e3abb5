// Products of bytes with the instructions of AVX512_VNNI.
#if defined(__x86_64__)
#define SERENE_VECTOR_BYTES 64
#define SERENE_TILE_ROWS 12
#define SERENE_VNNI_INSTRUCTIONS
#include "serene/core/kernels_int8.h"

namespace serene {

const Product<float>& avx512_vnni_product() noexcept {
  static constexpr Product<float> product = product_of<Int8>();
  return product;
}

}  // namespace serene
#endif
