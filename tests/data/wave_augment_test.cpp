#include "serene/data/wave_augment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "serene/audio/fft.h"
#include "serene/audio/noise.h"
#include "serene/audio/wave.h"
#include "serene/data/feature_augment.h"
#include "serene/data/feature_cache.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

constexpr int kRate = 16000;

WaveAugmentConfig everything() {
  WaveAugmentConfig c;
  c.noise_probability = c.reverberation_probability = c.telephone_probability = c.pitch_probability = 0.5;
  c.packet_loss_high = 0.2;
  c.gain_db = 6;
  return c;
}

std::vector<float> tone(double hz, double seconds = 1) {
  std::vector<float> y(static_cast<std::size_t>(seconds * kRate));
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = static_cast<float>(0.3 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / kRate));
  }
  return y;
}

// Mean power of a spectrum from low_hz to high_hz, over the first 8192 samples from `begin`.
double band_power(const std::vector<float>& y, std::size_t begin, double low_hz, double high_hz) {
  constexpr Index kSize = 8192;
  const RealFft<double> fft(kSize);
  std::vector<double> x(kSize), power(static_cast<std::size_t>(fft.bins()));
  std::vector<double> scratch(static_cast<std::size_t>(fft.scratch_size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double window = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(i) / kSize);
    x[i] = window * static_cast<double>(y[begin + i]);
  }
  fft.power(x.data(), power.data(), scratch.data());
  double sum = 0;
  for (std::size_t k = 0; k < power.size(); ++k) {
    const double hz = static_cast<double>(k) * kRate / kSize;
    if (hz >= low_hz && hz < high_hz) sum += power[k];
  }
  return sum;
}

WaveStore store_of(std::size_t clips, const FeatureConfig& features) {
  WaveStore store;
  store.features = features;
  for (std::size_t i = 0; i < clips; ++i) store.clips.push_back(sound(i + 1, 1.0 + 0.05 * static_cast<double>(i)));
  return store;
}

std::vector<std::size_t> first(std::size_t n) {
  std::vector<std::size_t> places(n);
  for (std::size_t i = 0; i < n; ++i) places[i] = i;
  return places;
}

bool same(const FeatureMatrix& a, const FeatureMatrix& b) {
  return a.frames == b.frames && a.values.size() == b.values.size() &&
         std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(float)) == 0;
}

std::string problem(const std::string& json) {
  const Json section = parse_json(json, "c.json");
  return error_of([&] { feature_augment_from_json(JsonReader(section, "data.augment")); });
}

}  // namespace

TEST_CASE("wave augmentation: a draw is a function of seed, epoch and clip, and keeps its ranges and shares") {
  WaveAugmentConfig c = everything();
  c.probability = 0.8;
  constexpr int n = 4000;
  double pitch = 0, room = 0, noise = 0, line = 0, kinds[3] = {};
  for (std::size_t i = 0; i < n; ++i) {
    const WaveDraw d = draw_wave(c, 7, 3, i);
    const bool in_range = std::abs(d.semitones) <= 2.07 && d.rt60_s >= 0.2 && d.rt60_s <= 0.8 && d.snr_db >= 5 &&
                          d.snr_db <= 30 && std::abs(d.gain_db) <= 6 && d.packet_loss >= 0 && d.packet_loss <= 0.2;
    CHECK(in_range);
    pitch += d.pitch, room += d.reverberation, noise += d.noise, line += d.telephone;
    kinds[static_cast<std::size_t>(d.noise_kind)] += 1;
    CHECK(draw_wave(c, 7, 3, i).seed == d.seed);
  }
  for (const double share : {pitch / n, room / n, noise / n, line / n})
    CHECK(share == doctest::Approx(0.4).epsilon(0.08));
  for (const double kind : kinds) CHECK(kind / n == doctest::Approx(1.0 / 3).epsilon(0.1));
  CHECK(draw_wave(c, 7, 3, 1).seed != draw_wave(c, 8, 3, 1).seed);
  CHECK(draw_wave(c, 7, 3, 1).seed != draw_wave(c, 7, 4, 1).seed);
  CHECK_FALSE(WaveAugmentConfig{}.active());
  CHECK_FALSE(draw_wave({}, 1, 1, 1).changes());
  c.probability = 0;
  CHECK_FALSE(c.active());
  CHECK_FALSE(draw_wave(c, 1, 1, 1).changes());
}

