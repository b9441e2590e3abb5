#include "serene/core/finite.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace serene;

TEST_CASE("one number that is none is found wherever it stands, at any address") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> ends = {0.0f, -0.0f, std::numeric_limits<float>::max(), -std::numeric_limits<float>::max(),
                                   std::numeric_limits<float>::denorm_min()};
  for (const Index n : {0, 1, 3, 4, 5, 16, 33, 100}) {
    CAPTURE(n);
    for (const Index shift : {0, 1, 2, 3}) {
      std::vector<char> bytes(static_cast<std::size_t>(n * 4 + shift));
      char* const at = bytes.data() + shift;
      for (Index i = 0; i < n; ++i) std::memcpy(at + i * 4, &ends[static_cast<std::size_t>(i) % ends.size()], 4);
      CHECK(all_finite(at, n));
      for (Index i = 0; i < n; ++i) {
        for (const float bad : {inf, -inf, std::nanf(""), -std::nanf("")}) {
          char kept[4];
          std::memcpy(kept, at + i * 4, 4);
          std::memcpy(at + i * 4, &bad, 4);
          CHECK_FALSE(all_finite(at, n));
          std::memcpy(at + i * 4, kept, 4);
        }
      }
    }
  }
}
