#include "serene/core/finite.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace serene {

// By the bits: the largest magnitude, as an integer, must be below infinity's. A loop without branches, for the
// compiler to vectorise.
bool all_finite(const void* floats, Index n) noexcept {
  const char* from = static_cast<const char*>(floats);
  std::int32_t largest = 0;
  for (Index i = 0; i < n; ++i) {
    std::int32_t bits;
    std::memcpy(&bits, from + i * static_cast<Index>(sizeof bits), sizeof bits);
    largest = std::max(largest, bits & 0x7fffffff);
  }
  return largest < 0x7f800000;
}

}  // namespace serene
