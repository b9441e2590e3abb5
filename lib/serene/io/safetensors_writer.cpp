#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>

#include "serene/core/error.h"
#include "serene/core/utf8.h"
#include "serene/io/atomic_file.h"
#include "serene/io/safetensors.h"

namespace serene {
namespace {

std::string json_text(const std::string& text) { return nlohmann::json(text).dump(); }

}  // namespace

template <class S>
void SafeTensorsWriter::add_values(const char* dtype, const std::string& name, const std::vector<Index>& shape,
                                   std::span<const S> values) {
  const std::string where = "tensor \"" + printable(name) + "\"";
  if (name == "__metadata__" || !is_utf8(name)) {
    throw Error(ErrorCode::internal, where, "is not a usable name");
  }
  for (const auto& entries : by_dtype_) {
    if (entries.second.count(name) != 0) throw Error(ErrorCode::internal, where, "is written twice");
  }
  std::size_t count = 1;
  bool fits = shape.size() <= 32;
  for (const Index d : shape) {
    fits = fits && d >= 0 && !__builtin_mul_overflow(count, static_cast<std::size_t>(d), &count);
  }
  if (!fits || count != values.size()) {
    throw Error(ErrorCode::internal, where, "InvalidTensorView: shape and number of values differ")
        .got(std::to_string(values.size()) + " values");
  }
  if (!allow_nonfinite_) {
    for (const S value : values) {
      if (!std::isfinite(value)) throw Error(ErrorCode::divergence, where, "NonFinite: holds NaN or infinity");
    }
  }
  const auto bytes = std::as_bytes(values);
  by_dtype_[dtype][name] = Entry{shape, {bytes.begin(), bytes.end()}};
}

void SafeTensorsWriter::add(const std::string& name, const std::vector<Index>& shape, std::span<const float> values) {
  add_values<float>("F32", name, shape, values);
}

void SafeTensorsWriter::add(const std::string& name, const std::vector<Index>& shape, std::span<const double> values) {
  add_values<double>("F64", name, shape, values);
}

void SafeTensorsWriter::metadata(const std::string& key, const std::string& value) {
  if (!is_utf8(key) || !is_utf8(value)) {
    throw Error(ErrorCode::internal, "metadata \"" + printable(key) + "\"", "is not UTF-8");
  }
  metadata_[key] = value;
}

std::string SafeTensorsWriter::header() const {
  std::string text = "{";
  const auto separate = [&] { text += text.back() == '{' ? "" : ","; };
  if (!metadata_.empty()) {
    text += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata_) {
      separate();
      text += json_text(key) + ":" + json_text(value);
    }
    text += "}";
  }
  std::size_t at = 0;
  for (const auto& [dtype, entries] : by_dtype_) {
    for (const auto& [name, entry] : entries) {
      separate();
      text += json_text(name) + ":{\"dtype\":\"" + dtype + "\",\"shape\":" + nlohmann::json(entry.shape).dump() +
              ",\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(at + entry.data.size()) + "]}";
      at += entry.data.size();
    }
  }
  text += "}";
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

std::vector<std::byte> SafeTensorsWriter::bytes() const {
  const std::string head = header();
  const std::uint64_t length = head.size();
  if (length > SafeTensorsOptions{}.max_header_bytes) {
    throw Error(ErrorCode::internal, "safetensors header", "HeaderTooLarge: more than the reader would take");
  }
  std::vector<std::byte> out(8 + head.size());
  std::memcpy(out.data(), &length, 8);
  std::memcpy(out.data() + 8, head.data(), head.size());
  for (const auto& entries : by_dtype_) {
    for (const auto& entry : entries.second) out.insert(out.end(), entry.second.data.begin(), entry.second.data.end());
  }
  return out;
}

void SafeTensorsWriter::write(const std::string& path) const { write_file_atomic(path, bytes()); }

}  // namespace serene
