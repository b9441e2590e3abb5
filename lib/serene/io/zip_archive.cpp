#include "serene/io/zip_archive.h"

#define ZLIB_CONST  // or its input would not be const
#include <zlib.h>

#include <algorithm>
#include <unordered_set>

#include "serene/core/error.h"
#include "serene/core/utf8.h"
#include "serene/io/file.h"

namespace serene {
namespace {

constexpr std::uint32_t kLocalMark = 0x04034b50, kEntryMark = 0x02014b50, kEndMark = 0x06054b50;
constexpr std::size_t kLocalHead = 30, kEntryHead = 46, kEndHead = 22, kMostComment = 65535;
constexpr std::size_t kMostBytes = 0xFFFFFFFE, kMostEntries = 1000;
constexpr std::size_t kMostRatio = 100, kRatioFrom = std::size_t{64} << 20;
constexpr unsigned kStored = 0, kDeflated = 8;

[[noreturn]] void refuse(const std::string& where, const std::string& problem) {
  throw Error(ErrorCode::input, where, problem);
}

// Little-endian numbers at any place of a span; what lies outside it is the caller's fault.
std::uint32_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = width; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(bytes[at + i]);
  return value;
}

std::string text_at(std::span<const std::byte> bytes, std::size_t at, std::size_t length) {
  return {reinterpret_cast<const char*>(bytes.data()) + at, length};
}

// Where the record at the archive's end begins: the last one whose comment fills the rest.
std::size_t end_record(std::span<const std::byte> bytes, const std::string& where) {
  if (bytes.size() < kEndHead) refuse(where, "is not a zip archive");
  const std::size_t last = bytes.size() - kEndHead;
  for (std::size_t back = 0; back <= std::min(last, kMostComment); ++back) {
    const std::size_t at = last - back;
    if (number(bytes, at, 4) == kEndMark && number(bytes, at + 20, 2) == back) return at;
  }
  refuse(where, "is not a zip archive, or one that was cut off");
}

void check_name(const std::string& name, const std::string& where) {
  const bool control = std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 32; });
  if (name.empty() || control || !is_utf8(name)) refuse(where, "an entry's name is no text");
  if (name.find_first_of("/\\") != std::string::npos || name.starts_with("..")) {
    refuse(where, "an entry's name is a path: \"" + printable(name) + "\"");
  }
}

// The packed bytes of an entry, found by its own header in front of them.
std::span<const std::byte> packed_bytes(std::span<const std::byte> bytes, std::size_t at, std::size_t end,
                                        std::size_t packed, const std::string& name, const std::string& where) {
  if (at > end || end - at < kLocalHead || number(bytes, at, 4) != kLocalMark) refuse(where, "is damaged");
  const std::size_t name_length = number(bytes, at + 26, 2), extra = number(bytes, at + 28, 2);
  const std::size_t begin = at + kLocalHead + name_length + extra;
  if (begin > end || packed > end - begin) refuse(where, "is damaged: it reaches into other parts of the archive");
  if (text_at(bytes, at + kLocalHead, name_length) != name) refuse(where, "is damaged: it has two names");
  return bytes.subspan(begin, packed);
}

// Reads the entry of the directory at `at`, which ends at `end`, and moves `at` behind it.
ZipEntry read_entry(std::span<const std::byte> bytes, std::size_t& at, std::size_t begin, std::size_t end,
                    const std::string& archive) {
  if (end - at < kEntryHead || number(bytes, at, 4) != kEntryMark) refuse(archive, "is damaged in its directory");
  const unsigned flags = number(bytes, at + 8, 2), method = number(bytes, at + 10, 2);
  const std::size_t packed = number(bytes, at + 20, 4), name_length = number(bytes, at + 28, 2);
  const std::size_t length = kEntryHead + name_length + number(bytes, at + 30, 2) + number(bytes, at + 32, 2);
  if (length > end - at) refuse(archive, "is damaged in its directory");
  ZipEntry entry;
  entry.name = text_at(bytes, at + kEntryHead, name_length);
  check_name(entry.name, archive);
  const std::string where = archive + ": " + printable(entry.name);
  entry.crc = number(bytes, at + 16, 4);
  entry.size = number(bytes, at + 24, 4);
  entry.deflated = method == kDeflated;
  if ((flags & 0x41) != 0) refuse(where, "is encrypted");
  if (method != kStored && method != kDeflated) {
    throw Error(ErrorCode::input, where, "unknown way of packing")
        .expected("stored or deflated")
        .got("method " + std::to_string(method));
  }
  if (std::max(packed, entry.size) > kMostBytes) refuse(where, "is larger than 4 GiB");
  if (!entry.deflated && packed != entry.size) refuse(where, "is damaged: stored with two sizes");
  if (entry.size > kRatioFrom && entry.size / kMostRatio > packed) {
    throw Error(ErrorCode::input, where, "would unpack to more than 100 times its size")
        .got(std::to_string(packed) + " bytes for " + std::to_string(entry.size));
  }
  entry.packed = packed_bytes(bytes, number(bytes, at + 42, 4), begin, packed, entry.name, where);
  at += length;
  return entry;
}

