#include "serene/audio/kaggle_features.h"

#include <algorithm>

#include "serene/audio/chroma.h"
#include "serene/audio/descriptors.h"
#include "serene/audio/mfcc.h"

namespace serene {

template <class S>
std::vector<S> kaggle_means(const FeatureConfig& c, std::span<const S> y) {
  const std::vector<double> wide(y.begin(), y.end());
  const FrameMatrix<double> magnitude = spectrogram<double>(wide, stft_config(c), 1.0);
  const FrameMatrix<S> mel = mel_spectrogram(y, stft_config(c), mel_config(c));
  FrameMatrix<S> db = mel;
  power_to_db(db, 1.0, c.amin, c.top_db);
  ChromaConfig chroma_config;
  chroma_config.rate_hz = c.rate_hz;
  chroma_config.n_fft = c.n_fft;
  const FrameMatrix<S> parts[] = {zero_crossing_rate(y, c.n_fft, c.hop_length), chroma<S>(magnitude, chroma_config),
                                  mfcc_from_db(db, c.n_mfcc, c.lifter), rms(y, c.n_fft, c.hop_length), mel};
  std::vector<S> out;
  for (const FrameMatrix<S>& part : parts) {
    for (Index d = 0; d < part.dim; ++d) {
      double sum = 0;
      for (Index t = 0; t < part.frames; ++t) sum += static_cast<double>(part.row(t)[d]);
      out.push_back(static_cast<S>(sum / static_cast<double>(part.frames)));
    }
  }
  return out;
}

template <class S>
FrameMatrix<S> kaggle_frames(const FeatureConfig& c, std::span<const S> y) {
  const FrameMatrix<S> zcr = zero_crossing_rate(y, c.n_fft, c.hop_length), energy = rms(y, c.n_fft, c.hop_length);
  FrameMatrix<S> db = mel_spectrogram(y, stft_config(c), mel_config(c));
  power_to_db(db, 1.0, c.amin, c.top_db);
  const FrameMatrix<S> mfcc = mfcc_from_db(db, c.n_mfcc, c.lifter);
  FrameMatrix<S> out(mfcc.frames, 2 + mfcc.dim);
  for (Index t = 0; t < out.frames; ++t) {
    out.row(t)[0] = zcr.row(t)[0];
    out.row(t)[1] = energy.row(t)[0];
    std::copy_n(mfcc.row(t), mfcc.dim, out.row(t) + 2);
  }
  return out;
}

#define SERENE_INSTANTIATE(S)                                                     \
  template std::vector<S> kaggle_means(const FeatureConfig&, std::span<const S>); \
  template FrameMatrix<S> kaggle_frames(const FeatureConfig&, std::span<const S>);
SERENE_INSTANTIATE(float)
SERENE_INSTANTIATE(double)
#undef SERENE_INSTANTIATE

}  // namespace serene
