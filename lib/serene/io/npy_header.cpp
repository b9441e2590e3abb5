#include "serene/io/npy_header.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "serene/core/error.h"

namespace serene {
namespace {

static_assert(std::endian::native == std::endian::little, "the formats here are little endian");

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t max_header_bytes = 1u << 16;
constexpr std::size_t max_rank = 32;

// Reads the dictionary of the header: {'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), } and nothing else.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  NpyHeader parse() {
    NpyHeader header;
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr" && !has_descr) {
        header.descr = string();
        has_descr = true;
      } else if (key == "fortran_order" && !has_order) {
        header.fortran_order = boolean();
        has_order = true;
      } else if (key == "shape" && !has_shape) {
        header.shape = tuple();
        has_shape = true;
      } else {
        fail("unknown or repeated key \"" + printable(key) + "\" in the header");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (at_ != text_.size()) fail("text after the header's dictionary");
    if (!has_descr || !has_order || !has_shape) fail("the header lacks descr, fortran_order or shape");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const { throw Error(ErrorCode::input, where_, problem); }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(std::string("broken header: no '") + c + "' at byte " + std::to_string(at_));
  }
  std::string string() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : ' ';
    if (quote != '\'' && quote != '"') fail("broken header: no string at byte " + std::to_string(at_));
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("broken header: string without an end");
    const std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }
  bool boolean() {
    skip_spaces();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return value;
    }
    fail("broken header: fortran_order is neither True nor False");
  }
  Index number() {
    skip_spaces();
    Index value = 0;
    const std::size_t begin = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      value = value * 10 + (text_[at_] - '0');
      if (value > (Index{1} << 48)) fail("dimension above 2^48");
    }
    if (at_ == begin) fail("broken header: no whole number at byte " + std::to_string(at_));
    return value;
  }
  std::vector<Index> tuple() {
    std::vector<Index> values;
    expect('(');
    while (!accept(')')) {
      if (values.size() == max_rank) fail("more than 32 dimensions");
      values.push_back(number());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return values;
  }

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
};

// Where the header's text lies: its begin and its length.
std::pair<std::size_t, std::size_t> header_range(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() < 10 || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) {
    throw Error(ErrorCode::input, where, "is not a .npy file");
  }
  const unsigned major = std::to_integer<unsigned>(bytes[6]), minor = std::to_integer<unsigned>(bytes[7]);
  if ((major != 1 && major != 2) || minor != 0) {
    throw Error(ErrorCode::input, where, "unknown version of .npy")
        .expected("1.0 or 2.0")
        .got(std::to_string(major) + "." + std::to_string(minor));
  }
  const std::size_t begin = major == 1 ? 10 : 12;
  if (bytes.size() < begin) throw Error(ErrorCode::input, where, "is truncated inside the header");
  std::size_t length = 0;
  for (std::size_t i = begin; i-- > 8;) length = length << 8 | std::to_integer<std::size_t>(bytes[i]);
  if (length > max_header_bytes) throw Error(ErrorCode::input, where, "header is too large");
  if (length > bytes.size() - begin) throw Error(ErrorCode::input, where, "is truncated inside the header");
  return {begin, length};
}

std::size_t value_count(const std::vector<Index>& shape, const std::string& where) {
  std::size_t count = 1;
  for (const Index d : shape) {
    if (d == 0) return 0;
  }
  for (const Index d : shape) {
    if (__builtin_mul_overflow(count, static_cast<std::size_t>(d), &count) || count > (std::size_t{1} << 48)) {
      throw Error(ErrorCode::input, where, "size of the array overflows");
    }
  }
  return count;
}

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> bytes, const std::string& where) {
  const auto [begin, length] = header_range(bytes, where);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + begin, length);
  NpyHeader header = HeaderParser(text, where).parse();
  header.data = bytes.subspan(begin + length);
  return header;
}

std::size_t check_npy_data(const NpyHeader& header, std::size_t width, const std::string& where) {
  if (header.fortran_order && header.shape.size() > 1) {
    throw Error(ErrorCode::input, where, "is in Fortran order").hint("save numpy.ascontiguousarray(x)");
  }
  const std::size_t count = value_count(header.shape, where), size = header.data.size();
  if (size % width == 0 && size / width == count) return count;
  throw Error(ErrorCode::input, where, size / width < count ? "is truncated" : "has trailing bytes")
      .expected(std::to_string(count) + " values of " + std::to_string(width) + " bytes")
      .got(std::to_string(size) + " bytes");
}

void refuse_npy_dtype(const std::string& descr, const std::string& expected, const std::string& where) {
  const bool objects = descr == "|O";
  throw Error(ErrorCode::input, where, objects ? "holds Python objects, which are never read" : "unsupported dtype")
      .expected(expected)
      .got(printable(descr));
}

std::vector<std::byte> npy_head(const std::string& descr, const std::vector<Index>& shape, std::size_t values) {
  const bool negative = std::any_of(shape.begin(), shape.end(), [](Index d) { return d < 0; });
  if (negative || shape.size() > max_rank || value_count(shape, "npy array") != values) {
    throw Error(ErrorCode::internal, "npy array", "shape and number of values differ");
  }
  std::string text = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i != 0 ? ", " : "") + std::to_string(shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";
  text.append(63 - (10 + text.size()) % 64, ' ');  // the data starts at a multiple of 64
  text += '\n';
  std::string head(magic);
  head += {'\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  head += text;
  const auto bytes = std::as_bytes(std::span<const char>(head));
  return {bytes.begin(), bytes.end()};
}

}  // namespace serene
