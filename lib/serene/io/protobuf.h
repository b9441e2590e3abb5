// Writing protocol buffers by hand: a message is a row of fields, a field is a key (number * 8 + kind) and a value.
//
//   kind 0  varint: seven bits a byte, lowest first, the top bit says that more follow
//   kind 1  eight bytes little-endian          kind 5  four bytes little-endian
//   kind 2  a length as varint, then so many bytes: text, raw bytes or another message
//
// Repeated fields are written one by one, which every reader takes, packed or not. What ONNX and TensorBoard need and
// no more. (Encoding: protobuf.dev, "Encoding".)
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace serene {

// The little-endian bytes of a number.
template <class T>
void append_little_endian(std::string& to, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);  // every machine that serene runs on is little-endian
  to.append(bytes, sizeof value);
}

class ProtobufMessage {
 public:
  // Appends one field of its wire type: varint, 64-bit, 32-bit, bytes, message.
  void number(int field, std::int64_t value) {
    key(field, 0);
    varint(static_cast<std::uint64_t>(value));
  }
  void real(int field, double value) {
    key(field, 1);
    append_little_endian(bytes_, value);
  }
  void real(int field, float value) {
    key(field, 5);
    append_little_endian(bytes_, value);
  }
  void text(int field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_.append(value);
  }
  void message(int field, const ProtobufMessage& value) { text(field, value.bytes_); }
  // Numbers as raw little-endian bytes.
  template <class T>
  void raw(int field, std::span<const T> values) {
    text(field, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }

  const std::string& bytes() const noexcept { return bytes_; }

 private:
  void key(int field, int kind) { varint(static_cast<std::uint64_t>(field * 8 + kind)); }
  void varint(std::uint64_t value) {
    for (; value > 127; value >>= 7) bytes_ += static_cast<char>((value & 127) | 128);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace serene
