// The arrays of an HDF5 file, from memory.
#pragma once

#include <span>

#include "serene/io/safetensors.h"

namespace serene::keras {

inline constexpr std::size_t most_bytes = std::size_t{256} << 20;  // of an HDF5 file, and of the floats of its arrays
inline constexpr std::size_t most_objects = 100000;                // groups and datasets

// Adds every dataset of numbers, as float32 under its path ("layers/dense/vars/0"). Follows hard links alone: no soft
// and external ones, no external or virtual storage, no filters that would have to be loaded. Attributes are not read.
// Throws Error(input).
void add_hdf5_arrays(std::span<const std::byte> file, SafeTensorsWriter& out);

}  // namespace serene::keras
