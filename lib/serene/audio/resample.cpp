#include "serene/audio/resample.h"

#include <samplerate.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "serene/audio/polyphase.h"
#include "serene/core/error.h"

namespace serene {

Index resampled_length(Index n, double from_hz, double to_hz) {
  // A quotient that is whole but for rounding must not gain a sample.
  const double exact = static_cast<double>(n) * to_hz / from_hz;
  const double nearest = std::round(exact);
  return static_cast<Index>(std::abs(exact - nearest) < 1e-9 * std::max(1.0, nearest) ? nearest : std::ceil(exact));
}

std::vector<float> resample(std::span<const float> y, double from_hz, double to_hz, ResampleQuality quality) {
  const double ratio = to_hz / from_hz;
  if (!(from_hz > 0) || !(to_hz > 0) || !(ratio >= 1.0 / 256) || !(ratio <= 256)) {
    throw Error(ErrorCode::usage, "resample", "rates out of range")
        .expected("a ratio from 1/256 to 256")
        .got(std::to_string(from_hz) + " to " + std::to_string(to_hz) + " Hz");
  }
  if (y.empty() || from_hz == to_hz) return {y.begin(), y.end()};
  const Index length = resampled_length(static_cast<Index>(y.size()), from_hz, to_hz);
  if (static_cast<double>(y.size()) > 2e9 || static_cast<double>(length) > 2e9) {
    throw Error(ErrorCode::input, "resample", "signal too long");
  }
  const SmallRatio small = quality == ResampleQuality::medium ? small_ratio(ratio) : SmallRatio{};
  if (small.up > 0) return polyphase(y, small, length);
  std::vector<float> out(static_cast<std::size_t>(length) + 16, 0.0f);
  SRC_DATA data{};
  data.data_in = y.data();
  data.input_frames = static_cast<long>(y.size());
  data.data_out = out.data();
  data.output_frames = static_cast<long>(out.size());
  data.src_ratio = ratio;
  const int filter = quality == ResampleQuality::best ? SRC_SINC_BEST_QUALITY : SRC_SINC_MEDIUM_QUALITY;
  const int fault = src_simple(&data, filter, 1);
  if (fault != 0) throw Error(ErrorCode::internal, "resample", src_strerror(fault));
  std::fill(out.begin() + std::min<Index>(data.output_frames_gen, static_cast<Index>(out.size())), out.end(), 0.0f);
  out.resize(static_cast<std::size_t>(length));
  return out;
}

}  // namespace serene
