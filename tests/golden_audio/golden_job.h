// One entry of the manifest made ready: its parameters with librosa's defaults, its signal, and arrays in the
// references' layout.
#pragma once

#include <optional>
#include <span>

#include "golden_functions.h"
#include "serene/audio/mel.h"
#include "serene/audio/wave.h"

namespace serene::golden {

// The entry's parameters with librosa's defaults, and its signal.
template <class S>
struct Job {
  const Manifest& manifest;
  const Json& entry;
  const Json& params;
  std::string function;
  std::vector<S> y;
  double rate_hz = 22050;

  Job(const Manifest& m, const Json& e)
      : manifest(m), entry(e), params(e.at("params")), function(e.at("function").template get<std::string>()) {
    if (e.contains("input") && e.at("input").is_string()) {
      const Wave wave = read_wave(m.folder + "/" + e.at("input").template get<std::string>());
      const std::vector<float> mono = to_mono(wave);
      y.assign(mono.begin(), mono.end());
      rate_hz = wave.rate_hz;
    }
    rate_hz = number("sr", rate_hz);
  }

  bool given(const char* key) const { return params.contains(key) && !params.at(key).is_null(); }
  double number(const char* key, double fallback) const {
    return given(key) ? params.at(key).template get<double>() : fallback;
  }
  Index size(const char* key, Index fallback) const {
    return given(key) ? params.at(key).template get<Index>() : fallback;
  }
  bool flag(const char* key, bool fallback) const {
    return given(key) ? params.at(key).template get<bool>() : fallback;
  }
  std::string text(const char* key, const char* fallback) const {
    return given(key) ? params.at(key).template get<std::string>() : fallback;
  }
  // A number where null and absence differ: absent gives the fallback, null gives none.
  std::optional<double> optional(const char* key, std::optional<double> fallback) const {
    if (!params.contains(key)) return fallback;
    if (params.at(key).is_null()) return {};
    return params.at(key).template get<double>();
  }
  // "max" (or a number): the reference of decibels.
  std::optional<double> reference(std::optional<double> fallback) const {
    if (!given("ref")) return fallback;
    if (params.at("ref").is_string()) return {};
    return params.at("ref").template get<double>();
  }

  std::span<const S> signal() const { return y; }
  PadMode pad(const char* fallback = "constant") const { return parse_pad_mode(text("pad_mode", fallback)); }
  Index frame_length() const { return size("frame_length", 2048); }
  Index hop() const { return size("hop_length", 512); }

  StftConfig stft() const {
    StftConfig c;
    c.n_fft = size("n_fft", 2048);
    c.win_length = size("win_length", 0);
    c.hop_length = size("hop_length", (c.win_length > 0 ? c.win_length : c.n_fft) / 4);
    c.window = text("window", "hann");
    c.center = flag("center", true);
    c.pad = pad();
    return c;
  }
  MelConfig mel(const char* norm_key) const {
    MelConfig c;
    c.rate_hz = rate_hz;
    c.n_fft = size("n_fft", 2048);
    c.n_mels = size("n_mels", 128);
    c.fmin = number("fmin", 0);
    c.fmax = optional("fmax", {});
    c.htk = flag("htk", false);
    const bool plain = params.contains(norm_key) && params.at(norm_key).is_null();
    if (!plain && text(norm_key, "slaney") != "slaney") throw Error(ErrorCode::usage, norm_key, "unknown mel norm");
    c.slaney_norm = !plain;
    return c;
  }
  FrameMatrix<S> magnitude() const { return spectrogram(signal(), stft(), 1.0); }
};

inline Array vector_array(std::vector<double> values) {
  const Index n = static_cast<Index>(values.size());
  return {{n}, std::move(values)};
}

template <class S>
Array vector_array_of(const std::vector<S>& values) {
  return vector_array(std::vector<double>(values.begin(), values.end()));
}

// (frames, dim) to the references' (dim, frames).
template <class S>
Array transposed(const FrameMatrix<S>& x) {
  Array out{{x.dim, x.frames}, {}};
  for (Index d = 0; d < x.dim; ++d) {
    for (Index t = 0; t < x.frames; ++t) out.values.push_back(static_cast<double>(x.row(t)[d]));
  }
  return out;
}

template <class S>
Array as_is(const FrameMatrix<S>& x) {
  return {{x.frames, x.dim}, std::vector<double>(x.values.begin(), x.values.end())};
}

}  // namespace serene::golden
