// Presets, their JSON form, their sizes; and the normaliser.
#include "serene/audio/feature_config.h"

#include <doctest/doctest.h>

#include <cmath>

#include "serene/audio/features.h"
#include "serene/audio/normalizer.h"
#include "serene/audio/notebook_augment.h"

using namespace serene;

namespace {

FeatureConfig parse(const std::string& text) {
  const Json json = parse_json(text, "test");
  JsonReader reader(json, "features");
  return feature_config_from_json(reader);
}

std::string fault(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& e) {
    return e.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("presets have the sizes of their notebooks and survive JSON") {
  const std::vector<float> clip(22050 * 4, 0.1f);
  for (const std::string& name : feature_preset_names()) {
    const FeatureConfig config = feature_preset(name);
    CHECK(parse(to_json(config).dump()) == config);
    const FeatureMatrix m = extract_features(config, clip);
    CHECK(m.dim == dimension(config));
    if (fixed_frames(config) > 0) CHECK(m.frames == fixed_frames(config));
    // Clips shorter than 2.5 s are padded.
    if (fixed_frames(config) > 0) {
      CHECK(extract_features(config, std::span<const float>(clip).subspan(0, 20000)).frames == m.frames);
    }
  }
  CHECK(fixed_frames(feature_preset("kaggle-162")) == 162);
  CHECK(fixed_frames(feature_preset("kaggle-2376")) == 2376);
  CHECK(fixed_frames(feature_preset("kaggle-frames")) == 108);
  CHECK(dimension(feature_preset("kaggle-frames")) == 22);
  CHECK(dimension(feature_preset("mfcc-40")) == 40);
}

TEST_CASE("settings are checked and named") {
  CHECK(parse(R"({"preset": "logmel-64", "n_mels": 80, "trim_top_db": null})").n_mels == 80);
  CHECK(!parse(R"({"trim_top_db": null})").trim_top_db);
  CHECK(parse(R"({"rate_hz": 8000})").rate_hz == 8000);
  CHECK(fault(R"({"n_fft": 500})").find("features.n_fft") != std::string::npos);
  CHECK(fault(R"({"nfft": 512})").find("features.nfft") != std::string::npos);
  CHECK(fault(R"({"n_mfcc": 65})").find("features.n_mfcc") != std::string::npos);
  CHECK(fault(R"({"fmax_hz": 9000})").find("features.fmax_hz") != std::string::npos);
  CHECK(fault(R"({"preset": "mfcc-41"})").find("features.preset") != std::string::npos);
  CHECK(fault(R"({"preset": "kaggle-162", "duration_s": 0})").find("features.duration_s") != std::string::npos);
  CHECK(fault(R"({"window": 3})").find("features.window") != std::string::npos);
}

TEST_CASE("features from outside have a width and nothing else, and cannot be computed") {
  const FeatureConfig outside = outside_features(88);
  const Json json = to_json(outside);
  CHECK(json.dump() == R"({"layout":"outside","channels":88})");
  JsonReader reader(json, "features");
  CHECK(feature_config_from_json(reader) == outside);
  CHECK(dimension(outside) == 88);
  CHECK(fixed_frames(outside) == 0);
  CHECK_FALSE(streamable(outside));
  CHECK_NOTHROW(check(outside));
  CHECK_NOTHROW(check_computable(FeatureConfig{}));
  CHECK_THROWS_AS(check_computable(outside), Error);
  CHECK_THROWS_AS(FeatureExtractor{outside}, Error);
  CHECK(fault(R"({"layout":"outside"})").find("features.channels") == 0);
  CHECK(fault(R"({"layout":"outside","channels":0})").find("features.channels: out of range") == 0);
  CHECK(fault(R"({"layout":"outside","channels":65537})").find("features.channels: out of range") == 0);
  CHECK(fault(R"({"layout":"outside","channels":4,"n_fft":512})").find("features.n_fft: unknown key") == 0);
}

TEST_CASE("the fingerprint follows the settings, not the name") {
  FeatureConfig a = feature_preset("mfcc-40"), b = a;
  b.preset = "other";
  CHECK(fingerprint(a) == fingerprint(b));
  b.lifter = 22;
  CHECK(fingerprint(a) != fingerprint(b));
}

TEST_CASE("a normalizer standardises every channel and leaves constant ones") {
  FeatureMatrix a(3, 3), b(2, 3);
  for (Index t = 0; t < 5; ++t) {
    float* row = t < 3 ? a.row(t) : b.row(t - 3);
    row[0] = static_cast<float>(t);
    row[1] = 1000.1f;
    row[2] = 1e-3f * static_cast<float>(t * t);
  }
  const FeatureMatrix* clips[] = {&a, &b};
  const Normalizer n = fit_normalizer(clips);
  CHECK(n.mean[0] == doctest::Approx(2));
  CHECK(n.scale[0] == doctest::Approx(1 / std::sqrt(2.0)));
  CHECK(n.scale[1] == 1.0f);
  n.apply(a.values.data(), a.frames);
  CHECK(a.row(0)[0] == doctest::Approx(-std::sqrt(2.0)));
  CHECK(std::abs(a.row(1)[1]) < 1e-3f);

  const Json json = to_json(n);
  JsonReader reader(json, "");
  CHECK(normalizer_from_json(reader) == n);
  const Json wrong = parse_json(R"({"mean": [1, 2], "scale": [1]})", "test");
  JsonReader wrong_reader(wrong, "n");
  CHECK_THROWS_AS(normalizer_from_json(wrong_reader), Error);
  CHECK_THROWS_AS(fit_normalizer({}), Error);
  a.values[0] = NAN;
  CHECK_THROWS_AS(fit_normalizer(clips), Error);
}

TEST_CASE("notebook augmentations keep their lengths and follow their key") {
  std::vector<float> y(8000);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
  CHECK(notebook_stretch(y).size() == 10000);
  CHECK(notebook_pitch(y, 22050).size() == y.size());
  Random a(1, Purpose::augment, 2, 3), b(1, Purpose::augment, 2, 3), c(1, Purpose::augment, 2, 4);
  const std::vector<float> noisy = add_notebook_noise(y, a);
  CHECK(noisy == add_notebook_noise(y, b));
  CHECK(noisy != add_notebook_noise(y, c));
  double power = 0;
  for (std::size_t i = 0; i < y.size(); ++i) power += std::pow(noisy[i] - y[i], 2);
  const double deviation = std::sqrt(power / static_cast<double>(y.size()));
  CHECK(deviation > 0);
  CHECK(deviation < 0.037);
}