// Exactly out.size() bytes, neither more nor less.
bool inflate_all(std::span<const std::byte> packed, std::span<std::byte> out) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  Bytef none = 0;  // an empty array's data may be null, which zlib refuses
  stream.next_in = reinterpret_cast<const Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = out.empty() ? &none : reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool ended = inflate(&stream, Z_FINISH) == Z_STREAM_END;
  const bool whole = ended && stream.avail_in == 0 && stream.avail_out == 0;
  inflateEnd(&stream);
  return whole;
}

std::uint32_t checksum(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Appends a number of `width` bytes.
void put(std::vector<std::byte>& bytes, std::size_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i) & 255));
}

void put(std::vector<std::byte>& bytes, std::span<const std::byte> more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

}  // namespace

ZipArchive::ZipArchive(const std::string& path) : path_(path), bytes_(read_file(path, kMostBytes)) {
  const std::size_t end = end_record(bytes_, path);
  const std::size_t count = number(bytes_, end + 10, 2), size = number(bytes_, end + 12, 4);
  const std::size_t begin = number(bytes_, end + 16, 4);
  if (count == 0xFFFF || size == 0xFFFFFFFF || begin == 0xFFFFFFFF) refuse(path, "is an archive larger than 4 GiB");
  const bool one_disk = number(bytes_, end + 4, 4) == 0 && number(bytes_, end + 8, 2) == count;
  if (!one_disk || begin > end || size != end - begin) refuse(path, "is damaged in its directory");
  if (count > kMostEntries) refuse(path, "holds more than 1000 entries");
  std::unordered_set<std::string> seen;
  std::size_t at = begin;
  for (std::size_t i = 0; i < count; ++i) {
    entries_.push_back(read_entry(bytes_, at, begin, end, path));
    const std::string& name = entries_.back().name;
    if (!seen.insert(name).second) refuse(path, "holds two entries named \"" + printable(name) + "\"");
  }
  if (at != end) refuse(path, "is damaged in its directory");
}

const ZipEntry* ZipArchive::find(std::string_view name) const noexcept {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const ZipEntry& e) { return e.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

std::span<const std::byte> ZipArchive::read(const ZipEntry& entry, std::vector<std::byte>& room) const {
  const std::string where = path_ + ": " + printable(entry.name);
  std::span<const std::byte> bytes = entry.packed;
  if (entry.deflated) {
    room.assign(entry.size, std::byte{0});
    if (!inflate_all(entry.packed, room)) refuse(where, "is damaged: it does not unpack to the size that it states");
    bytes = room;
  }
  if (checksum(bytes) != entry.crc) refuse(where, "is damaged: its checksum differs");
  return bytes;
}

void ZipWriter::add(const std::string& name, std::span<const std::byte> bytes) {
  const std::size_t at = bytes_.size();
  const std::size_t whole =
      at + directory_.size() + bytes.size() + kLocalHead + kEntryHead + 2 * name.size() + kEndHead;
  if (bytes.size() > kMostBytes || whole > kMostBytes) refuse(name, "makes the archive larger than 4 GiB");
  const auto describe = [&](std::vector<std::byte>& out) {
    constexpr std::size_t version = 20, first_of_1980 = 0x21;
    put(out, version, 2), put(out, 0, 2), put(out, kStored, 2), put(out, 0, 2), put(out, first_of_1980, 2);
    put(out, checksum(bytes), 4), put(out, bytes.size(), 4), put(out, bytes.size(), 4);
    put(out, name.size(), 2), put(out, 0, 2);
  };
  put(bytes_, kLocalMark, 4), describe(bytes_);
  put(bytes_, std::as_bytes(std::span(name))), put(bytes_, bytes);
  put(directory_, kEntryMark, 4), put(directory_, 20, 2), describe(directory_);
  put(directory_, 0, 2), put(directory_, 0, 2), put(directory_, 0, 2), put(directory_, 0, 4), put(directory_, at, 4);
  put(directory_, std::as_bytes(std::span(name)));
  ++count_;
}

std::vector<std::byte> ZipWriter::finish() && {
  const std::size_t begin = bytes_.size();
  put(bytes_, directory_);
  put(bytes_, kEndMark, 4), put(bytes_, 0, 4), put(bytes_, count_, 2), put(bytes_, count_, 2);
  put(bytes_, directory_.size(), 4), put(bytes_, begin, 4), put(bytes_, 0, 2);
  return std::move(bytes_);
}

}  // namespace serene
