// Short vectors of four and eight numbers, for the few loops whose shuffles the compiler does not find.
//
// GCC and Clang lower them to whatever the instruction set of the surrounding function has. Everything goes through
// references: vectors wider than the baseline must not be passed by value.
#pragma once

#include <cstring>
#include <type_traits>

#include "serene/audio/simd_target.h"
#include "serene/core/types.h"

namespace serene {

template <class S>
struct ShortVector {
  typedef S Four __attribute__((vector_size(4 * sizeof(S))));   // four of them
  typedef S Eight __attribute__((vector_size(8 * sizeof(S))));  // eight
};
// Four numbers side by side.
template <class S>
using Four = typename ShortVector<S>::Four;
// Eight numbers side by side.
template <class S>
using Eight = typename ShortVector<S>::Eight;
template <class V, class S>
inline constexpr Index kWidth = static_cast<Index>(sizeof(V) / sizeof(S));  // 1: V is the number itself

// Memory of any alignment.
template <class V, class S>
SERENE_ALWAYS_INLINE void load(V& v, const S* from) {
  std::memcpy(&v, from, sizeof v);
}
// Writes the numbers of v one behind the other; any alignment.
template <class V, class S>
SERENE_ALWAYS_INLINE void store(const V& v, S* to) {
  std::memcpy(to, &v, sizeof v);
}

// Back to front; a single number stays.
template <class V>
SERENE_ALWAYS_INLINE void reverse(V& v) {
  if constexpr (!std::is_floating_point_v<V>) {
    if constexpr (sizeof(V) == 4 * sizeof(v[0])) {
      v = __builtin_shufflevector(v, v, 3, 2, 1, 0);
    } else {
      v = __builtin_shufflevector(v, v, 7, 6, 5, 4, 3, 2, 1, 0);
    }
  }
}

// The rows a, b, c, d become the columns.
template <class V>
SERENE_ALWAYS_INLINE void transpose_four(V& a, V& b, V& c, V& d) {
  const V ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5), ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const V cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5), cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
  b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
  c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
  d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
}

}  // namespace serene
