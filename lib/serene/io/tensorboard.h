// Event files of TensorBoard: scalars by step, for curves that are watched while a training runs.
//
//   file   = records, the first of which holds Event{file_version: "brain.Event:2"}
//   record = u64 length | u32 masked CRC-32C of the length | data | u32 masked CRC-32C of the data    (little-endian)
//   data   = Event{1: wall_time double, 2: step int64, 3: file_version, 5: Summary{1: Value{1: tag, 2: simple_value}}}
//   masked(c) = (c >> 15 | c << 17) + 0xa282ead8
//
// (Formats: TensorFlow's record_writer.h, event.proto and summary.proto.) CRC-32C is the one of Castagnoli, polynomial
// 0x1EDC6F41, bits reversed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace serene {

// CRC-32C (Castagnoli), as RFC 3720 has it.
std::uint32_t crc32c(std::string_view bytes) noexcept;

struct Scalar {
  std::string tag;  // "loss/train": what stands before the slash groups the curves
  double value = 0;
};

// All scalars of one step; those that are not finite are left out of the file.
struct ScalarStep {
  std::int64_t step = 0;  // above 0
  std::vector<Scalar> scalars;
};

// Makes the file hold the events of `steps`, which ascend. What it holds of them already stays, byte for byte, and what
// is missing is appended at the time of now, so that a reader who follows the file sees it grow; a record that a killed
// writer left half, and those of other steps, are cut off. A file that does not begin as an event file is begun anew.
// Throws Error(input) naming the path when it cannot be written.
void update_event_file(const std::string& path, std::span<const ScalarStep> steps);

}  // namespace serene
