#include "serene/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "serene/core/error.h"
#include "serene/core/finite.h"
#include "serene/io/file.h"
#include "serene/io/safetensors_header.h"

namespace serene {
namespace {

using safetensors::failure;

static_assert(std::endian::native == std::endian::little, "the formats here are little endian");

std::uint64_t read_u64(const std::byte* p) {
  std::uint64_t value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// IEEE 754 binary16 to binary32, exact.
float from_f16(std::uint16_t h) {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  const std::uint32_t exponent = (h >> 10) & 31u;
  const std::uint32_t fraction = h & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = std::ldexp(static_cast<float>(fraction), -24);
  return sign != 0 ? -magnitude : magnitude;
}

float from_bf16(std::uint16_t h) { return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16); }

// Calls visit(value) for each value of a readable tensor, in its own precision; false for another dtype.
template <class F>
bool for_each_value(const std::string& dtype, const std::byte* data, std::size_t count, F&& visit) {
  const auto loop = [&](auto raw, auto convert) {
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(&raw, data + i * sizeof raw, sizeof raw);
      visit(convert(raw));
    }
    return true;
  };
  const auto same = [](auto v) { return v; };
  if (dtype == "F32") return loop(float{}, same);
  if (dtype == "F64") return loop(double{}, same);
  if (dtype == "F16") return loop(std::uint16_t{}, from_f16);
  if (dtype == "BF16") return loop(std::uint16_t{}, from_bf16);
  return false;
}

std::string shape_text(const std::vector<Index>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i != 0 ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

// Bytes of a tensor by its dtype and shape.
std::uint64_t tensor_bytes(const TensorInfo& info, const std::string& where, const std::string& name) {
  std::uint64_t bits = safetensors::dtype_bits(info.dtype);
  const bool empty = std::find(info.shape.begin(), info.shape.end(), 0) != info.shape.end();
  for (const Index d : info.shape) {
    if (__builtin_mul_overflow(bits, empty ? 1 : static_cast<std::uint64_t>(d), &bits)) {
      throw failure(where, "ValidationOverflow", "size of tensor \"" + printable(name) + "\" overflows");
    }
  }
  if (empty) bits = 0;
  if (bits % 8 != 0) {
    throw failure(where, "MisalignedSlice", "tensor \"" + printable(name) + "\" does not end at a whole byte");
  }
  return bits / 8;
}

}  // namespace

void SafeTensors::check_layout() const {
  std::vector<std::pair<const std::string*, const TensorInfo*>> order;
  order.reserve(tensors_.size());
  for (const auto& [name, info] : tensors_) order.emplace_back(&name, &info);
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
  });
  std::size_t at = 0;
  for (const auto& [name, info] : order) {
    const std::string text = "tensor \"" + printable(*name) + "\"";
    if (info->begin != at || info->end < info->begin) {
      throw failure(where_, "InvalidOffset", text + " leaves a hole, overlaps or ends before its begin")
          .expected("begin " + std::to_string(at))
          .got("[" + std::to_string(info->begin) + ", " + std::to_string(info->end) + "]");
    }
    at = info->end;
    const std::uint64_t bytes = tensor_bytes(*info, where_, *name);
    if (bytes != info->end - info->begin) {
      throw failure(where_, "TensorInvalidInfo", text + ": dtype and shape do not fill its bytes")
          .expected(std::to_string(bytes) + " bytes")
          .got(std::to_string(info->end - info->begin));
    }
  }
  if (at != bytes_.size() - data_begin_) {
    throw failure(where_, "MetadataIncompleteBuffer", "the data is not as long as the header says")
        .expected(std::to_string(at) + " bytes")
        .got(std::to_string(bytes_.size() - data_begin_));
  }
}

void SafeTensors::check_finite() const {
  for (const auto& [name, info] : tensors_) {
    const std::byte* data = bytes_.data() + data_begin_ + info.begin;
    bool finite = true;
    if (info.dtype == "F32") {
      finite = all_finite(data, info.size());
    } else {
      for_each_value(info.dtype, data, static_cast<std::size_t>(info.size()),
                     [&](auto value) { finite = finite && std::isfinite(value); });
    }
    if (!finite) throw failure(where_, "NonFinite", "tensor \"" + printable(name) + "\" holds NaN or infinity");
  }
}

