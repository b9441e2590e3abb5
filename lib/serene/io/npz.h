// NumPy's .npz: a zip archive of .npy arrays, as numpy.savez and numpy.savez_compressed write it. Thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serene/io/npy.h"
#include "serene/io/zip_archive.h"

namespace serene {

class NpzFile {
 public:
  // Reads the archive, unpacks nothing yet. Throws Error as ZipArchive does, and for an entry that is no .npy.
  explicit NpzFile(const std::string& path);

  const std::string& path() const noexcept { return archive_.path(); }
  std::vector<std::string> names() const;  // of the arrays, in the archive's order
  bool has(std::string_view name) const noexcept;  // an array of this name
  // Throw Error naming the archive and the array as parse_npy and parse_npy_texts do, Error(not_found) without it.
  NpyArray<float> floats(std::string_view name, const NpyOptions& options = {}) const;
  NpyArray<double> doubles(std::string_view name, const NpyOptions& options = {}) const;
  NpyTexts texts(std::string_view name) const;

 private:
  const ZipEntry& entry(std::string_view name) const;

  ZipArchive archive_;
};

// One array to be written: its name without ".npy" and its bytes, as npy_bytes makes them.
struct NpzArray {
  std::string name;
  std::vector<std::byte> npy;
};

// Writes the arrays uncompressed, crash-safe; equal arrays give an equal file. Throws Error naming the file.
void write_npz(const std::string& path, std::span<const NpzArray> arrays);

}  // namespace serene
