#include "serene/data/test_condition.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "serene/audio/features.h"
#include "serene/audio/noise.h"
#include "test_files.h"

using namespace serene;
using namespace serene::test;

namespace {

// Six recordings of three speakers and of two corpora, half a second of sound after some silence.
struct Recordings {
  TempFolder folder;
  ThreadPool pool{1};
  FeatureSet plain;

  explicit Recordings(int threads = 1, const char* preset = "logmel-64", bool one_speaker = false) : pool(threads) {
    Manifest manifest;
    manifest.name = "made-up", manifest.labels = {"happy"};
    for (std::size_t i = 0; i < 6; ++i) {
      auto samples = sound(i + 1, 0.5);
      samples.insert(samples.begin(), 4000, std::int16_t{0});
      Clip clip;
      clip.id = "c" + std::to_string(i), clip.path = folder / (clip.id + ".wav"), clip.label = "happy";
      clip.speaker = one_speaker ? "a" : std::string(1, static_cast<char>('a' + i / 2));
      clip.corpus = i < 4 ? "x" : "y";
      write_wav(clip.path, samples);
      manifest.clips.push_back(clip);
    }
    plain = load_features(manifest, feature_preset(preset), "off", pool);
  }
  std::vector<std::size_t> all() const {
    std::vector<std::size_t> places(plain.clips.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    return places;
  }
};

bool same(const FeatureSet& a, const FeatureSet& b) {
  return std::equal(a.clips.begin(), a.clips.end(), b.clips.begin(), b.clips.end(), [](const auto& x, const auto& y) {
    return x.frames == y.frames && x.values.size() == y.values.size() &&
           std::memcmp(x.values.data(), y.values.data(), x.values.size() * sizeof(float)) == 0;
  });
}

std::string problem(const std::string& text) {
  return error_of([&] { parse_condition(text); });
}

}  // namespace

TEST_CASE("conditions: written in any order, named in the order of the world") {
  CHECK(parse_condition("white:10").name == "white:10");
  CHECK(parse_condition("pink:-5.50").name == "pink:-5.5");
  CHECK(parse_condition("telephone+babble:5+room:0.5").name == "room:0.5+babble:5+telephone");
  CHECK(parse_condition("loss:0.02").name == "telephone+loss:0.02");
  CHECK(parse_condition("loss:0+telephone-band").name == "telephone-band+loss:0");
  CHECK(parse_condition("rate:8e3").name == "rate:8000");
  CHECK(parse_condition(parse_condition("rate:4000+white:3").name).name == "white:3+rate:4000");
  const WaveDraw line = parse_condition("telephone").draw;
  CHECK((line.telephone && !line.narrow_band && !line.noise && line.codec == Codec::mulaw && line.packet_loss == 0));
  CHECK(parse_condition("telephone-band+loss:0.1").draw.narrow_band);
  CHECK(describe(parse_condition("room:0.5+white:10+telephone")).size() == 3);
}

TEST_CASE("conditions: hostile texts are refused in one line that names them") {
  for (const char* text :
       {"", "+", "white", "white:", "white:nan", "white:inf", "white:1e999", "white:10dB", "white:-21", "white:101",
        "white:10+", "+white:10", "white:1++pink:2", "white:1+pink:2", "room:0", "room:-1", "room:6", "rate:999",
        "rate:1e9", "rate", "telephone:1", "telephone+telephone-band", "telephone+telephone", "loss:0.6", "loss:-0.1",
        "loss:0.1+loss:0.1", "room:1+room:1", "rate:8000+rate:8000", "White:10", " white:10", "white :10", "white:0x10",
        "brown:10", "white:10;rm", "\x01\xff", "white:10\n"}) {
    INFO(text);
    const std::string line = problem(text);
    CHECK(has(line, "condition \""));
    CHECK(line.find('\n') == std::string::npos);
    CHECK(line.find('\xff') == std::string::npos);
  }
  CHECK(has(problem("brown:10"), "white:DB, pink:DB"));
  CHECK(has(problem(std::string(100000, '+')), "too long"));
}

TEST_CASE("conditions: features that cannot show them") {
  Recordings r;
  const ChangedClips clips(r.plain, r.all(), r.pool);
  CHECK_THROWS_WITH_AS(clips.features(parse_condition("rate:16000"), r.pool), doctest::Contains("no higher"), Error);
  FeatureConfig slow = feature_preset("logmel-64");
  slow.rate_hz = 4000;
  CHECK_THROWS_WITH_AS(check(parse_condition("telephone"), slow), doctest::Contains("8000"), Error);
  check(parse_condition("white:0"), slow);
}

TEST_CASE("conditions: the same bytes for any threads, part of the clips or order; other ids hear other noise") {
  Recordings one, three(3);
  for (const char* text : {"white:5", "babble:0", "room:0.3+pink:10+telephone-band+loss:0.2", "rate:6000"}) {
    INFO(text);
    const TestCondition condition = parse_condition(text);
    const ChangedClips a(one.plain, one.all(), one.pool), b(three.plain, three.all(), three.pool);
    const FeatureSet changed = a.features(condition, one.pool);
    CHECK(same(changed, b.features(condition, three.pool)));
    CHECK(!same(changed, one.plain));
    CHECK(changed.manifest.clips == one.plain.manifest.clips);
    CHECK(changed.audio_hashes == one.plain.audio_hashes);
    std::vector<std::size_t> reversed = one.all();
    std::reverse(reversed.begin(), reversed.end());
    FeatureSet turned = ChangedClips(one.plain, reversed, one.pool).features(condition, one.pool);
    std::reverse(turned.clips.begin(), turned.clips.end());
    CHECK(same(changed, turned));
  }
  // Noise belongs to the clip: at another level it is the same, scaled.
  const ChangedClips clips(one.plain, one.all(), one.pool);
  const auto loud = clips.wave(0, parse_condition("white:0")), soft = clips.wave(0, parse_condition("white:20"));
  const auto other = clips.wave(1, parse_condition("white:0"));
  for (std::size_t i = 0; i < 4000; i += 7) {  // the silence before the voice
    CHECK(loud[i] == doctest::Approx(10 * static_cast<double>(soft[i])).epsilon(1e-4));
  }
  CHECK(loud[5] != doctest::Approx(other[5]));
}

TEST_CASE("conditions: noise of the asked level, a band that ends where it should") {
  Recordings r;
  const ChangedClips clips(r.plain, r.all(), r.pool);
  for (const char* kind : {"white", "pink", "babble"}) {
    INFO(kind);
    const auto noisy = clips.wave(2, parse_condition(std::string(kind) + ":10"));
    const auto clean = clips.wave(2, parse_condition(std::string(kind) + ":100"));
    std::vector<float> noise(noisy.size());
    for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = noisy[i] - clean[i];
    CHECK(10 * std::log10(active_power(clean, 16000) / mean_power(noise)) == doctest::Approx(10).epsilon(0.01));
  }
  const FeatureSet narrow = clips.features(parse_condition("rate:4000"), r.pool);
  const FeatureSet plain = r.plain;
  const auto top_band = [](const FeatureSet& set) { return set.clips[0].row(set.clips[0].frames / 2)[63]; };
  CHECK(top_band(narrow) < top_band(plain) - 1);
}

TEST_CASE("conditions: babble is of other speakers of the same corpus alone, and without any is made") {
  Recordings r;
  const TestCondition babble = parse_condition("babble:0");
  const auto of = [&](const FeatureSet& set, const std::vector<std::size_t>& places) {
    return ChangedClips(set, places, r.pool).wave(0, babble);
  };
  const auto full = of(r.plain, r.all());
  CHECK(of(r.plain, {0, 1, 2, 3}) == full);   // the other corpus is not heard
  CHECK(of(r.plain, {0, 2, 3}) == full);      // nor the clip's own speaker
  CHECK(of(r.plain, {0, 1, 2}) != full);      // but the others are
  const auto made = of(r.plain, {0, 1, 4, 5});  // nobody else speaks
  CHECK(made != full);
  CHECK(std::all_of(made.begin(), made.end(), [](float v) { return std::isfinite(v); }));
  CHECK(made == of(r.plain, {0}));
}
