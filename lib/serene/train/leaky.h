// The rows and the protocol of the well-known notebooks, reproduced so that its leak can be measured: every clip is
// augmented BEFORE the rows are split at random, so copies of a test clip and clips of the same voice stand in the
// training part, and early stopping watches the test rows. Its numbers say LEAKY wherever they are printed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/feature_cache.h"
#include "serene/data/splits.h"

namespace serene {

// Three rows a clip, as the notebooks make them: as it is, with noise, stretched and pitched. The rows of clip i are
// 3i, 3i+1, 3i+2; their ids end in "#noise" and "#stretch+pitch". Broken clips are skipped and listed; throws Error
// when none is usable. Not cached on disk.
FeatureSet augmented_rows(const Manifest& manifest, const FeatureConfig& config, std::uint64_t seed, ThreadPool& pool,
                          const DataProgress& progress = {});

inline constexpr std::size_t rows_of_a_clip = 3;  // as it is, with noise, stretched and pitched

// The recordings alone: the first row of each clip.
std::vector<std::size_t> plain_rows(const FeatureSet& rows);
// A split of the recordings (places in plain_rows) as one of the rows, the copies in the training part alone.
Split with_training_copies(Split split);

// Random rows; validation is the test part itself.
Split leaky_split(const FeatureSet& rows, double test_fraction, std::uint64_t seed);

}  // namespace serene