TEST_CASE("wave augmentation: every change keeps the number of samples and never gives a NaN") {
  const std::vector<std::vector<float>> clips = {
      {}, {0.5f}, std::vector<float>(3000, 0.0f), tone(300, 0.05), tone(300)};
  WaveAugmentConfig all = everything();
  all.pitch_semitones = 12, all.rt60_high_s = 2;
  for (std::size_t i = 0; i < 40; ++i) {
    const WaveDraw draw = draw_wave(all, 1, 0, i);
    for (const auto& clip : clips) {
      for (const auto& voices : {std::vector<std::vector<float>>{}, {tone(200, 0.01), {1.0f}}}) {
        const std::vector<float> out = change_wave(clip, kRate, draw, voices);
        CHECK(out.size() == clip.size());
        CHECK(std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }));
        CHECK(out == change_wave(clip, kRate, draw, voices));
      }
    }
  }
  CHECK(change_wave(tone(300), kRate, {}) == tone(300));
}

TEST_CASE("wave augmentation: pitch moves a tone, level is in decibels, noise lies where it should") {
  WaveDraw up;
  up.pitch = true, up.semitones = 12;
  const auto octave = change_wave(tone(500), kRate, up);
  CHECK(band_power(octave, 4000, 950, 1050) > 100 * band_power(octave, 4000, 450, 550));
  WaveDraw louder;
  louder.gain_db = 6;
  CHECK(10 * std::log10(mean_power(change_wave(tone(500), kRate, louder)) / mean_power(tone(500))) ==
        doctest::Approx(6).epsilon(0.001));
  for (const NoiseKind kind : {NoiseKind::white, NoiseKind::pink, NoiseKind::babble}) {
    WaveDraw noisy;
    noisy.noise = true, noisy.noise_kind = kind, noisy.snr_db = 8, noisy.seed = 3;
    const auto clean = tone(500);
    auto added = change_wave(clean, kRate, noisy, {tone(200, 0.3), tone(330, 0.2)});
    for (std::size_t i = 0; i < added.size(); ++i) added[i] -= clean[i];
    CHECK(std::abs(10 * std::log10(active_power(clean, kRate) / mean_power(added)) - 8) < 0.1);
  }
}

TEST_CASE("wave augmentation: a telephone line cuts what lies above 3400 Hz and below 300 Hz") {
  for (const Codec codec : {Codec::mulaw, Codec::alaw}) {
    WaveDraw line;
    line.telephone = true, line.codec = codec;
    const auto in = white_noise(2 * kRate, 1, 0);
    std::vector<float> quiet(in.size());
    std::transform(in.begin(), in.end(), quiet.begin(), [](float v) { return 0.05f * v; });
    const auto out = change_wave(quiet, kRate, line);
    const double kept = band_power(out, 8000, 1000, 1500) / band_power(quiet, 8000, 1000, 1500);
    CHECK(10 * std::log10(kept) == doctest::Approx(0).epsilon(0.5));
    CHECK(band_power(out, 8000, 4100, 8000) < 1e-4 * band_power(quiet, 8000, 4100, 8000));
    CHECK(band_power(out, 8000, 3700, 4000) < 0.1 * band_power(quiet, 8000, 3700, 4000));
    CHECK(band_power(out, 8000, 0, 100) < 0.02 * band_power(quiet, 8000, 0, 100));
    // Lost packets leave silence.
    line.packet_loss = 0.3;
    const auto lossy = change_wave(quiet, kRate, line);
    const auto silent = std::count_if(lossy.begin(), lossy.end(), [](float v) { return std::abs(v) < 1e-3f; });
    CHECK(static_cast<double>(silent) > 0.15 * static_cast<double>(lossy.size()));
  }
}

TEST_CASE("wave augmentation: the overlay holds the features of the changed recordings, and only those") {
  WaveAugmentConfig config = everything();
  config.probability = 0.6;
  for (const char* preset : {"logmel-64", "mfcc-40", "kaggle-frames"}) {
    const FeatureConfig features = feature_preset(preset);
    const WaveStore store = store_of(12, features_of_used_part(features));
    const auto train = first(10);
    WaveAugment wave(config, store, train);
    ThreadPool pool(2);
    std::size_t changed = 0;
    for (const std::uint64_t epoch : {0, 1}) {
      wave.render_epoch(5, epoch, first(8), pool);
      for (std::size_t i = 0; i < 12; ++i) {
        const WaveDraw draw = draw_wave(config, 5, epoch, i);
        const FeatureMatrix* found = wave.overlay().find(i);
        CHECK((found != nullptr) == (i < 8 && draw.changes()));
        if (found == nullptr) continue;
        ++changed;
        FeatureMatrix expected;
        ThreadPool(1).run(1, [&](Index, int) { expected = extract_features(store.features, wave.changed(i, draw)); });
        CHECK(same(*found, expected));
        CHECK(found->frames <= wave.overlay().most_frames(i));
        CHECK_FALSE(same(*found, extract_features(store.features, wave.changed(i, {}))));
      }
    }
    CHECK(changed > 4);
    CHECK(wave.bytes() > store.bytes());
    CHECK(wave.overlay().most_frames(11) == 0);
  }
}

