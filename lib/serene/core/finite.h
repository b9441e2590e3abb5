// Whether numbers from outside are numbers.
#pragma once

#include "serene/core/types.h"

namespace serene {

// No NaN or infinity among n floats at any address; true for none. Thread-safe.
bool all_finite(const void* floats, Index n) noexcept;

}  // namespace serene
