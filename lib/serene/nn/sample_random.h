// Random numbers of a layer: one stream per sample, a function of (seed, step, key, sample index in the batch) alone,
// so that padding, shards and threads do not change them.
#pragma once

#include "serene/core/random.h"
#include "serene/nn/layer.h"

namespace serene {

// The stream of sample `sample` of the batch under `key` (the layer's own, or one inside a block).
template <class S>
Random sample_random(const Frame<S>& f, std::uint64_t key, Index sample) noexcept {
  // The odd factor spreads the keys of layers over 64 bits, so that (key, sample) pairs do not meet.
  const std::uint64_t place = key * 0x9E3779B97F4A7C15ull + static_cast<std::uint64_t>(sample);
  return Random(f.seed, Purpose::dropout, f.step, place);
}

}  // namespace serene