TEST_CASE("wave augmentation: the same bytes for any number of threads and after any other epoch") {
  const WaveStore store = store_of(16, features_of_used_part(feature_preset("logmel-64")));
  const auto clips = first(16);
  WaveAugment one(everything(), store, clips), more(everything(), store, clips);
  ThreadPool single(1), three(3);
  for (const std::uint64_t epoch : {4, 0, 2}) more.render_epoch(1, epoch, clips, three);
  one.render_epoch(1, 2, clips, single);
  std::size_t found = 0;
  for (const std::size_t i : clips) {
    const FeatureMatrix *a = one.overlay().find(i), *b = more.overlay().find(i);
    REQUIRE((a == nullptr) == (b == nullptr));
    if (a == nullptr) continue;
    CHECK(same(*a, *b));
    ++found;
  }
  CHECK(found > 8);
}

TEST_CASE("wave augmentation: most_frames is what features have of so many samples, and never less") {
  for (const char* preset : {"logmel-64", "mfcc-40", "kaggle-162", "kaggle-frames"}) {
    for (const bool center : {true, false}) {
      FeatureConfig c = features_of_used_part(feature_preset(preset));
      if (fixed_frames(c) == 0) c.center = center;
      for (const std::size_t n : {600u, 16000u, 16001u, 16159u, 16160u, 50000u}) {
        if (fixed_frames(c) > 0 && n < 16159) continue;  // ends before the layout's offset
        const Index frames = extract_features(c, white_noise(static_cast<Index>(n), 1, 0)).frames;
        CHECK(frames <= most_frames(c, static_cast<Index>(n)));
        if (center || fixed_frames(c) > 0) CHECK(frames == most_frames(c, static_cast<Index>(n)));
      }
    }
  }
}

TEST_CASE("wave store: what plain features are made of, from the cache or not, and errors that name the file") {
  TempFolder folder;
  Manifest manifest;
  manifest.name = "made-up", manifest.labels = {"happy"};
  for (std::size_t i = 0; i < 5; ++i) {
    auto samples = sound(i + 1, 0.4, 22050);
    samples.insert(samples.begin(), 6000, std::int16_t{0});  // silence to be trimmed
    const std::string path = folder / ("c" + std::to_string(i) + ".wav");
    write_wav(path, samples, 22050);
    Clip clip;
    clip.id = "c" + std::to_string(i), clip.path = path, clip.label = "happy";
    manifest.clips.push_back(clip);
  }
  const FeatureConfig features = feature_preset("logmel-64");
  ThreadPool pool(2);
  const std::string cache = folder / "cache";
  const FeatureSet plain = load_features(manifest, features, cache, pool);
  CHECK(plain.cache_dir == cache);
  const WaveStore fresh = load_waves(manifest, {}, features, true, cache, pool);
  const WaveStore cached = load_waves(manifest, {}, features, true, cache, pool);
  const WaveStore uncached = load_waves(manifest, {}, features, true, "off", pool);
  CHECK(fresh.clips == cached.clips);
  CHECK(fresh.clips == uncached.clips);
  std::vector<float> y;
  for (std::size_t i = 0; i < 5; ++i) {
    fresh.copy(i, y);
    const FeatureMatrix m = extract_features(fresh.features, y);
    CHECK(m.frames == plain.clips[i].frames);
    double worst = 0;
    for (std::size_t k = 0; k < m.values.size(); ++k) {
      if (plain.clips[i].values[k] > -55) {
        worst =
            std::max(worst, std::abs(static_cast<double>(m.values[k]) - static_cast<double>(plain.clips[i].values[k])));
      }
    }
    CHECK(worst < 0.2);  // decibels: the samples are rounded to 16 bit
  }
  const WaveStore whole = load_waves(manifest, {}, features, false, cache, pool);
  CHECK(whole.clips[0].size() > fresh.clips[0].size() + 4000);
  const std::size_t two[] = {1, 3};
  const WaveStore some = load_waves(manifest, two, features, true, cache, pool);
  CHECK(some.clips[0].empty());
  CHECK(some.clips[3] == fresh.clips[3]);
  CHECK(some.bytes() == 2 * (fresh.clips[1].size() + fresh.clips[3].size()));
  // Damaged entries are made anew.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(cache + "/waves")) {
    if (entry.is_regular_file()) write_bytes(entry.path().string(), "broken");
  }
  CHECK(load_waves(manifest, {}, features, true, cache, pool).clips == fresh.clips);
  std::filesystem::remove(manifest.clips[2].path);
  CHECK(has(error_of([&] { load_waves(manifest, {}, features, true, "off", pool); }), "c2.wav"));
  CHECK(has(error_of([&] { WaveAugment(everything(), some, first(5)); }), "no samples"));
}

