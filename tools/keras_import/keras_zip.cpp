#include "keras_zip.h"

#include <zip.h>

#include <memory>
#include <string>

#include "serene/core/error.h"

namespace serene::keras {
namespace {

constexpr const char* kEntry = "model.weights.h5";
constexpr zip_int64_t kMostEntries = 10000;

[[noreturn]] void refuse(const std::string& problem) { throw Error(ErrorCode::input, kEntry, problem); }

struct CloseZip {
  void operator()(zip_t* zip) const { zip_discard(zip); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

std::vector<std::byte> weights_of_archive(std::span<const std::byte> archive, std::size_t most) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const source = zip_source_buffer_create(archive.data(), archive.size(), 0, &error);
  if (source == nullptr) throw Error(ErrorCode::input, "", "not a zip archive");
  const std::unique_ptr<zip_t, CloseZip> zip(zip_open_from_source(source, ZIP_RDONLY, &error));
  if (zip == nullptr) {
    zip_source_free(source);
    throw Error(ErrorCode::input, "", "not a zip archive, or a damaged one");
  }
  if (zip_get_num_entries(zip.get(), 0) > kMostEntries) throw Error(ErrorCode::input, "", "too many entries");
  zip_stat_t info;
  if (zip_stat(zip.get(), kEntry, 0, &info) != 0) refuse("the archive has no such entry");
  if ((info.valid & ZIP_STAT_SIZE) == 0 || info.size > most) {
    throw Error(ErrorCode::input, kEntry, "too large")
        .expected("at most " + std::to_string(most) + " bytes")
        .got(std::to_string(info.size));
  }
  const std::unique_ptr<zip_file_t, CloseZip> file(zip_fopen(zip.get(), kEntry, 0));
  if (file == nullptr) refuse("cannot be unpacked");
  std::vector<std::byte> bytes(info.size);
  const zip_int64_t read = zip_fread(file.get(), bytes.data(), bytes.size());
  std::byte more;
  if (read != static_cast<zip_int64_t>(bytes.size()) || zip_fread(file.get(), &more, 1) != 0) refuse("damaged");
  return bytes;
}

}  // namespace serene::keras
