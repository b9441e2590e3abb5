#include "serene/audio/phase_vocoder.h"

#include <cmath>
#include <numbers>
#include <type_traits>

#include "serene/core/error.h"

namespace serene {

template <class S>
Spectrum<S> phase_vocoder(const Spectrum<S>& in, double rate, Index hop_length) {
  if (!(rate >= 0.01 && rate <= 100)) {
    throw Error(ErrorCode::usage, "time_stretch", "rate out of range")
        .expected("0.01 to 100")
        .got(std::to_string(rate));
  }
  const std::size_t bins = static_cast<std::size_t>(in.bins);
  // Magnitude and phase of frame t; frames behind the end are zero.
  const auto polar = [&](Index t, std::size_t k, double& magnitude, double& phase) {
    if (t >= in.frames) {
      magnitude = phase = 0;
      return;
    }
    const std::size_t at = static_cast<std::size_t>(t) * bins + k;
    const double re = static_cast<double>(in.re[at]), im = static_cast<double>(in.im[at]);
    magnitude = std::sqrt(re * re + im * im);
    phase = std::atan2(im, re);
  };
  Spectrum<S> out;
  out.bins = in.bins;
  out.frames = static_cast<Index>(std::ceil(static_cast<double>(in.frames) / rate));
  out.re.resize(static_cast<std::size_t>(out.frames) * bins);
  out.im.resize(out.re.size());
  std::vector<double> accumulated(bins);
  for (std::size_t k = 0; k < bins; ++k) {
    double magnitude;
    polar(0, k, magnitude, accumulated[k]);
  }
  constexpr double kTurn = 2 * std::numbers::pi;
  for (Index t = 0; t < out.frames; ++t) {
    const double step = static_cast<double>(t) * rate;
    const Index from = static_cast<Index>(step);
    const double alpha = step - static_cast<double>(from);
    for (std::size_t k = 0; k < bins; ++k) {
      double m0, p0, m1, p1;
      polar(from, k, m0, p0);
      polar(from + 1, k, m1, p1);
      const double magnitude = (1 - alpha) * m0 + alpha * m1;
      const std::size_t at = static_cast<std::size_t>(t) * bins + k;
      out.re[at] = static_cast<S>(magnitude * std::cos(accumulated[k]));
      out.im[at] = static_cast<S>(magnitude * std::sin(accumulated[k]));
      const double advance =
          std::numbers::pi * static_cast<double>(hop_length) * static_cast<double>(k) / static_cast<double>(bins - 1);
      double difference = p1 - p0 - advance;
      difference -= kTurn * std::nearbyint(difference / kTurn);
      accumulated[k] += advance + difference;
    }
  }
  return out;
}

template <class S>
std::vector<S> time_stretch(std::span<const S> y, double rate, const StftConfig& config) {
  const Spectrum<S> slow = phase_vocoder(stft(y, config), rate, config.hop_length);
  const Index length = static_cast<Index>(std::nearbyint(static_cast<double>(y.size()) / rate));
  return istft(slow, config, std::max<Index>(1, length));
}

template <class S>
std::vector<S> pitch_shift(std::span<const S> y, double rate_hz, double n_steps, int bins_per_octave,
                           const StftConfig& config, ResampleQuality quality) {
  if (bins_per_octave < 1 || !(rate_hz > 0)) throw Error(ErrorCode::usage, "pitch_shift", "out of range");
  const double rate = std::pow(2.0, -n_steps / bins_per_octave);
  const std::vector<S> stretched = time_stretch(y, rate, config);
  const std::vector<float> narrow(stretched.begin(), stretched.end());
  const std::vector<float> shifted = resample(narrow, rate_hz / rate, rate_hz, quality);
  std::vector<S> out(shifted.begin(), shifted.end());
  out.resize(y.size(), S(0));
  return out;
}

#define SERENE_INSTANTIATE(S)                                                          \
  template Spectrum<S> phase_vocoder(const Spectrum<S>&, double, Index);               \
  template std::vector<S> time_stretch(std::span<const S>, double, const StftConfig&); \
  template std::vector<S> pitch_shift(std::span<const S>, double, double, int, const StftConfig&, ResampleQuality);
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

}  // namespace serene
