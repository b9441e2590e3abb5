// Weights in the order of other programs: every foreign tensor is a list of places in one of ours.
//
// Element i of the foreign tensor is element places[i] of ours, so that reading there and back is exact by
// construction. Ours are Keras' layouts (nn/parameter.h).
#pragma once

#include <span>
#include <vector>

#include "serene/core/types.h"

namespace serene {

// Places of the tensor of shape `shape` with its axes in another order: axis a of the result is axis order[a] of ours.
// (k,in,out) with {2,1,0}: (out,in,k).
std::vector<Index> transposed_places(const std::vector<Index>& shape, const std::vector<int>& order);

// Places of a kernel (rows, gates * units) as (gates * units, rows): gate g of the result is gate order[g] of ours.
std::vector<Index> gate_places(Index rows, Index units, const std::vector<int>& order);

// The values at the places.
std::vector<float> values_at(const float* values, std::span<const Index> places);

}  // namespace serene
