#include "golden_functions.h"

#include <cmath>
#include <functional>

#include "golden_job.h"
#include "serene/audio/chroma.h"
#include "serene/audio/delta.h"
#include "serene/audio/descriptors.h"
#include "serene/audio/g711.h"
#include "serene/audio/kaggle_features.h"
#include "serene/audio/mel.h"
#include "serene/audio/mfcc.h"
#include "serene/audio/phase_vocoder.h"
#include "serene/audio/resample.h"
#include "serene/audio/trim.h"
#include "serene/audio/window.h"
#include "serene/audio/yin.h"

namespace serene::golden {
namespace {

template <class S>
Array run_stft_parts(const Job<S>& j) {
  const Spectrum<S> x = stft(j.signal(), j.stft());
  Array out{{2, x.bins, x.frames}, {}};
  for (const std::vector<S>* part : {&x.re, &x.im}) {
    for (Index k = 0; k < x.bins; ++k) {
      for (Index t = 0; t < x.frames; ++t)
        out.values.push_back(static_cast<double>((*part)[static_cast<std::size_t>(t * x.bins + k)]));
    }
  }
  return out;
}

template <class S>
Array run_istft(const Job<S>& j) {
  return vector_array_of(istft(stft(j.signal(), j.stft()), j.stft(), static_cast<Index>(j.y.size())));
}

template <class S>
Array run_vocoder(const Job<S>& j) {
  const Spectrum<S> x = phase_vocoder(stft(j.signal(), j.stft()), j.number("rate", 1), j.stft().hop_length);
  FrameMatrix<S> magnitude(x.frames, x.bins);
  for (std::size_t i = 0; i < x.re.size(); ++i) magnitude.values[i] = std::sqrt(x.re[i] * x.re[i] + x.im[i] * x.im[i]);
  return transposed(magnitude);
}

template <class S>
FrameMatrix<S> mel_of(const Job<S>& j, const char* norm_key) {
  return mel_spectrogram(j.signal(), j.stft(), j.mel(norm_key), j.number("power", 2));
}

template <class S>
FrameMatrix<S> mfcc_of(const Job<S>& j) {
  if (j.size("dct_type", 2) != 2) throw Error(ErrorCode::usage, "dct_type", "only type 2 is known");
  FrameMatrix<S> db = mel_of(j, "mel_norm");
  power_to_db(db, j.reference(1.0), j.number("amin", 1e-10), j.optional("top_db", 80.0));
  const bool ortho = !(j.params.contains("norm") && j.params.at("norm").is_null());
  return mfcc_from_db(db, j.size("n_mfcc", 20), j.number("lifter", 0), ortho);
}

// The array that parameter "of" names, an entry of the same signal, as frames.
template <class S>
FrameMatrix<S> frames_of(const Job<S>& j) {
  const std::string name = j.entry.at("name").template get<std::string>(), of = j.text("of", "");
  const std::size_t slash = name.rfind('/');
  auto found = j.manifest.by_name.find(slash == std::string::npos ? of : name.substr(0, slash + 1) + of);
  if (found == j.manifest.by_name.end()) found = j.manifest.by_name.find(of);
  if (found == j.manifest.by_name.end() || found->second == &j.entry) {
    throw Error(ErrorCode::usage, "of", "no such entry").got(of);
  }
  const Array a = run_entry<S>(j.manifest, *found->second);
  if (a.shape.size() != 2) throw Error(ErrorCode::usage, "of", "not a matrix");
  FrameMatrix<S> out(a.shape[1], a.shape[0]);
  for (Index d = 0; d < out.dim; ++d) {
    for (Index t = 0; t < out.frames; ++t)
      out.row(t)[d] = static_cast<S>(a.values[static_cast<std::size_t>(d * out.frames + t)]);
  }
  return out;
}

template <class S>
Array run_db(const Job<S>& j) {
  FrameMatrix<S> x = frames_of(j);
  power_to_db(x, j.reference(1.0), j.number("amin", 1e-10), j.optional("top_db", 80.0));
  return transposed(x);
}

template <class S>
Array run_delta(const Job<S>& j) {
  if (j.text("mode", "interp") != "interp") throw Error(ErrorCode::usage, "mode", "only interp is known");
  return transposed(delta(frames_of(j), j.size("width", 9), static_cast<int>(j.size("order", 1))));
}

template <class S>
Array run_zcr(const Job<S>& j) {
  return transposed(zero_crossing_rate(j.signal(), j.frame_length(), j.hop(), j.flag("center", true),
                                       j.number("threshold", 1e-10), j.flag("pad", false), j.pad("edge")));
}

template <class S>
Array run_rms(const Job<S>& j) {
  return transposed(rms(j.signal(), j.frame_length(), j.hop(), j.flag("center", true), j.pad()));
}

// The functions given S=|stft| or S=|stft|**2 say so in their names; from a signal librosa takes the power.
template <class S>
FrameMatrix<double> named_spectrum(const Job<S>& j) {
  const bool magnitude =
      j.function.find("S=|stft|") != std::string::npos && j.function.find("**2") == std::string::npos;
  const std::vector<double> wide(j.y.begin(), j.y.end());
  return spectrogram<double>(wide, j.stft(), magnitude ? 1.0 : 2.0);
}

template <class S>
Array run_tuning(const Job<S>& j) {
  int bins = static_cast<int>(j.size("bins_per_octave", 12));
  const std::size_t at = j.function.find("bins_per_octave=");
  if (at != std::string::npos) bins = std::stoi(j.function.substr(at + 16));
  return vector_array({estimate_tuning(named_spectrum(j), j.rate_hz, bins, j.number("resolution", 0.01))});
}

VectorNorm parse_norm(const Json& params, VectorNorm fallback) {
  if (!params.contains("norm")) return fallback;
  const Json& n = params.at("norm");
  if (n.is_null()) return VectorNorm::none;
  if (n.is_string() && n.get<std::string>() == "inf") return VectorNorm::infinity;
  if (n == 1) return VectorNorm::one;
  if (n == 2) return VectorNorm::two;
  throw Error(ErrorCode::usage, "norm", "unknown norm");
}

template <class S>
ChromaConfig chroma_config(const Job<S>& j) {
  ChromaConfig c;
  c.rate_hz = j.rate_hz;
  c.n_fft = j.size("n_fft", 2048);
  c.n_chroma = static_cast<int>(j.size("n_chroma", 12));
  c.tuning = j.optional("tuning", {});
  c.ctroct = j.number("ctroct", 5);
  c.octwidth = j.optional("octwidth", 2);
  c.base_c = j.flag("base_c", true);
  return c;
}

template <class S>
Array run_chroma(const Job<S>& j) {
  ChromaConfig c = chroma_config(j);
  c.norm = parse_norm(j.params, VectorNorm::infinity);
  return transposed(chroma<S>(named_spectrum(j), c));
}

template <class S>
Array run_chroma_filters(const Job<S>& j) {
  ChromaConfig c = chroma_config(j);
  c.filter_norm = parse_norm(j.params, VectorNorm::two);
  return as_is(chroma_filters(c));
}

template <class S>
Array run_contrast(const Job<S>& j) {
  return transposed(spectral_contrast(j.magnitude(), j.rate_hz, j.number("fmin", 200),
                                      static_cast<int>(j.size("n_bands", 6)), j.number("quantile", 0.02),
                                      j.flag("linear", false)));
}

template <class S>
Array run_trim(const Job<S>& j) {
  const SampleRange i = trim(j.signal(), j.number("top_db", 60), j.frame_length(), j.hop(), j.reference({}));
  return vector_array({static_cast<double>(i.begin), static_cast<double>(i.end)});
}

template <class S>
Array run_split(const Job<S>& j) {
  Array out{{0, 2}, {}};
  for (const SampleRange& i : split(j.signal(), j.number("top_db", 60), j.frame_length(), j.hop(), j.reference({}))) {
    out.values.insert(out.values.end(), {static_cast<double>(i.begin), static_cast<double>(i.end)});
    ++out.shape[0];
  }
  return out;
}

template <class S>
Array run_yin(const Job<S>& j) {
  YinConfig c;
  c.fmin = j.number("fmin", c.fmin);
  c.fmax = j.number("fmax", c.fmax);
  c.rate_hz = j.rate_hz;
  c.frame_length = j.frame_length();
  c.hop_length = j.size("hop_length", c.frame_length / 4);
  c.threshold = j.number("trough_threshold", 0.1);
  c.center = j.flag("center", true);
  c.pad = j.pad();
  return vector_array_of(yin(j.signal(), c));
}

template <class S>
Array run_kaggle(const Job<S>& j) {
  FeatureConfig c = feature_preset("kaggle-162");
  c.rate_hz = static_cast<int>(j.rate_hz);
  c.n_fft = j.size("n_fft", 2048);
  c.win_length = j.size("win_length", c.n_fft);
  c.hop_length = j.hop();
  c.n_mels = j.size("n_mels", 128);
  c.n_mfcc = j.size("n_mfcc", 20);
  return vector_array_of(kaggle_means(c, j.signal()));
}

template <class S>
Array run_pitch_shift(const Job<S>& j) {
  StftConfig c = j.stft();
  return vector_array_of(
      pitch_shift(j.signal(), j.rate_hz, j.number("n_steps", 0), static_cast<int>(j.size("bins_per_octave", 12)), c));
}

template <class S>
Array run_resample(const Job<S>& j, double from, double to) {
  const std::vector<float> narrow(j.y.begin(), j.y.end());
  return vector_array_of(resample(narrow, from, to));
}

template <class S>
Array run_dct(const Job<S>& j) {
  if (j.size("type", 2) != 2) throw Error(ErrorCode::usage, "type", "only type 2 is known");
  const Index n = j.size("n", 0);
  const bool ortho = !(j.params.contains("norm") && j.params.at("norm").is_null());
  return {{n, n}, dct2_matrix(n, n, ortho)};
}

template <class F>
Array table(int first, int last, F&& value) {
  std::vector<double> out;
  for (int x = first; x <= last; ++x) out.push_back(static_cast<double>(value(x)));
  return vector_array(std::move(out));
}

Array run_codec(const std::string& function) {
  const bool mu = function.find("mu-law") != std::string::npos;
  const bool sun = function.find("Sun g711.c /") != std::string::npos;
  if (function.starts_with("code")) {
    return table(0, 255, [&](int x) {
      const auto code = static_cast<std::uint8_t>(x);
      return mu ? mu_law_decode(code) : a_law_decode(code);
    });
  }
  return table(-32768, 32767, [&](int x) {
    const auto sample = static_cast<std::int16_t>(x);
    return mu ? mu_law_encode(sample, sun ? MuLawRounding::sun : MuLawRounding::itu) : a_law_encode(sample);
  });
}

template <class S>
using Runner = std::function<Array(const Job<S>&)>;

// Spectra and what is made of mel bands.
template <class S>
const std::vector<std::pair<std::string, Runner<S>>>& spectral_runners() {
  using J = const Job<S>&;
  static const std::vector<std::pair<std::string, Runner<S>>> runners{
      {"librosa.stft (stacked", run_stft_parts<S>},
      {"librosa.istft(", run_istft<S>},
      {"abs(librosa.stft)**2", [](J j) { return transposed(spectrogram(j.signal(), j.stft(), 2.0)); }},
      {"abs(librosa.stft)", [](J j) { return transposed(j.magnitude()); }},
      {"abs(librosa.phase_vocoder", run_vocoder<S>},
      {"librosa.feature.melspectrogram", [](J j) { return transposed(mel_of(j, "norm")); }},
      {"librosa.feature.mfcc", [](J j) { return transposed(mfcc_of(j)); }},
      {"librosa.power_to_db", run_db<S>},
      {"librosa.feature.delta", run_delta<S>},
      {"librosa.filters.mel", [](J j) { return as_is(MelFilters<S>(j.mel("norm")).dense()); }},
      {"librosa.filters.chroma", run_chroma_filters<S>},
      {"librosa.filters.get_window",
       [](J j) {
         return vector_array(make_window(j.text("window", "hann"), j.size("Nx", 0), j.flag("fftbins", true)));
       }},
      {"scipy.fft.dct of the identity", run_dct<S>},
  };
  return runners;
}

// Descriptors, effects and codecs.
template <class S>
const std::vector<std::pair<std::string, Runner<S>>>& other_runners() {
  using J = const Job<S>&;
  static const std::vector<std::pair<std::string, Runner<S>>> runners{
      {"librosa.feature.zero_crossing_rate", run_zcr<S>},
      {"librosa.feature.rms", run_rms<S>},
      {"librosa.feature.chroma_stft", run_chroma<S>},
      {"librosa.estimate_tuning", run_tuning<S>},
      {"librosa.feature.spectral_centroid",
       [](J j) { return transposed(spectral_centroid(j.magnitude(), j.rate_hz)); }},
      {"librosa.feature.spectral_bandwidth",
       [](J j) {
         return transposed(spectral_bandwidth(j.magnitude(), j.rate_hz, j.number("p", 2), j.flag("norm", true)));
       }},
      {"librosa.feature.spectral_rolloff",
       [](J j) { return transposed(spectral_rolloff(j.magnitude(), j.rate_hz, j.number("roll_percent", 0.85))); }},
      {"librosa.feature.spectral_flatness",
       [](J j) { return transposed(spectral_flatness(j.magnitude(), j.number("amin", 1e-10), j.number("power", 2))); }},
      {"librosa.feature.spectral_contrast", run_contrast<S>},
      {"librosa.effects.trim", run_trim<S>},
      {"librosa.effects.split", run_split<S>},
      {"librosa.yin", run_yin<S>},
      {"Kaggle SER feature vector", run_kaggle<S>},
      {"the same with librosa float32 defaults", run_kaggle<S>},
      {"librosa.effects.time_stretch",
       [](J j) { return vector_array_of(time_stretch(j.signal(), j.number("rate", 1), j.stft())); }},
      {"librosa.effects.pitch_shift", run_pitch_shift<S>},
      {"librosa.resample",
       [](J j) { return run_resample(j, j.number("orig_sr", j.rate_hz), j.number("target_sr", 0)); }},
      {"scipy.signal.resample_poly", [](J j) { return run_resample(j, j.number("down", 1), j.number("up", 1)); }},
      {"code 0..255 -> linear", [](J j) { return run_codec(j.function); }},
      {"linear 16 bit -> ", [](J j) { return run_codec(j.function); }},
  };
  return runners;
}

}  // namespace

Manifest::Manifest(const std::string& where) : folder(where), root(read_json_file(where + "/manifest.json")) {
  for (const Json& entry : root.at("entries")) by_name[entry.at("name").get<std::string>()] = &entry;
}

template <class S>
Array run_entry(const Manifest& manifest, const Json& entry) {
  const Job<S> job(manifest, entry);
  for (const auto* list : {&spectral_runners<S>(), &other_runners<S>()}) {
    for (const auto& [prefix, runner] : *list) {
      if (job.function.starts_with(prefix)) return runner(job);
    }
  }
  throw Error(ErrorCode::usage, "function", "unknown function").got(printable(job.function));
}

template Array run_entry<float>(const Manifest&, const Json&);
template Array run_entry<double>(const Manifest&, const Json&);

}  // namespace serene::golden
