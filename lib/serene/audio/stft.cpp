#include "serene/audio/stft.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "serene/audio/window.h"
#include "serene/core/error.h"

namespace serene {
namespace {

Index window_length(const StftConfig& config) { return config.win_length > 0 ? config.win_length : config.n_fft; }

// Calls visit(t, frame) for every windowed frame (n_fft values, in double) after prepare(number of frames).
template <class S, class Prepare, class Visit>
void for_each_frame(std::span<const S> y, const StftConfig& config, Prepare&& prepare, Visit&& visit) {
  check(config);
  const std::vector<S> padded = pad_signal(y, config.center ? config.n_fft / 2 : 0, config.pad);
  const Index frames = frame_count(static_cast<Index>(padded.size()), config.n_fft, config.hop_length);
  const std::vector<double> window = padded_window(config);
  std::vector<double> frame(window.size());
  prepare(frames);
  for (Index t = 0; t < frames; ++t) {
    const S* from = padded.data() + t * config.hop_length;
    for (std::size_t n = 0; n < frame.size(); ++n) frame[n] = static_cast<double>(from[n]) * window[n];
    visit(t, frame.data());
  }
}

}  // namespace

PadMode parse_pad_mode(const std::string& name) {
  if (name == "constant") return PadMode::constant;
  if (name == "reflect") return PadMode::reflect;
  if (name == "edge") return PadMode::edge;
  throw Error(ErrorCode::usage, "pad_mode", "unknown way to pad")
      .expected("constant, reflect or edge")
      .got(printable(name));
}

void check(const StftConfig& config) {
  const Index win = window_length(config);
  if (config.n_fft < 2 || config.hop_length < 1 || win < 1 || win > config.n_fft) {
    throw Error(ErrorCode::usage, "stft", "sizes out of range")
        .expected("1 <= win_length <= n_fft and hop_length >= 1")
        .got("n_fft " + std::to_string(config.n_fft) + ", win_length " + std::to_string(win) + ", hop_length " +
             std::to_string(config.hop_length));
  }
}

std::vector<double> padded_window(const StftConfig& config) {
  const std::vector<double> window = make_window(config.window, window_length(config));
  std::vector<double> padded(static_cast<std::size_t>(config.n_fft), 0.0);
  std::copy(window.begin(), window.end(), padded.begin() + (config.n_fft - window_length(config)) / 2);
  return padded;
}

template <class S>
std::vector<S> pad_signal(std::span<const S> y, Index amount, PadMode mode) {
  const Index n = static_cast<Index>(y.size());
  if (n == 0) throw Error(ErrorCode::input, "", "no samples");
  if (mode == PadMode::reflect && amount >= n) {
    throw Error(ErrorCode::input, "", "signal too short to mirror")
        .expected("more than " + std::to_string(amount) + " samples")
        .got(std::to_string(n));
  }
  std::vector<S> out(static_cast<std::size_t>(n + 2 * amount), S(0));
  std::copy(y.begin(), y.end(), out.begin() + amount);
  for (Index i = 0; i < amount && mode != PadMode::constant; ++i) {
    const bool mirror = mode == PadMode::reflect;
    out[static_cast<std::size_t>(amount - 1 - i)] = y[static_cast<std::size_t>(mirror ? i + 1 : 0)];
    out[static_cast<std::size_t>(amount + n + i)] = y[static_cast<std::size_t>(mirror ? n - 2 - i : n - 1)];
  }
  return out;
}

Index frame_count(Index padded_length, Index frame_length, Index hop_length) {
  if (padded_length < frame_length) {
    throw Error(ErrorCode::input, "", "signal shorter than one frame")
        .expected("at least " + std::to_string(frame_length) + " samples")
        .got(std::to_string(padded_length));
  }
  return 1 + (padded_length - frame_length) / hop_length;
}

template <class S>
Spectrum<S> stft(std::span<const S> y, const StftConfig& config) {
  const RealFft<double> fft(config.n_fft);
  const auto bins = static_cast<std::size_t>(fft.bins());
  std::vector<double> scratch(static_cast<std::size_t>(fft.scratch_size())), re(bins), im(bins);
  Spectrum<S> out;
  out.bins = fft.bins();
  const auto prepare = [&](Index frames) {
    out.frames = frames;
    out.re.reserve(static_cast<std::size_t>(frames) * bins);
    out.im.reserve(static_cast<std::size_t>(frames) * bins);
  };
  for_each_frame<S>(y, config, prepare, [&](Index, const double* frame) {
    fft.forward(frame, re.data(), im.data(), scratch.data());
    for (const double v : re) out.re.push_back(static_cast<S>(v));
    for (const double v : im) out.im.push_back(static_cast<S>(v));
  });
  return out;
}

template <class S>
FrameMatrix<S> spectrogram(std::span<const S> y, const StftConfig& config, double power) {
  const RealFft<double> fft(config.n_fft);
  std::vector<double> scratch(static_cast<std::size_t>(fft.scratch_size())), row(static_cast<std::size_t>(fft.bins()));
  FrameMatrix<S> out;
  const auto prepare = [&](Index frames) { out = FrameMatrix<S>(frames, fft.bins()); };
  for_each_frame<S>(y, config, prepare, [&](Index t, const double* frame) {
    fft.power(frame, row.data(), scratch.data());
    for (std::size_t k = 0; k < row.size(); ++k) {
      const double v = power == 2 ? row[k] : power == 1 ? std::sqrt(row[k]) : std::pow(row[k], power / 2);
      out.row(t)[k] = static_cast<S>(v);
    }
  });
  return out;
}

template <class S>
std::vector<S> istft(const Spectrum<S>& spectrum, const StftConfig& config, Index length) {
  check(config);
  const RealFft<S> fft(config.n_fft);
  if (spectrum.frames < 1 || spectrum.bins != fft.bins()) {
    throw Error(ErrorCode::usage, "istft", "spectrum does not fit n_fft")
        .expected(std::to_string(fft.bins()) + " bins")
        .got(std::to_string(spectrum.bins));
  }
  const std::vector<double> window = padded_window(config);
  const Index total = config.n_fft + config.hop_length * (spectrum.frames - 1);
  std::vector<double> sum(static_cast<std::size_t>(total)), weight(sum.size());
  std::vector<S> frame(window.size()), scratch(static_cast<std::size_t>(fft.scratch_size()));
  for (Index t = 0; t < spectrum.frames; ++t) {
    fft.inverse(spectrum.re.data() + t * spectrum.bins, spectrum.im.data() + t * spectrum.bins, frame.data(),
                scratch.data());
    double* at = sum.data() + t * config.hop_length;
    double* weight_at = weight.data() + t * config.hop_length;
    for (std::size_t n = 0; n < frame.size(); ++n) {
      at[n] += static_cast<double>(frame[n]) * window[n];
      weight_at[n] += window[n] * window[n];
    }
  }
  const Index start = config.center ? config.n_fft / 2 : 0;
  const Index natural = total - 2 * start;
  std::vector<S> out(static_cast<std::size_t>(length > 0 ? length : std::max<Index>(natural, 0)), S(0));
  for (std::size_t n = 0; n < out.size() && start + static_cast<Index>(n) < total; ++n) {
    const std::size_t at = n + static_cast<std::size_t>(start);
    const bool divide = weight[at] > static_cast<double>(std::numeric_limits<S>::min());
    out[n] = static_cast<S>(divide ? sum[at] / weight[at] : sum[at]);
  }
  return out;
}

#define SERENE_INSTANTIATE(S)                                                         \
  template std::vector<S> pad_signal(std::span<const S>, Index, PadMode);             \
  template Spectrum<S> stft(std::span<const S>, const StftConfig&);                   \
  template FrameMatrix<S> spectrogram(std::span<const S>, const StftConfig&, double); \
  template std::vector<S> istft(const Spectrum<S>&, const StftConfig&, Index);
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

}  // namespace serene
