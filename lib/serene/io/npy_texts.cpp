#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "serene/core/error.h"
#include "serene/core/utf8.h"
#include "serene/io/npy.h"
#include "serene/io/npy_header.h"

namespace serene {
namespace {

constexpr std::size_t kMostCharacters = 65536;  // of one text
constexpr const char* kExpected = "texts (<U or |S) or whole numbers";

// "<U12" and "|S12" -> 12, or 0.
std::size_t characters_of(const std::string& descr) {
  if (!descr.starts_with("<U") && !descr.starts_with("|S")) return 0;
  std::size_t count = 0;
  for (const char c : descr.substr(2)) {
    if (c < '0' || c > '9' || count > kMostCharacters) return 0;
    count = count * 10 + static_cast<std::size_t>(c - '0');
  }
  return count <= kMostCharacters ? count : 0;
}

bool is_character(std::uint32_t c) { return c != 0 && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF); }

void append_utf8(std::string& text, std::uint32_t c) {
  const auto more = [&](unsigned shift) { text += static_cast<char>(0x80 | (c >> shift & 0x3F)); };
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xC0 | c >> 6), more(0);
  } else if (c < 0x10000) {
    text += static_cast<char>(0xE0 | c >> 12), more(6), more(0);
  } else {
    text += static_cast<char>(0xF0 | c >> 18), more(12), more(6), more(0);
  }
}

// The characters of a text that is_utf8.
std::vector<std::uint32_t> characters(const std::string& text) {
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    std::uint32_t c = static_cast<unsigned char>(text[i]) & (length == 1 ? 0x7Fu : 0xFFu >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) c = c << 6 | (static_cast<unsigned char>(text[i + k]) & 0x3Fu);
    out.push_back(c);
    i += length;
  }
  return out;
}

// Of `width` characters of four bytes; zeros fill the end.
std::string text_of_ucs4(const std::byte* data, std::size_t width, const std::string& where) {
  std::string text;
  bool ended = false;
  for (std::size_t i = 0; i < width; ++i) {
    std::uint32_t c = 0;
    std::memcpy(&c, data + 4 * i, 4);
    if (c == 0) {
      ended = true;
      continue;
    }
    if (ended || !is_character(c)) throw Error(ErrorCode::input, where, "holds a text with a broken character");
    append_utf8(text, c);
  }
  return text;
}

std::string text_of_bytes(const std::byte* data, std::size_t width, const std::string& where) {
  std::string text(reinterpret_cast<const char*>(data), width);
  text.erase(std::find_if(text.rbegin(), text.rend(), [](char c) { return c != '\0'; }).base(), text.end());
  if (text.find('\0') != std::string::npos || !is_utf8(text)) {
    throw Error(ErrorCode::input, where, "holds a text with a broken character").expected("UTF-8");
  }
  return text;
}

NpyTexts texts_of_numbers(std::span<const std::byte> bytes, const std::string& where) {
  NpyArray<double> numbers = parse_npy<double>(bytes, where);
  NpyTexts texts{std::move(numbers.shape), {}};
  texts.values.reserve(numbers.values.size());
  constexpr double exact = 9007199254740992;  // 2^53
  for (const double v : numbers.values) {
    if (std::abs(v) > exact) throw Error(ErrorCode::input, where, "holds a number beyond 2^53");
    texts.values.push_back(std::to_string(static_cast<std::int64_t>(v)));
  }
  return texts;
}

}  // namespace

NpyTexts parse_npy_texts(std::span<const std::byte> bytes, const std::string& where) {
  NpyHeader header = parse_npy_header(bytes, where);
  const std::string& descr = header.descr;
  for (const char* whole : {"<i8", "<i4", "<i2", "|i1", "|u1"}) {
    if (descr == whole) return texts_of_numbers(bytes, where);
  }
  const std::size_t length = characters_of(descr);
  if (length == 0) refuse_npy_dtype(descr, kExpected, where);
  const bool ucs4 = descr[1] == 'U';
  const std::size_t width = ucs4 ? 4 * length : length;
  const std::size_t count = check_npy_data(header, width, where);
  NpyTexts texts{std::move(header.shape), {}};
  texts.values.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* const at = header.data.data() + i * width;
    texts.values.push_back(ucs4 ? text_of_ucs4(at, length, where) : text_of_bytes(at, length, where));
  }
  return texts;
}

std::vector<std::byte> npy_bytes(const std::vector<Index>& shape, std::span<const std::string> values) {
  std::size_t longest = 1;
  std::vector<std::vector<std::uint32_t>> texts;
  for (const std::string& text : values) {
    if (!is_utf8(text) || text.find('\0') != std::string::npos || text.size() > kMostCharacters) {
      throw Error(ErrorCode::input, "\"" + printable(text) + "\"", "cannot be written as a text of NumPy");
    }
    texts.push_back(characters(text));
    longest = std::max(longest, texts.back().size());
  }
  std::vector<std::byte> bytes = npy_head("<U" + std::to_string(longest), shape, values.size());
  for (std::vector<std::uint32_t>& text : texts) {
    text.resize(longest, 0);
    const auto data = std::as_bytes(std::span<const std::uint32_t>(text));
    bytes.insert(bytes.end(), data.begin(), data.end());
  }
  return bytes;
}

}  // namespace serene