TEST_CASE("wave augmentation: the section is read strictly and written whole") {
  CHECK(has(problem(R"({"wave": {"nois_probability": 1}})"), "data.augment.wave.nois_probability"));
  CHECK(has(problem(R"({"wave": 3})"), "data.augment.wave: wrong type"));
  CHECK(has(problem(R"({"wave": {"probability": 2}})"), "data.augment.wave.probability: out of range"));
  CHECK(has(problem(R"({"wave": {"noise_db": [0, 5]}})"),
            "data.augment.wave.noise_db: stands without noise_probability"));
  CHECK(has(problem(R"({"wave": {"pitch_semitones": 1}})"), "stands without pitch_probability"));
  CHECK(has(problem(R"({"wave": {"noise_probability": 1, "noise_db": [5, 0]}})"), "noise_db: not a range"));
  CHECK(has(problem(R"({"wave": {"noise_probability": 1, "noise_kinds": ["brown"]}})"), "noise_kinds: unknown kind"));
  CHECK(has(problem(R"({"wave": {"noise_probability": 1, "noise_kinds": []}})"), "noise_kinds: no kind"));
  CHECK(has(problem(R"({"wave": {"noise_probability": 1, "noise_kinds": ["pink", "pink"]}})"), "the same kind twice"));
  CHECK(has(problem(R"({"wave": {"reverberation_probability": 1, "rt60_seconds": [0, 1]}})"),
            "rt60_seconds: not a range"));
  CHECK(has(problem(R"({"wave": {"telephone_probability": 1, "packet_loss": [0, 0.9]}})"), "packet_loss: not a range"));
  CHECK(has(problem(R"({"wave": {"pitch_probability": 1, "pitch_semitones": 13}})"), "pitch_semitones: out of range"));
  const Json json =
      parse_json(R"({"wave": {"probability": 0.5, "noise_probability": 0.25, "noise_kinds": ["babble", "pink"],
    "noise_db": [0, 12], "reverberation_probability": 0.75, "rt60_seconds": [0.3, 1.5], "telephone_probability": 0.125,
    "packet_loss": [0.01, 0.1], "pitch_probability": 0.5, "pitch_semitones": 3, "gain_db": 4, "trim_first": false}})",
                 "c");
  const FeatureAugmentConfig config = feature_augment_from_json(JsonReader(json, ""));
  CHECK(to_json(config)["wave"] == json["wave"]);
  const Json written = to_json(config);
  CHECK(feature_augment_from_json(JsonReader(written, "")) == config);
  CHECK_FALSE(config.active());
  CHECK(config.wave.active());
  FeatureConfig slow = feature_preset("logmel-64");
  slow.rate_hz = 6000;
  CHECK(has(error_of([&] { check(config, slow); }), "data.augment.wave.telephone_probability"));
  check(config, feature_preset("kaggle-162"));  // any layout follows
}

TEST_CASE("wave augmentation: a draw in words") {
  WaveDraw d;
  CHECK(describe(d).empty());
  d.pitch = d.reverberation = d.noise = d.telephone = true;
  d.semitones = 1.5, d.rt60_s = 0.4, d.direct_to_reverberant_db = 3, d.noise_kind = NoiseKind::babble, d.snr_db = 10;
  d.gain_db = -3, d.packet_loss = 0.05;
  const auto words = describe(d);
  CHECK(words == std::vector<std::string>{"pitch +1.50 semitones",
                                          "room with a reverberation of 0.40 s, direct sound +3.0 dB over it",
                                          "babble noise, voice +10.0 dB over it", "level -3.0 dB",
                                          "telephone line, mu-law, 5.0 % of the packets lost"});
}
