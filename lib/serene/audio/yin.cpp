#include "serene/audio/yin.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "serene/core/error.h"

namespace serene {
namespace {

// Normalised difference at the periods shortest..longest of one frame.
void normalised_difference(const std::vector<double>& frame, Index shortest, Index longest, std::vector<double>& out) {
  const Index n = static_cast<Index>(frame.size());
  const auto correlation = [&](Index lag) {
    double sum[4] = {0, 0, 0, 0};
    Index i = 0;
    for (; i + 4 <= n - lag; i += 4) {
      for (Index lane = 0; lane < 4; ++lane) {
        sum[lane] += frame[static_cast<std::size_t>(i + lane)] * frame[static_cast<std::size_t>(i + lane + lag)];
      }
    }
    for (; i < n - lag; ++i) sum[0] += frame[static_cast<std::size_t>(i)] * frame[static_cast<std::size_t>(i + lag)];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  };
  const double energy = correlation(0);
  double head = 0, running = 0;
  for (Index k = 1; k <= longest; ++k) {
    head += frame[static_cast<std::size_t>(k - 1)] * frame[static_cast<std::size_t>(k - 1)];
    const double difference = 2 * (energy - correlation(k)) - head;
    running += difference;
    if (k < shortest) continue;
    const double mean = running / static_cast<double>(k);
    out[static_cast<std::size_t>(k - shortest)] = difference / (mean + std::numeric_limits<double>::min());
  }
}

// Place of the period in d: the first trough below the threshold, else the least value, refined by a parabola.
double best_place(const std::vector<double>& d, double threshold) {
  std::size_t best = static_cast<std::size_t>(std::min_element(d.begin(), d.end()) - d.begin());
  for (std::size_t i = 0; i < d.size(); ++i) {
    const bool falls = i == 0 || d[i] < d[i - 1];
    const bool rises = i + 1 == d.size() || (i == 0 ? d[i] < d[i + 1] : d[i] <= d[i + 1]);
    if (falls && rises && d[i] < threshold) {
      best = i;
      break;
    }
  }
  double shift = 0;
  if (best > 0 && best + 1 < d.size()) {
    const double a = d[best + 1] + d[best - 1] - 2 * d[best], b = (d[best + 1] - d[best - 1]) / 2;
    if (std::abs(b) < std::abs(a)) shift = -b / a;
  }
  return static_cast<double>(best) + shift;
}

}  // namespace

template <class S>
std::vector<S> yin(std::span<const S> y, const YinConfig& c) {
  if (!(c.fmin > 0) || !(c.fmax > c.fmin) || !(c.fmax <= c.rate_hz / 2) || c.frame_length < 4 || c.hop_length < 1) {
    throw Error(ErrorCode::usage, "yin", "out of range").expected("0 < fmin < fmax <= rate_hz / 2");
  }
  const Index shortest = std::max<Index>(1, static_cast<Index>(std::floor(c.rate_hz / c.fmax)));
  const Index longest = std::min(static_cast<Index>(std::ceil(c.rate_hz / c.fmin)), c.frame_length - 1);
  if (longest <= shortest) throw Error(ErrorCode::usage, "yin", "frame too short for these frequencies");
  const std::vector<S> padded = pad_signal(y, c.center ? c.frame_length / 2 : 0, c.pad);
  const Index frames = frame_count(static_cast<Index>(padded.size()), c.frame_length, c.hop_length);
  std::vector<double> frame, difference(static_cast<std::size_t>(longest - shortest + 1));
  std::vector<S> out;
  for (Index t = 0; t < frames; ++t) {
    const S* from = padded.data() + t * c.hop_length;
    frame.assign(from, from + c.frame_length);
    normalised_difference(frame, shortest, longest, difference);
    const double period = static_cast<double>(shortest) + best_place(difference, c.threshold);
    out.push_back(static_cast<S>(c.rate_hz / period));
  }
  return out;
}

template std::vector<float> yin(std::span<const float>, const YinConfig&);
template std::vector<double> yin(std::span<const double>, const YinConfig&);

}  // namespace serene
