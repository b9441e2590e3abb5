// Crash-safe replacement of a file: after a crash, a kill or a power cut at any moment the path holds either the whole
// old content or the whole new one.
//
// Steps: temporary file in the same directory (O_EXCL, mode 600) -> write everything -> fsync(file) -> mode 644 less
// the umask -> rename -> fsync(directory). Thread-safe, also for two writers of the same path (the last rename wins).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace serene {

// Throws Error(input) with the path and the system's reason (no space, no permission, ...); Error(not_found) when the
// directory is missing. On failure the old file is untouched and no temporary file stays behind. A symbolic link at
// `path` is replaced, not followed.
void write_file_atomic(const std::string& path, std::span<const std::byte> bytes);
void write_file_atomic(const std::string& path, std::string_view text);

// Removes what killed writers left in `folder` (not below it) and returns the removed names, sorted. Call it only while
// nobody writes there, such as at the start of a run that owns the folder. A missing folder has nothing to remove.
std::vector<std::string> remove_stale_temp_files(const std::string& folder);

}  // namespace serene
