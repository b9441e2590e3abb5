// People talking in the background, taken from the recordings of a store.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "serene/core/random.h"
#include "serene/data/wave_store.h"

namespace serene {

// Draws a place in the store; none when the drawn one must not be heard.
using PickVoice = std::function<std::optional<std::size_t>(Random&)>;

// Between `fewest` and `most` draws (fewest <= most), each recording scaled to an active power of 1 (audio/noise.h), so
// that nobody is louder than the others; draws of none and of silence are left out. A pure function of its arguments;
// thread-safe when `pick` is.
std::vector<std::vector<float>> babble_voices(const WaveStore& store, std::uint64_t fewest, std::uint64_t most,
                                              Random random, const PickVoice& pick);

}  // namespace serene
