// The inputs of the well-known Kaggle notebooks, computed from one loaded clip with librosa's defaults.
#pragma once

#include <span>
#include <vector>

#include "serene/audio/feature_config.h"

namespace serene {

// Means over time of ZCR (1), chroma of the STFT magnitude (12), MFCC (n_mfcc), RMS (1) and mel power without dB
// (n_mels).
template <class S>
std::vector<S> kaggle_means(const FeatureConfig& config, std::span<const S> y);

// ZCR, RMS and MFCC of every frame (frames, 2 + n_mfcc).
template <class S>
FrameMatrix<S> kaggle_frames(const FeatureConfig& config, std::span<const S> y);

}  // namespace serene
