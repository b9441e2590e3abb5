#include "serene/audio/features.h"

#include <algorithm>
#include <cmath>

#include "serene/audio/delta.h"
#include "serene/audio/feature_stream.h"
#include "serene/audio/kaggle_features.h"
#include "serene/audio/resample.h"
#include "serene/audio/trim.h"
#include "serene/audio/wave.h"

namespace serene {
namespace {

bool is_stream_layout(const FeatureConfig& c) {
  return c.layout == FeatureLayout::mfcc || c.layout == FeatureLayout::logmel;
}

// What the stream computes: everything, or, where the range of the whole clip is limited afterwards, plain log-mel
// frames.
FeatureConfig streamed_part(FeatureConfig c) {
  if (!is_stream_layout(c)) return feature_preset("logmel-64");
  if (c.top_db) {
    c.top_db.reset();
    c.layout = FeatureLayout::logmel;
    c.deltas = 0;
  }
  return c;
}

// Puts the derivatives of the first `width` columns beside them.
FeatureMatrix with_deltas(const FeatureMatrix& x, int deltas) {
  constexpr Index kWidth = 9;
  FeatureMatrix out(x.frames, x.dim * (1 + deltas));
  for (int order = 0; order <= deltas; ++order) {
    FeatureMatrix part = x;
    if (order > 0) part = x.frames < kWidth ? FeatureMatrix(x.frames, x.dim) : delta(x, kWidth, order);
    for (Index t = 0; t < x.frames; ++t) std::copy_n(part.row(t), x.dim, out.row(t) + order * x.dim);
  }
  return out;
}

std::vector<float> finite_copy(std::span<const float> mono) {
  std::vector<float> out(mono.begin(), mono.end());
  for (float& v : out) v = std::isfinite(v) ? std::clamp(v, -65536.0f, 65536.0f) : 0.0f;
  return out;
}

// The fixed-size layouts. kaggle-2376 is ZCR, RMS and MFCC of kaggle-frames, one after the other.
FeatureMatrix kaggle_features(const FeatureConfig& c, std::span<const float> y) {
  FeatureMatrix out;
  if (c.layout == FeatureLayout::kaggle_162) {
    out.values = kaggle_means(c, y);
  } else {
    FeatureMatrix frames = kaggle_frames(c, y);
    if (c.layout == FeatureLayout::kaggle_frames) return frames;
    for (Index d = 0; d < 2; ++d) {
      for (Index t = 0; t < frames.frames; ++t) out.values.push_back(frames.row(t)[d]);
    }
    for (Index t = 0; t < frames.frames; ++t) {
      out.values.insert(out.values.end(), frames.row(t) + 2, frames.row(t) + frames.dim);
    }
  }
  out.frames = static_cast<Index>(out.values.size());
  out.dim = 1;
  return out;
}

}  // namespace

struct FeatureExtractor::Impl {
  FeatureConfig config;
  FeatureStream stream;
  std::vector<float> samples;  // of the last file: its memory serves the next

  explicit Impl(const FeatureConfig& c) : config(c), stream((check(c), check_computable(c), streamed_part(c))) {}

