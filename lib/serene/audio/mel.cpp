#include "serene/audio/mel.h"

#include <algorithm>
#include <cmath>

#include "serene/audio/short_vector.h"
#include "serene/core/error.h"

namespace serene {
namespace {

const double kLogStep = std::log(6.4) / 27;

std::vector<double> mel_edges(const MelConfig& config, double fmax) {
  const double low = hz_to_mel(config.fmin, config.htk), high = hz_to_mel(fmax, config.htk);
  std::vector<double> edges;
  for (Index m = 0; m < config.n_mels + 2; ++m) {
    const double mel = low + (high - low) * static_cast<double>(m) / static_cast<double>(config.n_mels + 1);
    edges.push_back(mel_to_hz(mel, config.htk));
  }
  return edges;
}

// Four running sums of the `count` products of one filter.
template <class S>
SERENE_ALWAYS_INLINE void sum_by_four(Four<S>& sum, const S* w, const S* x, Index count) {
  sum = Four<S>{};
  for (Index i = 0; i + 4 <= count; i += 4) {
    Four<S> a, b;
    load(a, w + i), load(b, x + i);
    sum += a * b;
  }
}

// Filters four at a time: their running sums are turned, so that they add up side by side.
template <class S>
SERENE_ALWAYS_INLINE void apply_body(const Index* first, const Index* offset, const S* weights, Index n_mels,
                                     const S* power, S* mel) {
  const auto count = [&](Index m) SERENE_INLINE_LAMBDA { return offset[m + 1] - offset[m]; };
  Index m = 0;
  for (; m + 4 <= n_mels; m += 4) {
    Four<S> a, b, c, d;
    sum_by_four(a, weights + offset[m], power + first[m], count(m));
    sum_by_four(b, weights + offset[m + 1], power + first[m + 1], count(m + 1));
    sum_by_four(c, weights + offset[m + 2], power + first[m + 2], count(m + 2));
    sum_by_four(d, weights + offset[m + 3], power + first[m + 3], count(m + 3));
    transpose_four(a, b, c, d);
    const Four<S> sum = (a + b) + (c + d);
    store(sum, mel + m);
  }
  for (; m < n_mels; ++m) {
    Four<S> sum;
    sum_by_four(sum, weights + offset[m], power + first[m], count(m));
    mel[m] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
}
template <class S>
SERENE_TARGET_AVX2 void apply_avx2(const Index* first, const Index* offset, const S* weights, Index n_mels,
                                   const S* power, S* mel) {
  apply_body(first, offset, weights, n_mels, power, mel);
}

}  // namespace

double hz_to_mel(double hz, bool htk) {
  if (htk) return 2595 * std::log10(1 + hz / 700);
  return hz < 1000 ? 3 * hz / 200 : 15 + std::log(hz / 1000) / kLogStep;
}

double mel_to_hz(double mel, bool htk) {
  if (htk) return 700 * (std::pow(10.0, mel / 2595) - 1);
  return mel < 15 ? 200 * mel / 3 : 1000 * std::exp(kLogStep * (mel - 15));
}

template <class S>
MelFilters<S>::MelFilters(const MelConfig& config) : bins_(config.n_fft / 2 + 1) {
  const double fmax = config.fmax.value_or(config.rate_hz / 2);
  if (config.n_fft < 2 || config.n_mels < 1 || config.n_mels > 65536 || !(config.rate_hz > 0) || !(config.fmin >= 0) ||
      !(fmax > config.fmin)) {
    throw Error(ErrorCode::usage, "mel filters", "out of range").expected("n_mels >= 1 and 0 <= fmin < fmax");
  }
  const std::vector<double> edges = mel_edges(config, fmax);
  offset_.push_back(0);
  for (std::size_t m = 0; m + 2 < edges.size(); ++m) {
    const double norm = config.slaney_norm ? 2 / (edges[m + 2] - edges[m]) : 1;
    std::vector<double> weights(static_cast<std::size_t>(bins_));
    Index first = bins_, last = -1;
    for (Index k = 0; k < bins_; ++k) {
      const double f = static_cast<double>(k) * config.rate_hz / static_cast<double>(config.n_fft);
      const double up = (f - edges[m]) / (edges[m + 1] - edges[m]);
      const double down = (edges[m + 2] - f) / (edges[m + 2] - edges[m + 1]);
      const double w = std::max(0.0, std::min(up, down)) * norm;
      weights[static_cast<std::size_t>(k)] = w;
      if (w > 0) first = std::min(first, k), last = k;
    }
    Index count = last < first ? 0 : (last - first + 4) / 4 * 4;
    if (count == 0) first = 0;
    // Near the upper end the padding goes to the front, so that apply() never reads past the last bin.
    if (first + count > bins_) first = std::max<Index>(0, bins_ - count);
    if (first + count > bins_) count = bins_;  // fewer than four bins in all: a ragged end, see apply()
    first_.push_back(first);
    for (Index k = 0; k < count; ++k) weights_.push_back(static_cast<S>(weights[static_cast<std::size_t>(first + k)]));
    offset_.push_back(static_cast<Index>(weights_.size()));
  }
}

template <class S>
void MelFilters<S>::apply(const S* power, S* mel) const noexcept {
  if (has_avx2()) {
    apply_avx2(first_.data(), offset_.data(), weights_.data(), n_mels(), power, mel);
  } else {
    apply_body(first_.data(), offset_.data(), weights_.data(), n_mels(), power, mel);
  }
  if (bins_ >= 4) return;
  for (std::size_t m = 0; m < first_.size(); ++m) {  // too few bins for a whole four of weights
    for (Index k = 0; k < offset_[m + 1] - offset_[m]; ++k)
      mel[m] += weights_[static_cast<std::size_t>(offset_[m] + k)] * power[first_[m] + k];
  }
}

template <class S>
FrameMatrix<S> MelFilters<S>::dense() const {
  FrameMatrix<S> out(n_mels(), bins_);
  for (Index m = 0; m < n_mels(); ++m) {
    const auto i = static_cast<std::size_t>(m);
    std::copy(weights_.begin() + offset_[i], weights_.begin() + offset_[i + 1], out.row(m) + first_[i]);
  }
  return out;
}

template <class S>
FrameMatrix<S> mel_spectrogram(std::span<const S> y, const StftConfig& stft, const MelConfig& mel, double power) {
  const MelFilters<S> filters(mel);
  const FrameMatrix<S> spectrum = spectrogram(y, stft, power);
  if (spectrum.dim != filters.bins()) {
    throw Error(ErrorCode::usage, "mel spectrogram", "filters and transform differ in n_fft");
  }
  FrameMatrix<S> out(spectrum.frames, filters.n_mels());
  for (Index t = 0; t < out.frames; ++t) filters.apply(spectrum.row(t), out.row(t));
  return out;
}

template class MelFilters<float>;
template class MelFilters<double>;
template FrameMatrix<float> mel_spectrogram(std::span<const float>, const StftConfig&, const MelConfig&, double);
template FrameMatrix<double> mel_spectrogram(std::span<const double>, const StftConfig&, const MelConfig&, double);

}  // namespace serene
