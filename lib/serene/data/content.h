// What a recording holds, whatever its file format: equal audio has equal content hashes.
#pragma once

#include <string>

#include "serene/audio/wave.h"
#include "serene/core/error.h"

namespace serene {

struct AudioContent {
  std::string hash;  // hex SHA-256 of the rate and the channels' mean, as 24 bit samples
  double seconds = 0;
  double peak = 0;      // largest absolute sample of the channels' mean
  bool silent = false;  // no sample above one and a half steps of 16 bit: no audio
};

// 24 bit hold every 16 bit sample exactly and forgive what differs below hearing between decoders. Thread-safe.
AudioContent content_of(const Wave& wave);

// An error's text without the path in front, for lists that have a column for the path.
std::string reason_of(const Error& error, const std::string& path);

}  // namespace serene
