// Reading whole files, with a bound on their size and errors that name the path and the reason.
//
// All functions are thread-safe. They refuse directories, pipes and devices, so that a strange path can neither hang
// nor exhaust the memory. Errors: Error(not_found) for a missing file, Error(input) for everything else.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace serene {

// Larger files are refused unless a caller says otherwise.
inline constexpr std::size_t default_max_file_bytes = std::size_t{1} << 30;
inline constexpr std::size_t default_max_text_bytes = std::size_t{64} << 20;

// The bytes of a regular file of at most max_bytes.
std::vector<std::byte> read_file(const std::string& path, std::size_t max_bytes = default_max_file_bytes);

// The same as text (any bytes; no check of the encoding).
std::string read_text(const std::string& path, std::size_t max_bytes = default_max_text_bytes);

// SHA-256 of a file of any size, as 64 hexadecimal digits; the file is read in pieces.
std::string sha256_file(const std::string& path);

// Text of an errno value, thread-safe.
std::string errno_text(int code);

}  // namespace serene
