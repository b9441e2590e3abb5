#include "serene/audio/chroma.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "serene/core/error.h"

namespace serene {
namespace {

constexpr double kA0Hz = 27.5;

double positive_mod(double x, double n) { return x - n * std::floor(x / n); }

double vector_norm(const std::vector<double>& v, VectorNorm norm) {
  double sum = 0;
  for (const double x : v) {
    if (norm == VectorNorm::infinity) sum = std::max(sum, std::abs(x));
    if (norm == VectorNorm::one) sum += std::abs(x);
    if (norm == VectorNorm::two) sum += x * x;
  }
  return norm == VectorNorm::two ? std::sqrt(sum) : norm == VectorNorm::none ? 1.0 : sum;
}

void normalize(std::vector<double>& v, VectorNorm norm, double tiny) {
  const double size = vector_norm(v, norm);
  if (size < tiny) return;
  for (double& x : v) x /= size;
}

struct Peaks {
  std::vector<double> hz, size;
};

Peaks find_peaks(const FrameMatrix<double>& x, double rate_hz) {
  Peaks peaks;
  const Index bins = x.dim;
  const double step = rate_hz / static_cast<double>(2 * (bins - 1));
  for (Index t = 0; t < x.frames; ++t) {
    const double* row = x.row(t);
    const double limit = 0.1 * *std::max_element(row, row + bins);
    for (Index k = 1; k < bins; ++k) {
      const double f = static_cast<double>(k) * step, v = row[k];
      if (f < 150 || f >= 4000 || !(v > limit) || !(row[k] > row[k - 1])) continue;
      const bool last = k == bins - 1;
      const double left = row[k - 1], right = last ? v : row[k + 1];
      if (!last && !(row[k] >= row[k + 1])) continue;
      const double a = right + left - 2 * v, b = (right - left) / 2;
      const double shift = last || std::abs(b) >= std::abs(a) ? 0.0 : -b / a;
      const double gradient = last ? v - left : b;
      peaks.hz.push_back((static_cast<double>(k) + shift) * step);
      peaks.size.push_back(v + 0.5 * gradient * shift);
    }
  }
  return peaks;
}

double median(std::vector<double> v) {
  const std::size_t half = v.size() / 2;
  std::sort(v.begin(), v.end());
  return v.size() % 2 == 1 ? v[half] : (v[half - 1] + v[half]) / 2;
}

void check(const ChromaConfig& c) {
  if (c.n_chroma < 1 || c.n_chroma > 1024 || c.n_fft < 4 || !(c.rate_hz > 0)) {
    throw Error(ErrorCode::usage, "chroma", "out of range")
        .expected("n_chroma from 1 to 1024, n_fft >= 4, rate_hz > 0");
  }
}

}  // namespace

double estimate_tuning(const FrameMatrix<double>& spectrum, double rate_hz, int bins_per_octave, double resolution) {
  if (spectrum.dim < 3 || !(resolution > 1e-6 && resolution <= 1) || bins_per_octave < 1) {
    throw Error(ErrorCode::usage, "estimate_tuning", "out of range");
  }
  const Peaks peaks = find_peaks(spectrum, rate_hz);
  if (peaks.hz.empty()) return 0;
  const double threshold = median(peaks.size);
  const int bins = static_cast<int>(std::ceil(1 / resolution));
  const auto edge = [&](int i) { return i == bins ? 0.5 : -0.5 + i * (1.0 / bins); };
  std::vector<std::int64_t> counts(static_cast<std::size_t>(bins));
  for (std::size_t i = 0; i < peaks.hz.size(); ++i) {
    if (!(peaks.size[i] >= threshold) || !(peaks.hz[i] > 0)) continue;
    double residual = positive_mod(bins_per_octave * std::log2(peaks.hz[i] / kA0Hz), 1.0);
    if (residual >= 0.5) residual -= 1;
    int bin = std::clamp(static_cast<int>((residual + 0.5) * bins), 0, bins - 1);
    // The product may round to the wrong side of an edge; the edges themselves decide.
    while (bin > 0 && residual < edge(bin)) --bin;
    while (bin + 1 < bins && residual >= edge(bin + 1)) ++bin;
    ++counts[static_cast<std::size_t>(bin)];
  }
  return edge(static_cast<int>(std::max_element(counts.begin(), counts.end()) - counts.begin()));
}

FrameMatrix<double> chroma_filters(const ChromaConfig& c) {
  check(c);
  const double n = c.n_chroma, tuning = c.tuning.value_or(0);
  const std::size_t size = static_cast<std::size_t>(c.n_fft);
  std::vector<double> pitch(size), width(size, 1.0);
  for (std::size_t k = 1; k < size; ++k) {
    const double hz = static_cast<double>(k) * c.rate_hz / static_cast<double>(c.n_fft);
    pitch[k] = n * std::log2(hz / (440 * std::pow(2.0, tuning / n) / 16));
  }
  pitch[0] = pitch[1] - 1.5 * n;  // one and a half octaves below the lowest bin
  for (std::size_t k = 0; k + 1 < size; ++k) width[k] = std::max(pitch[k + 1] - pitch[k], 1.0);

  FrameMatrix<double> out(c.n_chroma, c.n_fft / 2 + 1);
  const double half = std::nearbyint(n / 2);
  const int shift = c.base_c ? 3 * (c.n_chroma / 12) : 0;
  std::vector<double> column(static_cast<std::size_t>(c.n_chroma));
  for (Index k = 0; k < out.dim; ++k) {
    const auto i = static_cast<std::size_t>(k);
    for (std::size_t row = 0; row < column.size(); ++row) {
      const double away = positive_mod(pitch[i] - static_cast<double>(row) + half + 10 * n, n) - half;
      column[row] = std::exp(-0.5 * std::pow(2 * away / width[i], 2));
    }
    normalize(column, c.filter_norm, std::numeric_limits<double>::min());
    const double weight = c.octwidth ? std::exp(-0.5 * std::pow((pitch[i] / n - c.ctroct) / *c.octwidth, 2)) : 1.0;
    for (int row = 0; row < c.n_chroma; ++row) {
      out.row((row - shift + c.n_chroma) % c.n_chroma)[k] = weight * column[static_cast<std::size_t>(row)];
    }
  }
  return out;
}

template <class S>
FrameMatrix<S> chroma(const FrameMatrix<double>& spectrum, const ChromaConfig& config) {
  check(config);
  if (spectrum.dim != config.n_fft / 2 + 1) throw Error(ErrorCode::usage, "chroma", "spectrum does not fit n_fft");
  ChromaConfig tuned = config;
  if (!tuned.tuning) tuned.tuning = estimate_tuning(spectrum, config.rate_hz, config.n_chroma);
  const FrameMatrix<double> filters = chroma_filters(tuned);
  FrameMatrix<S> out(spectrum.frames, config.n_chroma);
  std::vector<double> frame(static_cast<std::size_t>(config.n_chroma));
  for (Index t = 0; t < spectrum.frames; ++t) {
    const double* row = spectrum.row(t);
    for (Index c = 0; c < filters.frames; ++c) {
      const double* w = filters.row(c);
      double sum = 0;
      for (Index k = 0; k < filters.dim; ++k) sum += w[k] * row[k];
      frame[static_cast<std::size_t>(c)] = sum;
    }
    normalize(frame, config.norm, static_cast<double>(std::numeric_limits<S>::min()));
    for (std::size_t c = 0; c < frame.size(); ++c) out.row(t)[c] = static_cast<S>(frame[c]);
  }
  return out;
}

template FrameMatrix<float> chroma(const FrameMatrix<double>&, const ChromaConfig&);
template FrameMatrix<double> chroma(const FrameMatrix<double>&, const ChromaConfig&);

}  // namespace serene
