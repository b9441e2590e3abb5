#include "serene/audio/normalizer.h"

#include <cmath>

namespace serene {
namespace {

// Below this share of its mean a channel's spread is rounding noise.
constexpr double kConstant = 1e-6;

template <class F>
void for_each_value(std::span<const FeatureMatrix* const> clips, F&& visit) {
  for (const FeatureMatrix* clip : clips) {
    for (Index t = 0; t < clip->frames; ++t) {
      const float* row = clip->row(t);
      for (Index d = 0; d < clip->dim; ++d) visit(static_cast<std::size_t>(d), static_cast<double>(row[d]));
    }
  }
}

}  // namespace

void Normalizer::apply(float* values, Index frames) const noexcept {
  const std::size_t width = mean.size();
  for (Index t = 0; t < frames; ++t, values += width) {
    for (std::size_t d = 0; d < width; ++d) values[d] = (values[d] - mean[d]) * scale[d];
  }
}

Normalizer fit_normalizer(std::span<const FeatureMatrix* const> clips) {
  Index frames = 0, dim = -1;
  for (const FeatureMatrix* clip : clips) {
    if (dim >= 0 && clip->dim != dim) {
      throw Error(ErrorCode::input, "normalizer", "clips differ in channels")
          .expected(std::to_string(dim))
          .got(std::to_string(clip->dim));
    }
    dim = clip->dim;
    frames += clip->frames;
  }
  if (frames < 1 || dim < 1) throw Error(ErrorCode::input, "normalizer", "no frames to measure");
  const auto width = static_cast<std::size_t>(dim);
  std::vector<double> mean(width), square(width);
  for_each_value(clips, [&](std::size_t d, double v) { mean[d] += v; });
  for (double& m : mean) m /= static_cast<double>(frames);
  for_each_value(clips, [&](std::size_t d, double v) { square[d] += (v - mean[d]) * (v - mean[d]); });
  Normalizer out;
  for (std::size_t d = 0; d < width; ++d) {
    const double deviation = std::sqrt(square[d] / static_cast<double>(frames));
    if (!std::isfinite(deviation)) {
      throw Error(ErrorCode::input, "normalizer", "channel " + std::to_string(d) + " holds values that are not finite");
    }
    const bool constant = !(deviation > kConstant * std::abs(mean[d])) || deviation < 1e-30;
    out.mean.push_back(static_cast<float>(mean[d]));
    out.scale.push_back(constant ? 1.0f : static_cast<float>(1 / deviation));
  }
  return out;
}

Json to_json(const Normalizer& normalizer) { return {{"mean", normalizer.mean}, {"scale", normalizer.scale}}; }

Normalizer normalizer_from_json(JsonReader& reader) {
  Normalizer out;
  reader.raw("mean");
  reader.raw("scale");
  const auto read = [&](const char* key) {
    std::vector<float> values;
    for (const double v : reader.numbers(key)) {
      if (!std::isfinite(static_cast<float>(v))) throw reader.error(key, "value is not finite");
      values.push_back(static_cast<float>(v));
    }
    return values;
  };
  out.mean = read("mean");
  out.scale = read("scale");
  reader.finish();
  if (out.mean.size() != out.scale.size()) throw reader.error("scale", "length differs from mean");
  for (const float s : out.scale) {
    if (!(s > 0)) throw reader.error("scale", "values must be above 0");
  }
  return out;
}

}  // namespace serene
