#include "serene/io/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

#include "serene/core/error.h"
#include "serene/io/atomic_file.h"
#include "serene/io/file.h"
#include "serene/io/protobuf.h"

namespace serene {
namespace {

// Fields of event.proto and summary.proto.
enum { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5 };
enum { kValue = 1, kTag = 1, kSimpleValue = 2 };
constexpr const char* kVersion = "brain.Event:2";

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? c >> 1 ^ 0x82F63B78u : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kCrcTable = make_crc_table();

std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t c = crc32c(bytes);
  return (c >> 15 | c << 17) + 0xa282ead8u;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string record_of(const ProtobufMessage& event) {
  std::string record;
  append_little_endian(record, static_cast<std::uint64_t>(event.bytes().size()));
  append_little_endian(record, masked_crc(record));
  record += event.bytes();
  append_little_endian(record, masked_crc(event.bytes()));
  return record;
}

std::string first_record() {
  ProtobufMessage event;
  event.real(kWallTime, now());
  event.text(kFileVersion, kVersion);
  return record_of(event);
}

std::string record_of(const ScalarStep& step) {
  ProtobufMessage summary, event;
  for (const Scalar& s : step.scalars) {
    if (!std::isfinite(s.value)) continue;
    ProtobufMessage value;
    value.text(kTag, s.tag);
    value.real(kSimpleValue, static_cast<float>(s.value));
    summary.message(kValue, value);
  }
  event.real(kWallTime, now());
  event.number(kStep, step.step);
  event.message(kSummary, summary);
  return record_of(event);
}

// The data of the sound record at the front of `rest`, which is taken off.
std::optional<std::string_view> take_record(std::string_view& rest) {
  constexpr std::size_t head = 12, tail = 4;
  if (rest.size() < head + tail) return std::nullopt;
  std::uint64_t size = 0;
  std::uint32_t head_crc = 0, data_crc = 0;
  std::memcpy(&size, rest.data(), sizeof size);
  std::memcpy(&head_crc, rest.data() + 8, sizeof head_crc);
  if (head_crc != masked_crc(rest.substr(0, 8)) || size > rest.size() - head - tail) return std::nullopt;
  const std::string_view data = rest.substr(head, size);
  std::memcpy(&data_crc, rest.data() + head + size, sizeof data_crc);
  if (data_crc != masked_crc(data)) return std::nullopt;
  rest.remove_prefix(head + size + tail);
  return data;
}

// The step of an event as record_of() writes it: the varint behind nine bytes of wall time and its own key. 0 for
// another event.
std::int64_t step_of(std::string_view event) {
  constexpr std::size_t at = 9;
  if (event.size() <= at || event[at] != kStep << 3) return 0;
  std::uint64_t step = 0;
  for (std::size_t i = at + 1, shift = 0; i < event.size() && shift < 63; ++i, shift += 7) {
    step |= static_cast<std::uint64_t>(event[i] & 127) << shift;
    if ((event[i] & 128) == 0) return static_cast<std::int64_t>(step);
  }
  return 0;
}

// How many of `steps` the file holds from its beginning on, and where the last of them ends (0: not an event file).
struct Held {
  std::size_t bytes = 0, steps = 0;
};

Held held_steps(std::string_view file, std::span<const ScalarStep> steps) {
  std::string_view rest = file;
  const auto first = take_record(rest);
  if (!first || first->find(kVersion) == std::string_view::npos) return {};
  Held held{file.size() - rest.size(), 0};
  while (held.steps < steps.size()) {
    const auto event = take_record(rest);
    if (!event || step_of(*event) != steps[held.steps].step) break;
    held = {file.size() - rest.size(), held.steps + 1};
  }
  return held;
}

void append(const std::string& path, std::string_view bytes) {
  const auto failed = [&] { return Error(ErrorCode::input, printable(path, 500), errno_text(errno)); };
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) throw failed();
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const Error error = failed();
      ::close(fd);
      throw Error(error);
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  ::close(fd);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) noexcept {
  std::uint32_t c = ~0u;
  for (const char b : bytes) c = kCrcTable[(c ^ static_cast<unsigned char>(b)) & 255] ^ c >> 8;
  return ~c;
}

void update_event_file(const std::string& path, std::span<const ScalarStep> steps) {
  std::error_code failed;
  const bool there = std::filesystem::exists(path, failed);
  const std::string old = there ? read_text(path) : "";
  const Held held = held_steps(old, steps);
  if (held.bytes == 0) {
    write_file_atomic(path, std::string_view(first_record()));
  } else if (held.bytes < old.size()) {
    std::filesystem::resize_file(path, held.bytes, failed);
    if (failed) throw Error(ErrorCode::input, printable(path, 500), failed.message());
  }
  std::string fresh;
  for (const ScalarStep& step : steps.subspan(held.steps)) fresh += record_of(step);
  append(path, fresh);
}

}  // namespace serene
