// Reads what Keras wrote by a child process, serene-keras-import, so that a hostile file can neither crash this one nor
// write anything nor run for ever.
#pragma once

#include <string>

#include "serene/io/safetensors.h"

namespace serene::cli {

// The arrays of the file by their HDF5 paths. The child stands beside this program and gets 60 s of processor time,
// 120 s in all, 2 GiB of memory, 16 open files and none that it could write to. Throws Error(input) naming the file and
// what the child says, and Error(not_found) when serene was built without it.
SafeTensors read_keras_file(const std::string& path);

}  // namespace serene::cli
