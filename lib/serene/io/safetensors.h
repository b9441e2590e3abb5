// safetensors: named arrays with text metadata. The one format of weights and checkpoints; never executes anything.
//
//   file = u64 little-endian N | N bytes of JSON | data
//   JSON = {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {text: text}}
//
// The reader trusts nothing. Order of its checks and the name that starts the problem text of each Error:
//   HeaderTooSmall              fewer than 8 bytes
//   HeaderTooLarge              N above the limit (16 MiB)
//   InvalidHeaderLength         8 + N beyond the end of the file
//   InvalidHeader               not UTF-8, or does not start with '{'
//   InvalidHeaderDeserialization  broken JSON, a duplicate or unknown key, a wrong type, a number that is negative, not
//   whole or
//                               above 2^48, nesting too deep, an unknown dtype
//   ValidationOverflow          the size of a tensor overflows
//   MisalignedSlice             a tensor does not end at a whole byte
//   InvalidOffset               a hole, an overlap, or an end before its begin
//   TensorInvalidInfo           dtype and shape do not fill the byte range
//   MetadataIncompleteBuffer    the data is shorter or longer than the header says (no trailing bytes)
//   NonFinite                   NaN or infinity among the values, unless allowed
// and later: TensorNotFound, UnsupportedDtype (get of integers), InvalidTensorView (shape and number of values differ).
// Empty tensors and tensors of rank 0 are allowed.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "serene/core/types.h"

namespace serene {

struct TensorInfo {
  std::string dtype;         // "F32", "F64", "F16", "BF16", "I64", ...
  std::vector<Index> shape;  // empty: a scalar
  std::size_t begin = 0;     // bytes within the data
  std::size_t end = 0;

  // Number of values; no overflow in a validated file, where only a 0 can stand beside huge numbers.
  Index size() const {
    Index n = 1;
    for (const Index d : shape) {
      if (d == 0) return 0;
    }
    for (const Index d : shape) n *= d;
    return n;
  }
};

struct SafeTensorsOptions {
  bool allow_nonfinite = false;
  std::size_t max_header_bytes = std::size_t{16} << 20;
};

// A validated file in memory. Immutable, so all members are thread-safe.
class SafeTensors {
 public:
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Value of a metadata key; Error(input) when it is missing.
  const std::string& metadata(const std::string& key) const;

  std::vector<std::string> names() const;                                        // sorted
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }  // a tensor of this name
  const TensorInfo& info(const std::string& name) const;                         // TensorNotFound

  // Values of an F64, F32, F16 or BF16 tensor, row-major, S = float or double. Exact but for F64 read as float, which
  // is rounded once; a value beyond the range of float is NonFinite unless allowed.
  template <class S>
  std::vector<S> get(const std::string& name) const;
  // The tensor as it stands in the file; valid as long as this object.
  std::span<const std::byte> bytes(const std::string& name) const;
  // Values of get(), and the shape must be `shape` (InvalidTensorView).
  template <class S>
  std::vector<S> get(const std::string& name, const std::vector<Index>& shape) const;

 private:
  friend SafeTensors parse_safetensors(std::vector<std::byte> bytes, const std::string& where,
                                       const SafeTensorsOptions& options);

  void check_layout() const;
  void check_finite() const;

  std::string where_;
  SafeTensorsOptions options_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, TensorInfo> tensors_;
  std::vector<std::byte> bytes_;
  std::size_t data_begin_ = 0;
};

// where: names the bytes in errors.
SafeTensors parse_safetensors(std::vector<std::byte> bytes, const std::string& where,
                              const SafeTensorsOptions& options = {});
SafeTensors read_safetensors(const std::string& path, const SafeTensorsOptions& options = {});

// Collects tensors and writes them: F64 before F32, then by name; the header is padded with spaces so that the data
// starts at a multiple of 8. The same tensors and metadata give the same bytes in whatever order they were added.
class SafeTensorsWriter {
 public:
  // allow_nonfinite: add() takes NaN and infinity instead of throwing Error(divergence).
  explicit SafeTensorsWriter(bool allow_nonfinite = false) : allow_nonfinite_(allow_nonfinite) {}

  // Throws Error(internal) when the name is taken, reserved or not UTF-8, or the shape does not fit the number of
  // values.
  void add(const std::string& name, const std::vector<Index>& shape, std::span<const float> values);
  void add(const std::string& name, const std::vector<Index>& shape, std::span<const double> values);
  // Sets a text; a later value replaces an earlier one.
  void metadata(const std::string& key, const std::string& value);

  std::vector<std::byte> bytes() const;       // the whole file
  void write(const std::string& path) const;  // crash-safe, see atomic_file.h

 private:
  struct Entry {
    std::vector<Index> shape;
    std::vector<std::byte> data;
  };
  template <class S>
  void add_values(const char* dtype, const std::string& name, const std::vector<Index>& shape,
                  std::span<const S> values);
  std::string header() const;

  bool allow_nonfinite_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::map<std::string, Entry>, std::greater<>> by_dtype_;  // "F64" before "F32"
};

}  // namespace serene
