// The augmentations of the well-known speech emotion notebooks: noise, time stretch and pitch shift of a loaded clip.
#pragma once

#include <span>
#include <vector>

#include "serene/core/random.h"

namespace serene {

enum class NotebookAugment { none, noise, stretch, pitch, stretch_and_pitch };

// x + 0.035 u max(x) n, with one u ~ U(0, 1) per clip and n ~ N(0, 1) per sample. All of them throw Error(input) for no
// samples.
std::vector<float> add_notebook_noise(std::span<const float> x, Random& random);
// Played at 0.8 of its speed: 1.25 times as long.
std::vector<float> notebook_stretch(std::span<const float> x);
// Raised by 0.7 semitones, the length kept.
std::vector<float> notebook_pitch(std::span<const float> x, double rate_hz);

// One of them; `random` should be Random(seed, Purpose::augment, epoch or copy, clip).
std::vector<float> notebook_augment(std::span<const float> x, double rate_hz, NotebookAugment kind, Random& random);

}  // namespace serene
