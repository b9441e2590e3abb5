// Time derivatives of features by local polynomial fits (Savitzky and Golay, Anal. Chem. 36, 1964), as
// librosa.feature.delta.
#pragma once

#include <vector>

#include "serene/audio/frame_matrix.h"

namespace serene {

// Weights of `width` (odd, >= 3) neighbouring values that give the derivative of order `order` (1..4, < width) of their
// least-squares polynomial of degree `order`; being constant, it holds for every place inside the window.
// Throws Error when out of range.
std::vector<double> delta_weights(Index width, int order);

// Derivative of every column. The first and last width/2 frames use the polynomial of the first and last full window.
// Throws Error when there are fewer than `width` frames.
template <class S>
FrameMatrix<S> delta(const FrameMatrix<S>& x, Index width = 9, int order = 1);

}  // namespace serene
