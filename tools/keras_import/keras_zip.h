// The weights inside a .keras file, which is a zip archive.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace serene::keras {

// The bytes of the entry model.weights.h5; no other entry is read, config.json least of all. At most `most` bytes are
// unpacked, whatever the archive says. Throws Error(input).
std::vector<std::byte> weights_of_archive(std::span<const std::byte> archive, std::size_t most);

}  // namespace serene::keras
