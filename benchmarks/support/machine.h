// Where a figure was measured.
#pragma once

#include "serene/core/json.h"

namespace serene::bench {

// Processor, cores this process may use, instruction set of the kernels, compiler, load of the machine.
Json machine();

// The same in one line.
std::string machine_line();

// The model section of configs/model_strong.json.
Json model_strong();

}  // namespace serene::bench
