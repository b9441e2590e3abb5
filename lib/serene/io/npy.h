// NumPy's .npy files, format 1.0 and 2.0: little endian, C order, of <f8 <f4 <i8 <i4 <i2 |i1 |u1 |b1, and of texts.
//
// The reader checks everything before it allocates, refuses trailing bytes, and never evaluates the Python literal of
// the header beyond the three keys of the format. Errors: Error(input) that names the file. Thread-safe.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

template <class S>
struct NpyArray {
  std::vector<Index> shape;  // empty: a scalar
  std::vector<S> values;     // row-major
  std::string dtype;         // as in the file, such as "<f4"
};

struct NpyOptions {
  bool allow_nonfinite = false;  // otherwise NaN and infinity are an Error
};

// S = float or double. Integers above 2^24 (float) or 2^53 (double), and <f8 read as float, are rounded.
template <class S>
NpyArray<S> parse_npy(std::span<const std::byte> bytes, const std::string& where, const NpyOptions& options = {});
template <class S>
NpyArray<S> read_npy(const std::string& path, const NpyOptions& options = {});

// Texts, one for each value. <U and |S (which must hold UTF-8) are read, and whole numbers as they are written. An
// array of Python objects is an Error: nothing is ever unpickled.
struct NpyTexts {
  std::vector<Index> shape;
  std::vector<std::string> values;  // UTF-8
};
// where: what errors name.
NpyTexts parse_npy_texts(std::span<const std::byte> bytes, const std::string& where);

// Format 1.0, <f4 for float, <f8 for double, <i8 for Index, <U for texts. Throws Error(internal) when the shape does
// not fit, Error(input) for a text that is not UTF-8 or holds a NUL.
template <class S>
std::vector<std::byte> npy_bytes(const std::vector<Index>& shape, std::span<const S> values);
std::vector<std::byte> npy_bytes(const std::vector<Index>& shape, std::span<const std::string> values);
// Crash-safe.
void write_npy(const std::string& path, const std::vector<Index>& shape, std::span<const float> values);
void write_npy(const std::string& path, const std::vector<Index>& shape, std::span<const double> values);

}  // namespace serene