const std::string& SafeTensors::metadata(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end())
    throw Error(ErrorCode::input, where_, "metadata key \"" + printable(key) + "\" is missing");
  return found->second;
}

std::vector<std::string> SafeTensors::names() const {
  std::vector<std::string> list;
  list.reserve(tensors_.size());
  for (const auto& entry : tensors_) list.push_back(entry.first);
  return list;
}

const TensorInfo& SafeTensors::info(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw failure(where_, "TensorNotFound", "no tensor \"" + printable(name) + "\"");
  return found->second;
}

std::span<const std::byte> SafeTensors::bytes(const std::string& name) const {
  const TensorInfo& tensor = info(name);
  return {bytes_.data() + data_begin_ + tensor.begin, tensor.end - tensor.begin};
}

template <class S>
std::vector<S> SafeTensors::get(const std::string& name) const {
  const TensorInfo& tensor = info(name);
  std::vector<S> values;
  const std::size_t count = static_cast<std::size_t>(tensor.size());
  const bool readable = for_each_value(tensor.dtype, bytes_.data() + data_begin_ + tensor.begin, 0, [](auto) {});
  if (!readable) {
    throw failure(where_, "UnsupportedDtype", "tensor \"" + printable(name) + "\" does not hold floating-point numbers")
        .expected("F64, F32, F16 or BF16")
        .got(tensor.dtype);
  }
  values.reserve(count);
  bool in_range = true;
  for_each_value(tensor.dtype, bytes_.data() + data_begin_ + tensor.begin, count, [&](auto value) {
    if constexpr (std::is_same_v<decltype(value), double> && std::is_same_v<S, float>) {
      in_range = in_range && !(std::isfinite(value) && std::isinf(static_cast<float>(value)));
    }
    values.push_back(static_cast<S>(value));
  });
  if (!in_range && !options_.allow_nonfinite) {
    throw failure(where_, "NonFinite", "tensor \"" + printable(name) + "\" goes beyond the range of float");
  }
  return values;
}

template <class S>
std::vector<S> SafeTensors::get(const std::string& name, const std::vector<Index>& shape) const {
  if (info(name).shape != shape) {
    throw failure(where_, "InvalidTensorView", "tensor \"" + printable(name) + "\" has another shape")
        .expected(shape_text(shape))
        .got(shape_text(info(name).shape));
  }
  return get<S>(name);
}

template std::vector<float> SafeTensors::get(const std::string&) const;
template std::vector<double> SafeTensors::get(const std::string&) const;
template std::vector<float> SafeTensors::get(const std::string&, const std::vector<Index>&) const;
template std::vector<double> SafeTensors::get(const std::string&, const std::vector<Index>&) const;

SafeTensors parse_safetensors(std::vector<std::byte> bytes, const std::string& where,
                              const SafeTensorsOptions& options) {
  constexpr std::size_t prefix = 8;
  if (bytes.size() < prefix) throw failure(where, "HeaderTooSmall", "shorter than the 8 bytes of a header length");
  const std::uint64_t length = read_u64(bytes.data());
  if (length > options.max_header_bytes) {
    throw failure(where, "HeaderTooLarge", "not a safetensors file, or its header is too large")
        .expected("at most " + std::to_string(options.max_header_bytes) + " bytes")
        .got(std::to_string(length));
  }
  if (length > bytes.size() - prefix) {
    throw failure(where, "InvalidHeaderLength", "the header ends after the file")
        .expected("at most " + std::to_string(bytes.size() - prefix) + " bytes")
        .got(std::to_string(length));
  }
  SafeTensors file;
  file.where_ = where;
  file.options_ = options;
  file.data_begin_ = prefix + static_cast<std::size_t>(length);
  file.bytes_ = std::move(bytes);
  const char* json = reinterpret_cast<const char*>(file.bytes_.data()) + prefix;
  safetensors::Header header = safetensors::parse_header({json, static_cast<std::size_t>(length)}, where);
  file.metadata_ = std::move(header.metadata);
  file.tensors_ = std::move(header.tensors);
  file.check_layout();
  if (!options.allow_nonfinite) file.check_finite();
  return file;
}

SafeTensors read_safetensors(const std::string& path, const SafeTensorsOptions& options) {
  return parse_safetensors(read_file(path), path, options);
}

}  // namespace serene
