// The JSON header of a safetensors file, parsed straight from text without a document in memory: linear time, memory in
// proportion to the header, nesting bounded by the grammar itself. Part of the reader in safetensors.h.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "serene/core/error.h"
#include "serene/io/safetensors.h"

namespace serene::safetensors {

struct Header {
  std::map<std::string, std::string> metadata;
  std::map<std::string, TensorInfo> tensors;
};

// Throws InvalidHeader or InvalidHeaderDeserialization (see safetensors.h).
Header parse_header(std::string_view json, const std::string& where);

// Bits of one value, 0 for an unknown dtype.
unsigned dtype_bits(std::string_view dtype);

// An Error(input) whose problem starts with the kind of safetensors failure.
Error failure(const std::string& where, const std::string& kind, const std::string& problem);

}  // namespace serene::safetensors
