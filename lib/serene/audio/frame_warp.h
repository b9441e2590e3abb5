// The features of a clip as if it were spoken at another rate, by another vocal tract: frames and mel bands are
// interpolated. For training (data/feature_augment.h) and for several hearings of one clip (io/clip_views.h).
//
// Sources: speed perturbation (Ko et al., Interspeech 2015), vocal tract length perturbation (Jaitly and Hinton 2013).
#pragma once

#include "serene/audio/features.h"
#include "serene/core/types.h"

namespace serene {

inline constexpr Index most_warped_channels = 1024;  // of a frame

// Frames of a clip of so many (at least 1) at a tempo above 0: 2 leaves half of them, never less than 1.
Index warped_frames(Index frames, double tempo) noexcept;

// Frames first .. first + count of the clip stretched to `frames` frames (1 <= count, first + count <= frames), its
// bands moved up by shift channels, into out (count, clip.dim). Linear between the two nearest frames and the two
// nearest bands; first and last frame stay first and last, edge bands are repeated. clip.dim <= most_warped_channels.
// Nothing allocates; thread-safe. S = float or double.
template <class S>
void warp_rows(const FeatureMatrix& clip, Index frames, double shift, Index first, Index count, S* out) noexcept;

// The whole clip, which has at least 1 frame.
FeatureMatrix warp(const FeatureMatrix& clip, double tempo, double shift);

}  // namespace serene
