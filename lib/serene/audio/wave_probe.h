// A look at a file before libsndfile sees it: what it surely is not, and whether a WAV holds what its header claims.
#pragma once

#include <string>

namespace serene {

// Throws Error (place: the file) when path is missing, not a regular file, empty, a Git-LFS pointer, plain text, or a
// RIFF/RF64 WAV whose data chunk claims more than the file holds. Sizes that stand for "unknown" (0, 0x7fffffff..,
// 0xffffffff) pass.
void probe_audio_file(const std::string& path);

}  // namespace serene
