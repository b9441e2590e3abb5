#include "serene/data/babble.h"

#include <cmath>

#include "serene/audio/noise.h"

namespace serene {

std::vector<std::vector<float>> babble_voices(const WaveStore& store, std::uint64_t fewest, std::uint64_t most,
                                              Random random, const PickVoice& pick) {
  std::vector<std::vector<float>> voices;
  const std::uint64_t wanted = fewest + random.below(most - fewest + 1);
  for (std::uint64_t i = 0; i < wanted; ++i) {
    const std::optional<std::size_t> place = pick(random);
    if (!place) continue;
    std::vector<float> voice;
    store.copy(*place, voice);
    const double power = active_power(voice, store.features.rate_hz);
    if (power <= 0) continue;
    for (float& v : voice) v = static_cast<float>(static_cast<double>(v) / std::sqrt(power));
    voices.push_back(std::move(voice));
  }
  return voices;
}

}  // namespace serene
