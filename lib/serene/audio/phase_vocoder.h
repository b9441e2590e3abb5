// Time stretching and pitch shifting by a phase vocoder (Flanagan and Golden, 1966; Ellis, 2002), as librosa.effects.
#pragma once

#include <span>
#include <vector>

#include "serene/audio/resample.h"
#include "serene/audio/stft.h"

namespace serene {

// The spectrum played `rate` times as fast: magnitudes interpolated between frames, phases advanced by the (unwrapped)
// difference of the neighbouring frames. Phases are kept in double. Throws Error unless 0.01 <= rate <= 100.
template <class S>
Spectrum<S> phase_vocoder(const Spectrum<S>& spectrum, double rate, Index hop_length);

// round(length / rate) samples. Throws Error for a rate out of range or a signal without samples.
template <class S>
std::vector<S> time_stretch(std::span<const S> y, double rate, const StftConfig& config = {});

// The pitch raised by n_steps of 1 / bins_per_octave octave, the length kept: stretched, resampled (in float), cut or
// padded.
template <class S>
std::vector<S> pitch_shift(std::span<const S> y, double rate_hz, double n_steps, int bins_per_octave = 12,
                           const StftConfig& config = {}, ResampleQuality quality = ResampleQuality::best);

}  // namespace serene