  FeatureMatrix streamed(std::span<const float> y) {
    stream.reset();
    FeatureMatrix out;
    out.dim = stream.dim();
    out.values.reserve((y.size() / static_cast<std::size_t>(config.hop_length) + 1) *
                       static_cast<std::size_t>(out.dim));
    const auto keep = [&](const float* frame) {
      out.values.insert(out.values.end(), frame, frame + out.dim);
      ++out.frames;
    };
    stream.feed(y, keep);
    stream.finish();
    stream.feed({}, keep);
    if (out.frames == 0) throw Error(ErrorCode::input, "", "clip shorter than one frame").got(std::to_string(y.size()));
    if (!config.top_db) return out;
    limit_range(out, *config.top_db);
    if (config.layout == FeatureLayout::mfcc) out = mfcc_from_db(out, config.n_mfcc, config.lifter);
    return config.deltas > 0 ? with_deltas(out, config.deltas) : out;
  }
};

FeatureExtractor::FeatureExtractor(const FeatureConfig& config) : impl_(std::make_unique<Impl>(config)) {}
FeatureExtractor::~FeatureExtractor() = default;
FeatureExtractor::FeatureExtractor(FeatureExtractor&&) noexcept = default;
FeatureExtractor& FeatureExtractor::operator=(FeatureExtractor&&) noexcept = default;

const FeatureConfig& FeatureExtractor::config() const noexcept { return impl_->config; }

FeatureMatrix FeatureExtractor::extract(std::span<const float> mono) {
  const FeatureConfig& c = impl_->config;
  if (mono.empty()) throw Error(ErrorCode::input, "", "no samples");
  if (!is_stream_layout(c)) {
    const std::vector<float> clip = finite_copy(cut_clip(c, mono));
    return kaggle_features(c, clip);
  }
  std::vector<float> cut;
  if (c.offset_s > 0 || c.duration_s > 0) {
    cut = cut_clip(c, mono);
    mono = cut;
  }
  if (c.trim_top_db) {
    std::vector<float> clean;
    if (!std::all_of(mono.begin(), mono.end(), [](float v) { return std::abs(v) <= 65536.0f; })) {
      clean = finite_copy(mono);
    }
    const std::span<const float> judged = clean.empty() ? mono : std::span<const float>(clean);
    const SampleRange loud = trim(judged, *c.trim_top_db, c.win_length, c.hop_length);
    if (loud.end > loud.begin) {
      mono = mono.subspan(static_cast<std::size_t>(loud.begin), static_cast<std::size_t>(loud.end - loud.begin));
    }
  }
  return impl_->streamed(mono);
}

FeatureMatrix FeatureExtractor::extract_file(const std::string& path) {
  load_mono(path, impl_->config.rate_hz, 0, 0, impl_->samples);
  return with_context(path, [&] { return extract(impl_->samples); });
}

FeatureMatrix extract_features(const FeatureConfig& config, std::span<const float> mono) {
  return FeatureExtractor(config).extract(mono);
}

FeatureMatrix features_of_samples(const FeatureConfig& config, std::span<const float> mono, int rate_hz) {
  if (rate_hz < 1000 || rate_hz > 768000)
    throw Error(ErrorCode::usage, "rate", "out of range").expected("1000 to 768000 Hz").got(std::to_string(rate_hz));
  for (std::size_t i = 0; i < mono.size(); ++i) {
    if (!std::isfinite(mono[i])) throw Error(ErrorCode::input, "sample " + std::to_string(i), "is not finite");
  }
  return with_context("samples", [&] {
    if (rate_hz == config.rate_hz) return extract_features(config, mono);
    return extract_features(config, resample(mono, rate_hz, config.rate_hz));
  });
}

FeatureMatrix extract_file(const FeatureConfig& config, const std::string& path) {
  return FeatureExtractor(config).extract_file(path);
}

std::vector<float> cut_clip(const FeatureConfig& c, std::span<const float> mono) {
  const double rate = c.rate_hz;
  const auto offset = static_cast<std::size_t>(std::llround(c.offset_s * rate));
  if (offset >= mono.size()) {
    throw Error(ErrorCode::input, "", "clip ends before the offset of " + std::to_string(c.offset_s) + " s")
        .got(std::to_string(static_cast<double>(mono.size()) / rate) + " s");
  }
  mono = mono.subspan(offset);
  if (!(c.duration_s > 0)) return {mono.begin(), mono.end()};
  const auto length = std::max<std::size_t>(1, static_cast<std::size_t>(std::llround(c.duration_s * rate)));
  std::vector<float> out(mono.begin(), mono.begin() + static_cast<Index>(std::min(length, mono.size())));
  if (!is_stream_layout(c)) out.resize(length, 0.0f);
  return out;
}

}  // namespace serene
