#include "augment_examples.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "serene/audio/wave.h"
#include "serene/data/wave_store.h"

namespace serene::cli {
namespace {

std::string phrase(const char* format, double a, double b = 0) {
  std::array<char, 120> text{};
  std::snprintf(text.data(), text.size(), format, a, b);
  return text.data();
}

// In words what a draw does to features.
std::vector<std::string> describe_features(const FeatureAugmentConfig& c, const FeatureAugment::Draw& d) {
  std::vector<std::string> words;
  if (!c.active() || !d.applied) return words;
  if (d.tempo != 1) words.push_back(phrase("tempo × %.2f", d.tempo));
  if (d.shift != 0) words.push_back(phrase("spectrum shifted by %+.1f bands", d.shift));
  if (d.gain_db != 0) words.push_back(phrase("level %+.1f dB", d.gain_db));
  if (d.tilt_db != 0) words.push_back(phrase("tilt %+.1f dB from the lowest to the highest band", d.tilt_db));
  if (d.telephone) words.push_back(phrase("telephone band, %.0f to %.0f Hz", d.line_low_hz, d.line_high_hz));
  if (d.noisy) words.push_back(phrase("noise, voice %+.1f dB over it, tilt %+.1f dB", d.snr_db, d.noise_tilt_db));
  if (c.time_masks > 0) {
    words.push_back(phrase("%.0f time masks of up to %.0f frames", static_cast<double>(c.time_masks),
                           static_cast<double>(c.time_mask_frames)));
  }
  if (c.frequency_masks > 0) {
    words.push_back(phrase("%.0f frequency masks of up to %.0f channels", static_cast<double>(c.frequency_masks),
                           static_cast<double>(c.frequency_mask_channels)));
  }
  return words;
}

struct Variant {
  std::string name;
  FeatureAugmentConfig augment;
};

// One config for each change of the recording that `all` turns on, which then always happens, alone.
void add_wave_variants(const WaveAugmentConfig& all, std::vector<Variant>& variants) {
  if (!(all.probability > 0)) return;
  const auto add = [&](const std::string& name, double amount, auto&& turn_on) {
    if (!(amount > 0)) return;
    Variant v{name, {}};
    v.augment.wave = all;
    WaveAugmentConfig& w = v.augment.wave;
    w.probability = 1;
    w.noise_probability = w.reverberation_probability = w.telephone_probability = w.pitch_probability = w.gain_db = 0;
    turn_on(w);
    variants.push_back(std::move(v));
  };
  add("pitch", all.pitch_probability, [](WaveAugmentConfig& w) { w.pitch_probability = 1; });
  add("room", all.reverberation_probability, [](WaveAugmentConfig& w) { w.reverberation_probability = 1; });
  for (const NoiseKind kind : all.noise_kinds) {
    add(to_string(kind) + "-noise", all.noise_probability, [&](WaveAugmentConfig& w) {
      w.noise_probability = 1;
      w.noise_kinds = {kind};
    });
  }
  add("level", all.gain_db, [&](WaveAugmentConfig& w) { w.gain_db = all.gain_db; });
  add("telephone", all.telephone_probability, [](WaveAugmentConfig& w) { w.telephone_probability = 1; });
}

// The same for the changes of features.
void add_feature_variants(const FeatureAugmentConfig& all, std::vector<Variant>& variants) {
  if (!(all.probability > 0)) return;
  const auto add = [&](const std::string& name, bool on, auto&& turn_on) {
    if (!on) return;
    Variant v{name, {}};
    v.augment.wave.trim_first = all.wave.trim_first;
    turn_on(v.augment);
    variants.push_back(std::move(v));
  };
  using Config = FeatureAugmentConfig;
  add("tempo", all.tempo_low != 1 || all.tempo_high != 1,
      [&](Config& c) { c.tempo_low = all.tempo_low, c.tempo_high = all.tempo_high; });
  add("mel-shift", all.mel_shift > 0, [&](Config& c) { c.mel_shift = all.mel_shift; });
  add("feature-level", all.gain_db > 0, [&](Config& c) { c.gain_db = all.gain_db; });
  add("tilt", all.tilt_db > 0, [&](Config& c) { c.tilt_db = all.tilt_db; });
  add("feature-noise", all.noise_probability > 0, [&](Config& c) {
    c.noise_probability = 1;
    c.noise_low_db = all.noise_low_db, c.noise_high_db = all.noise_high_db;
  });
  add("telephone-band", all.telephone_probability > 0, [](Config& c) { c.telephone_probability = 1; });
  add("time-masks", all.time_masks > 0,
      [&](Config& c) { c.time_masks = all.time_masks, c.time_mask_frames = all.time_mask_frames; });
  add("frequency-masks", all.frequency_masks > 0, [&](Config& c) {
    c.frequency_masks = all.frequency_masks, c.frequency_mask_channels = all.frequency_mask_channels;
  });
}

std::vector<Variant> variants_of(const AugmentRecipe& recipe) {
  std::vector<Variant> variants;
  if (recipe.each) {
    add_wave_variants(recipe.augment.wave, variants);
    add_feature_variants(recipe.augment, variants);
  } else if (recipe.augment.active() || recipe.augment.wave.active()) {
    for (int i = 1; i <= recipe.copies; ++i) variants.push_back({std::to_string(i), recipe.augment});
  }
  if (variants.empty()) {
    throw Error(ErrorCode::usage, "data.augment", "nothing is turned on")
        .hint("leave the config out to see every kind of change");
  }
  return variants;
}

// Mean of each channel, so that a masked cell shows as nothing special.
Normalizer centre_of(const FeatureMatrix& m) {
  Normalizer n;
  n.scale.assign(static_cast<std::size_t>(m.dim), 1.0f);
  for (Index c = 0; c < m.dim; ++c) {
    double sum = 0;
    for (Index t = 0; t < m.frames; ++t) sum += static_cast<double>(m.row(t)[c]);
    n.mean.push_back(static_cast<float>(sum / static_cast<double>(m.frames)));
  }
  return n;
}

FeatureMatrix changed_features(const FeatureAugment& augment, const FeatureAugment::Draw& draw,
                               const FeatureMatrix& features, const Normalizer& centre) {
  if (!augment.active()) return features;
  FeatureMatrix out(FeatureAugment::frames(features.frames, draw), features.dim);
  augment.render(features, centre, draw, 0, out.frames, out.values.data());
  for (Index t = 0; t < out.frames; ++t) {
    for (Index c = 0; c < out.dim; ++c) out.row(t)[c] += centre.mean[static_cast<std::size_t>(c)];
  }
  return out;
}

}  // namespace

FeatureAugmentConfig demonstration(const FeatureConfig& features) {
  FeatureAugmentConfig c;
  const bool logmel = features.layout == FeatureLayout::logmel;
  if (features.deltas == 0 && (logmel || features.layout == FeatureLayout::mfcc)) {
    c.tempo_low = 0.8, c.tempo_high = 1.25;
    if (logmel) c.mel_shift = 3, c.tilt_db = 6;
    c.time_masks = c.frequency_masks = 2;
  }
  WaveAugmentConfig& w = c.wave;
  w.noise_probability = w.reverberation_probability = w.telephone_probability = w.pitch_probability = 0.5;
  w.noise_high_db = 20;
  w.packet_loss_high = 0.1;
  w.pitch_semitones = 3, w.gain_db = 6;
  return c;
}

std::vector<float> read_recording(const AugmentRecipe& recipe, const std::string& path) {
  const std::vector<float> mono = load_mono(path, recipe.features.rate_hz);
  if (!recipe.augment.wave.trim_first) return mono;
  return with_context(path, [&] { return used_part(recipe.features, mono); });
}

std::vector<Example> make_examples(const AugmentRecipe& recipe, const std::vector<float>& recording, std::size_t clip,
                                   const std::vector<std::vector<float>>& voices) {
  const std::vector<Variant> variants = variants_of(recipe);
  FeatureExtractor extractor(recipe.augment.wave.trim_first ? features_of_used_part(recipe.features) : recipe.features);
  std::vector<Example> examples = {{"plain", {}, {}, recording, extractor.extract(recording)}};
  const Normalizer centre = centre_of(examples[0].features);
  std::uint64_t number = 0;
  for (const Variant& v : variants) {
    const WaveDraw wave = draw_wave(v.augment.wave, recipe.seed, number, clip);
    const FeatureAugment augment(v.augment, recipe.features, dimension(recipe.features));
    const FeatureAugment::Draw draw = augment.draw(recipe.seed, number, clip);
    Example e;
    e.name = v.name;
    e.heard = describe(wave);
    e.seen = describe_features(v.augment, draw);
    e.samples = change_wave(recording, recipe.features.rate_hz, wave, voices);
    e.features = changed_features(augment, draw, extractor.extract(e.samples), centre);
    examples.push_back(std::move(e));
    ++number;
  }
  return examples;
}

}  // namespace serene::cli
