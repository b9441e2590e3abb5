#include "serene/audio/descriptors.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "serene/audio/mfcc.h"
#include "serene/core/error.h"

namespace serene {
namespace {

double bin_hz(Index k, Index bins, double rate_hz) {
  return static_cast<double>(k) * rate_hz / static_cast<double>(2 * (bins - 1));
}

void check_frames(Index frame_length, Index hop_length) {
  if (frame_length < 1 || hop_length < 1) throw Error(ErrorCode::usage, "frames", "frame and hop must be at least 1");
}

// One value per frame from its row of magnitudes.
template <class S, class F>
FrameMatrix<S> per_frame(const FrameMatrix<S>& x, F&& value) {
  FrameMatrix<S> out(x.frames, 1);
  for (Index t = 0; t < x.frames; ++t) out.values[static_cast<std::size_t>(t)] = static_cast<S>(value(x.row(t)));
  return out;
}

template <class S>
double row_sum(const S* row, Index n) {
  double sum = 0;
  for (Index k = 0; k < n; ++k) sum += static_cast<double>(row[k]);
  return sum;
}

// Below the smallest normal number librosa leaves the frame as it is, which makes every weight vanish.
template <class S>
double safe_divisor(double sum) {
  return sum < static_cast<double>(std::numeric_limits<S>::min()) ? 1.0 : sum;
}

template <class S>
double centroid_of(const S* row, Index bins, double rate_hz) {
  double weighted = 0;
  for (Index k = 0; k < bins; ++k) weighted += bin_hz(k, bins, rate_hz) * static_cast<double>(row[k]);
  return weighted / safe_divisor<S>(row_sum(row, bins));
}

struct Band {
  Index first = 0, end = 0;  // bins that are sorted
  Index count = 1;           // how many of them make the valley and the peak
};

std::vector<Band> contrast_bands(Index bins, double rate_hz, double fmin, int n_bands, double quantile) {
  std::vector<Band> bands;
  for (int b = 0; b <= n_bands; ++b) {
    const double low = b == 0 ? 0 : fmin * std::pow(2.0, b - 1), high = fmin * std::pow(2.0, b);
    Index first = bins, end = 0;
    for (Index k = 0; k < bins; ++k) {
      const double f = bin_hz(k, bins, rate_hz);
      if (f >= low && f <= high) first = std::min(first, k), end = k + 1;
    }
    if (low >= rate_hz / 2 || first >= end) {
      throw Error(ErrorCode::usage, "spectral_contrast", "band " + std::to_string(b) + " has no bins below rate / 2");
    }
    if (b > 0 && first > 0) --first;
    if (b == n_bands) end = bins;
    Band band{first, end, 1};
    band.count = std::max<Index>(1, static_cast<Index>(std::nearbyint(quantile * static_cast<double>(end - first))));
    if (b < n_bands) --band.end;
    if (band.end <= band.first) {
      throw Error(ErrorCode::usage, "spectral_contrast", "band " + std::to_string(b) + " is narrower than two bins");
    }
    band.count = std::min(band.count, band.end - band.first);
    bands.push_back(band);
  }
  return bands;
}

}  // namespace

template <class S>
FrameMatrix<S> zero_crossing_rate(std::span<const S> y, Index frame_length, Index hop_length, bool center,
                                  double threshold, bool pad, PadMode mode) {
  check_frames(frame_length, hop_length);
  const std::vector<S> padded = pad_signal(y, center ? frame_length / 2 : 0, mode);
  std::vector<std::int64_t> changes(padded.size());  // changes[n]: sign changes up to sample n
  const auto negative = [&](std::size_t n) {
    return std::abs(static_cast<double>(padded[n])) > threshold && padded[n] < 0;
  };
  for (std::size_t n = 1; n < padded.size(); ++n)
    changes[n] = changes[n - 1] + (negative(n) != negative(n - 1) ? 1 : 0);
  FrameMatrix<S> out(frame_count(static_cast<Index>(padded.size()), frame_length, hop_length), 1);
  for (Index t = 0; t < out.frames; ++t) {
    const auto first = static_cast<std::size_t>(t * hop_length),
               last = first + static_cast<std::size_t>(frame_length) - 1;
    const std::int64_t count = changes[last] - changes[first] + (pad ? 1 : 0);
    out.row(t)[0] = static_cast<S>(static_cast<double>(count) / static_cast<double>(frame_length));
  }
  return out;
}

template <class S>
FrameMatrix<S> rms(std::span<const S> y, Index frame_length, Index hop_length, bool center, PadMode mode) {
  check_frames(frame_length, hop_length);
  const std::vector<S> padded = pad_signal(y, center ? frame_length / 2 : 0, mode);
  FrameMatrix<S> out(frame_count(static_cast<Index>(padded.size()), frame_length, hop_length), 1);
  for (Index t = 0; t < out.frames; ++t) {
    const S* from = padded.data() + t * hop_length;
    double sum[4] = {0, 0, 0, 0};
    Index n = 0;
    for (; n + 4 <= frame_length; n += 4) {
      for (Index lane = 0; lane < 4; ++lane) {
        sum[lane] += static_cast<double>(from[n + lane]) * static_cast<double>(from[n + lane]);
      }
    }
    for (; n < frame_length; ++n) sum[0] += static_cast<double>(from[n]) * static_cast<double>(from[n]);
    const double total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    out.row(t)[0] = static_cast<S>(std::sqrt(total / static_cast<double>(frame_length)));
  }
  return out;
}

template <class S>
FrameMatrix<S> spectral_centroid(const FrameMatrix<S>& x, double rate_hz) {
  return per_frame(x, [&](const S* row) { return centroid_of(row, x.dim, rate_hz); });
}

template <class S>
FrameMatrix<S> spectral_bandwidth(const FrameMatrix<S>& x, double rate_hz, double p, bool norm) {
  return per_frame(x, [&](const S* row) {
    const double centroid = centroid_of(row, x.dim, rate_hz);
    const double divisor = norm ? safe_divisor<S>(row_sum(row, x.dim)) : 1.0;
    double sum = 0;
    for (Index k = 0; k < x.dim; ++k) {
      const double away = std::abs(bin_hz(k, x.dim, rate_hz) - centroid);
      sum += static_cast<double>(row[k]) / divisor * (p == 2 ? away * away : std::pow(away, p));
    }
    return std::pow(sum, 1 / p);
  });
}

template <class S>
FrameMatrix<S> spectral_rolloff(const FrameMatrix<S>& x, double rate_hz, double share) {
  return per_frame(x, [&](const S* row) {
    const double wanted = share * row_sum(row, x.dim);
    double sum = 0;
    Index k = 0;
    for (; k < x.dim; ++k) {
      sum += static_cast<double>(row[k]);
      if (sum >= wanted) break;
    }
    return bin_hz(std::min(k, x.dim - 1), x.dim, rate_hz);
  });
}

template <class S>
FrameMatrix<S> spectral_flatness(const FrameMatrix<S>& x, double amin, double power) {
  return per_frame(x, [&](const S* row) {
    double logs = 0, sum = 0;
    for (Index k = 0; k < x.dim; ++k) {
      const double v = static_cast<double>(row[k]);
      const double p = std::max(amin, power == 2 ? v * v : std::pow(v, power));
      logs += std::log(p);
      sum += p;
    }
    const double n = static_cast<double>(x.dim);
    return std::exp(logs / n) / (sum / n);
  });
}

template <class S>
FrameMatrix<S> spectral_contrast(const FrameMatrix<S>& x, double rate_hz, double fmin, int n_bands, double quantile,
                                 bool linear) {
  if (n_bands < 1 || n_bands > 64 || !(fmin > 0) || !(quantile > 0 && quantile < 1)) {
    throw Error(ErrorCode::usage, "spectral_contrast", "out of range");
  }
  const std::vector<Band> bands = contrast_bands(x.dim, rate_hz, fmin, n_bands, quantile);
  FrameMatrix<S> valley(x.frames, static_cast<Index>(bands.size())), peak = valley;
  std::vector<S> sorted;
  for (Index t = 0; t < x.frames; ++t) {
    for (std::size_t b = 0; b < bands.size(); ++b) {
      const Band& band = bands[b];
      sorted.assign(x.row(t) + band.first, x.row(t) + band.end);
      std::sort(sorted.begin(), sorted.end());
      const double n = static_cast<double>(band.count);
      valley.row(t)[b] = static_cast<S>(row_sum(sorted.data(), band.count) / n);
      peak.row(t)[b] = static_cast<S>(row_sum(sorted.data() + sorted.size() - band.count, band.count) / n);
    }
  }
  if (!linear) {
    power_to_db(valley);
    power_to_db(peak);
  }
  for (std::size_t i = 0; i < peak.values.size(); ++i) peak.values[i] -= valley.values[i];
  return peak;
}

#define SERENE_INSTANTIATE(S)                                                                                \
  template FrameMatrix<S> zero_crossing_rate(std::span<const S>, Index, Index, bool, double, bool, PadMode); \
  template FrameMatrix<S> rms(std::span<const S>, Index, Index, bool, PadMode);                              \
  template FrameMatrix<S> spectral_centroid(const FrameMatrix<S>&, double);                                  \
  template FrameMatrix<S> spectral_bandwidth(const FrameMatrix<S>&, double, double, bool);                   \
  template FrameMatrix<S> spectral_rolloff(const FrameMatrix<S>&, double, double);                           \
  template FrameMatrix<S> spectral_flatness(const FrameMatrix<S>&, double, double);                          \
  template FrameMatrix<S> spectral_contrast(const FrameMatrix<S>&, double, double, int, double, bool);
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

}  // namespace serene
