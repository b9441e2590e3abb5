#include "serene/io/npy.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "serene/core/error.h"
#include "serene/io/atomic_file.h"
#include "serene/io/file.h"
#include "serene/io/npy_header.h"

namespace serene {
namespace {

template <class Raw, class S>
void convert(std::span<const std::byte> data, std::vector<S>& out) {
  Raw raw;
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::memcpy(&raw, data.data() + i * sizeof raw, sizeof raw);
    out[i] = static_cast<S>(raw);
  }
}

template <class S>
struct Reader {
  std::string_view descr;
  std::size_t width;
  void (*read)(std::span<const std::byte>, std::vector<S>&);
};

template <class S>
const Reader<S>& reader_of(const std::string& descr, const std::string& where) {
  static constexpr Reader<S> readers[] = {{"<f8", 8, convert<double, S>},       {"<f4", 4, convert<float, S>},
                                          {"<i8", 8, convert<std::int64_t, S>}, {"<i4", 4, convert<std::int32_t, S>},
                                          {"<i2", 2, convert<std::int16_t, S>}, {"|i1", 1, convert<std::int8_t, S>},
                                          {"|u1", 1, convert<std::uint8_t, S>}, {"|b1", 1, convert<std::uint8_t, S>}};
  for (const Reader<S>& reader : readers) {
    if (reader.descr == descr) return reader;
  }
  refuse_npy_dtype(descr, "<f8, <f4, <i8, <i4, <i2, |i1, |u1 or |b1", where);
}

template <class S>
constexpr const char* descr_of() {
  if constexpr (std::is_integral_v<S>) return "<i8";
  return sizeof(S) == 8 ? "<f8" : "<f4";
}

template <class S>
void write_array(const std::string& path, const std::vector<Index>& shape, std::span<const S> values) {
  write_file_atomic(path, npy_bytes<S>(shape, values));
}

}  // namespace

template <class S>
NpyArray<S> parse_npy(std::span<const std::byte> bytes, const std::string& where, const NpyOptions& options) {
  NpyHeader header = parse_npy_header(bytes, where);
  const Reader<S>& reader = reader_of<S>(header.descr, where);
  const std::size_t count = check_npy_data(header, reader.width, where);
  NpyArray<S> array{std::move(header.shape), std::vector<S>(count), std::move(header.descr)};
  reader.read(header.data, array.values);
  if (!options.allow_nonfinite &&
      !std::all_of(array.values.begin(), array.values.end(), [](S v) { return std::isfinite(v); })) {
    throw Error(ErrorCode::input, where, "holds NaN or infinity");
  }
  return array;
}

template <class S>
NpyArray<S> read_npy(const std::string& path, const NpyOptions& options) {
  return parse_npy<S>(read_file(path), path, options);
}

template <class S>
std::vector<std::byte> npy_bytes(const std::vector<Index>& shape, std::span<const S> values) {
  std::vector<std::byte> bytes = npy_head(descr_of<S>(), shape, values.size());
  const auto data = std::as_bytes(values);
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

void write_npy(const std::string& path, const std::vector<Index>& shape, std::span<const float> values) {
  write_array(path, shape, values);
}

void write_npy(const std::string& path, const std::vector<Index>& shape, std::span<const double> values) {
  write_array(path, shape, values);
}

template NpyArray<float> parse_npy(std::span<const std::byte>, const std::string&, const NpyOptions&);
template NpyArray<double> parse_npy(std::span<const std::byte>, const std::string&, const NpyOptions&);
template NpyArray<float> read_npy(const std::string&, const NpyOptions&);
template NpyArray<double> read_npy(const std::string&, const NpyOptions&);
template std::vector<std::byte> npy_bytes(const std::vector<Index>&, std::span<const float>);
template std::vector<std::byte> npy_bytes(const std::vector<Index>&, std::span<const double>);
template std::vector<std::byte> npy_bytes(const std::vector<Index>&, std::span<const Index>);

}  // namespace serene
