// Several cross-validations of one protocol as an ensemble: `serene crossval --combine`.
#pragma once

#include <string>
#include <vector>

#include "command.h"

namespace serene::cli {

// Reads what `serene crossval` left in the folders (of the part that --part names), mixes the models of each seed and
// fold, clip by clip (the first seed of every folder, then the second, ...), prints the summary and, with --run, writes
// it there. No training. Throws Error naming the folder whose protocol, labels, seeds, folds or clips do not fit.
int combine_crossvals(const std::vector<std::string>& folders, const Arguments& args);

}  // namespace serene::cli
