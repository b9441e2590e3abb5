#include "serene/io/npz.h"

#include "serene/core/error.h"
#include "serene/io/atomic_file.h"

namespace serene {
namespace {

constexpr std::string_view kEnding = ".npy";

std::string place(const ZipArchive& archive, const ZipEntry& entry) {
  return archive.path() + ": " + printable(entry.name);
}

}  // namespace

NpzFile::NpzFile(const std::string& path) : archive_(path) {
  for (const ZipEntry& e : archive_.entries()) {
    if (e.name.size() > kEnding.size() && e.name.ends_with(kEnding)) continue;
    throw Error(ErrorCode::input, place(archive_, e), "is no .npy array");
  }
}

std::vector<std::string> NpzFile::names() const {
  std::vector<std::string> names;
  for (const ZipEntry& e : archive_.entries()) names.push_back(e.name.substr(0, e.name.size() - kEnding.size()));
  return names;
}

bool NpzFile::has(std::string_view name) const noexcept {
  for (const ZipEntry& e : archive_.entries()) {
    if (e.name.size() == name.size() + kEnding.size() && e.name.starts_with(name)) return true;
  }
  return false;
}

const ZipEntry& NpzFile::entry(std::string_view name) const {
  const ZipEntry* const found = archive_.find(std::string(name) + std::string(kEnding));
  if (found == nullptr) throw Error(ErrorCode::not_found, path(), "holds no array \"" + printable(name) + "\"");
  return *found;
}

NpyArray<float> NpzFile::floats(std::string_view name, const NpyOptions& options) const {
  std::vector<std::byte> room;
  const ZipEntry& e = entry(name);
  return parse_npy<float>(archive_.read(e, room), place(archive_, e), options);
}

NpyArray<double> NpzFile::doubles(std::string_view name, const NpyOptions& options) const {
  std::vector<std::byte> room;
  const ZipEntry& e = entry(name);
  return parse_npy<double>(archive_.read(e, room), place(archive_, e), options);
}

NpyTexts NpzFile::texts(std::string_view name) const {
  std::vector<std::byte> room;
  const ZipEntry& e = entry(name);
  return parse_npy_texts(archive_.read(e, room), place(archive_, e));
}

void write_npz(const std::string& path, std::span<const NpzArray> arrays) {
  ZipWriter zip;
  for (const NpzArray& array : arrays) {
    with_context(path, [&] { zip.add(array.name + std::string(kEnding), array.npy); });
  }
  write_file_atomic(path, std::move(zip).finish());
}

}  // namespace serene
