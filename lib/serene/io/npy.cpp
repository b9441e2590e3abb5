#include "serene/io/npy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "serene/core/error.h"
#include "serene/io/atomic_file.h"
#include "serene/io/file.h"

namespace serene {
namespace {

static_assert(std::endian::native == std::endian::little, "the formats here are little endian");

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t max_header_bytes = 1u << 16;
constexpr std::size_t max_rank = 32;

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<Index> shape;
};

// Reads the dictionary of the header: {'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), } and nothing else.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  Header parse() {
    Header header;
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
  throw Error(ErrorCode::input, where, "unsupported dtype")
      .expected("<f8, <f4, <i8, <i4, <i2, |i1, |u1 or |b1")
      .got(printable(descr));
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

template <class S>
void write_array(const std::string& path, const std::vector<Index>& shape, std::span<const S> values) {
  write_file_atomic(path, npy_bytes<S>(shape, values));
}

}  // namespace

template <class S>
NpyArray<S> parse_npy(std::span<const std::byte> bytes, const std::string& where, const NpyOptions& options) {
  const auto [begin, length] = header_range(bytes, where);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + begin, length);
  Header header = HeaderParser(text, where).parse();
  const Reader<S>& reader = reader_of<S>(header.descr, where);
  if (header.fortran_order && header.shape.size() > 1) {
    throw Error(ErrorCode::input, where, "is in Fortran order").hint("save numpy.ascontiguousarray(x)");
  }
  const std::size_t count = value_count(header.shape, where);
  const std::span<const std::byte> data = bytes.subspan(begin + length);
  if (data.size() != count * reader.width) {
    throw Error(ErrorCode::input, where, data.size() < count * reader.width ? "is truncated" : "has trailing bytes")
        .expected(std::to_string(count * reader.width) + " bytes of data")
        .got(std::to_string(data.size()));
  }
  NpyArray<S> array{std::move(header.shape), std::vector<S>(count), std::move(header.descr)};
  reader.read(data, array.values);
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
  const bool negative = std::any_of(shape.begin(), shape.end(), [](Index d) { return d < 0; });
  if (negative || shape.size() > max_rank || value_count(shape, "npy array") != values.size()) {
    throw Error(ErrorCode::internal, "npy array", "shape and number of values differ");
  }
  std::string text =
      std::string("{'descr': '") + (sizeof(S) == 8 ? "<f8" : "<f4") + "', 'fortran_order': False, 'shape': (";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i != 0 ? ", " : "") + std::to_string(shape[i]);
  text += shape.size() == 1 ? ",), }" : "), }";
  text.append(63 - (10 + text.size()) % 64, ' ');  // the data starts at a multiple of 64
  text += '\n';
  std::string head(magic);
  head += {'\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  head += text;
  const auto front = std::as_bytes(std::span<const char>(head));
  const auto back = std::as_bytes(values);
  std::vector<std::byte> bytes(front.begin(), front.end());
  bytes.insert(bytes.end(), back.begin(), back.end());
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

}  // namespace serene
