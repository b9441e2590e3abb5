// What npy.cpp and npy_texts.cpp share: the header of a .npy file, read and written. Thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<Index> shape;
  std::span<const std::byte> data;  // all that follows the header
};

// Throws Error(input): not .npy, another version, a header that is truncated or not the format's three keys.
NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& where);

// Number of values, each `width` bytes. Throws Error(input) for Fortran order and data of another size.
std::size_t check_npy_data(const NpyHeader& header, std::size_t width, const std::string& where);

// Throws Error(input) that says so when they are Python objects.
[[noreturn]] void refuse_npy_dtype(const std::string& descr, const std::string& expected, const std::string& where);

// All that stands before the data in format 1.0. Throws Error(internal) when the shape has not so many values.
std::vector<std::byte> npy_head(const std::string& descr, const std::vector<Index>& shape, std::size_t values);

}  // namespace serene
