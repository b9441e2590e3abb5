// Voice activity on sounds whose truth is known: noises are never speech; clips of actors are, clean and noisy.
#include "serene/audio/voice_activity.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "serene/audio/g711.h"
#include "serene/audio/resample.h"
#include "serene/audio/wave.h"
#include "serene/core/error.h"
#include "serene/core/random.h"

using namespace serene;

namespace {

std::vector<float> white(double seconds, int rate, double level, std::uint64_t seed = 1) {
  Random random(seed, Purpose::test, 4);
  std::vector<float> y(static_cast<std::size_t>(seconds * rate));
  for (float& v : y) v = static_cast<float>(level * random.normal());
  return y;
}

// Falls by 3 dB an octave: the sum of white noises held for 1, 2, 4, ... samples (Voss).
std::vector<float> pink(double seconds, int rate, double level) {
  Random random(2, Purpose::test, 4);
  std::vector<float> y(static_cast<std::size_t>(seconds * rate));
  double held[12] = {};
  for (std::size_t i = 0; i < y.size(); ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < 12; ++k) {
      if (i % (std::size_t{1} << k) == 0) held[k] = random.normal();
      sum += held[k];
    }
    y[i] = static_cast<float>(level * sum / std::sqrt(12.0));
  }
  return y;
}

std::vector<float> tone(double seconds, int rate, double level, double hz) {
  std::vector<float> y(static_cast<std::size_t>(seconds * rate));
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = static_cast<float>(level * std::sin(2 * M_PI * hz * static_cast<double>(i) / rate));
  }
  return y;
}

std::vector<bool> decisions(std::span<const float> y, int rate, const VoiceActivityConfig& config = {}) {
  VoiceActivity voice(rate, config);
  const auto block = static_cast<std::size_t>(voice.block());
  std::vector<bool> out;
  for (std::size_t i = 0; i + block <= y.size(); i += block) out.push_back(voice.push(y.subspan(i, block)));
  return out;
}

double share(const std::vector<bool>& d) {
  return d.empty() ? 0 : static_cast<double>(std::count(d.begin(), d.end(), true)) / static_cast<double>(d.size());
}

// At most `count` clips of the RAVDESS, evenly spread over the sorted names.
std::vector<std::string> real_clips(std::size_t count) {
  namespace fs = std::filesystem;
  std::vector<std::string> roots;
  if (const char* set = std::getenv("SERENE_DATA")) roots.push_back(set);
  roots.push_back(std::string(SERENE_SOURCE_DIR) + "/../shared/data");
  roots.push_back(std::string(SERENE_SOURCE_DIR) + "/data");
  std::vector<std::string> all, chosen;
  for (const std::string& root : roots) {
    std::error_code fault;
    if (!all.empty() || !fs::is_directory(root + "/ravdess", fault)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root + "/ravdess")) {
      const std::string extension = entry.path().extension().string();
      if (extension == ".wav" || extension == ".flac") all.push_back(entry.path().string());
    }
  }
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < count && !all.empty(); ++i) chosen.push_back(all[i * all.size() / count]);
  return chosen;
}

// Blocks within 30 dB of the clip's loudest, and those farther than half a second from any such block.
struct Truth {
  std::vector<bool> speech, silence;
};

Truth truth_of(std::span<const float> y, std::size_t block) {
  std::vector<double> db;
  for (std::size_t i = 0; i + block <= y.size(); i += block) {
    double energy = 1e-12;
    for (const float v : y.subspan(i, block)) energy += static_cast<double>(v) * static_cast<double>(v);
    db.push_back(10 * std::log10(energy / static_cast<double>(block)));
  }
  const double loudest = *std::max_element(db.begin(), db.end());
  Truth t{std::vector<bool>(db.size()), std::vector<bool>(db.size(), true)};
  for (std::size_t i = 0; i < db.size(); ++i) {
    t.speech[i] = db[i] > loudest - 30;
    if (!t.speech[i] && db[i] < loudest - 45) continue;
    for (std::size_t k = i < 25 ? 0 : i - 25; k < std::min(db.size(), i + 26); ++k) t.silence[k] = false;
  }
  return t;
}

struct Rates {
  double hits = 0, speech = 0, alarms = 0, silence = 0;
  double hit() const { return hits / std::max(speech, 1.0); }
  double alarm() const { return alarms / std::max(silence, 1.0); }
};

std::vector<float> mu_law(std::vector<float> y) {
  for (float& v : y) {
    const auto sample = static_cast<std::int16_t>(std::lround(std::clamp(v, -1.0f, 0.9999f) * 32767));
    v = static_cast<float>(mu_law_decode(mu_law_encode(sample))) / 32768.0f;
  }
  return y;
}

// A clip between two seconds and one second of silence, with noise at an SNR (of the clip's loudest half), at two
// bands.
void measure(const std::string& path, double snr_db, bool telephone, Rates& rates) {
  std::vector<float> clip = load_mono(path, 16000);
  clip.insert(clip.begin(), 32000, 0.0f);
  clip.insert(clip.end(), 16000, 0.0f);
  const Truth truth = truth_of(clip, 320);
  double energy = 0, count = 0;
  for (std::size_t i = 0; i < truth.speech.size(); ++i) {
    for (std::size_t k = 320 * i; truth.speech[i] && k < 320 * (i + 1); ++k, ++count) {
      energy += static_cast<double>(clip[k]) * static_cast<double>(clip[k]);
    }
  }
  const double level = snr_db > 90 ? 1e-5 : std::sqrt(energy / count) * std::pow(10, -snr_db / 20);
  const std::vector<float> noise = white(static_cast<double>(clip.size()) / 16000, 16000, level, clip.size());
  for (std::size_t i = 0; i < noise.size(); ++i) clip[i] += noise[i];
  const std::vector<bool> got =
      telephone ? decisions(mu_law(resample(clip, 16000, 8000)), 8000) : decisions(clip, 16000);
  for (std::size_t i = 0; i < std::min(got.size(), truth.speech.size()); ++i) {
    rates.speech += truth.speech[i], rates.hits += truth.speech[i] && got[i];
    rates.silence += truth.silence[i], rates.alarms += truth.silence[i] && got[i];
  }
}

}  // namespace

TEST_CASE("voice activity: steady noises, hum, direct current and silence are not speech") {
  for (const int rate : {8000, 16000, 44100, 48000}) {
    CAPTURE(rate);
    for (const double level : {0.001, 0.03, 0.3}) {
      CAPTURE(level);
      CHECK(share(decisions(white(20, rate, level), rate)) == 0);
      CHECK(share(decisions(pink(20, rate, level), rate)) == 0);
      CHECK(share(decisions(tone(20, rate, level, 50), rate)) == 0);
      CHECK(share(decisions(std::vector<float>(static_cast<std::size_t>(rate) * 5, static_cast<float>(level)), rate)) ==
            0);
    }
    CHECK(share(decisions(std::vector<float>(static_cast<std::size_t>(rate) * 5, 0.0f), rate)) == 0);
    // Noise that begins all at once after digital silence.
    std::vector<float> sudden(static_cast<std::size_t>(rate) * 5, 0.0f);
    const auto noise = white(20, rate, 0.05);
    sudden.insert(sudden.end(), noise.begin(), noise.end());
    CHECK(share(decisions(sudden, rate)) < 0.02);
  }
}

TEST_CASE("voice activity: onset, hangover and lost blocks") {
  std::vector<float> y = white(1, 8000, 1e-4);
  std::vector<float> buzz(8000, 0.0f);  // a pulse train: all harmonics of 125 Hz
  for (std::size_t i = 0; i < buzz.size(); i += 64) buzz[i] = 0.9f;
  y.insert(y.end(), buzz.begin(), buzz.end());
  const auto after = white(1, 8000, 1e-4);
  y.insert(y.end(), after.begin(), after.end());
  VoiceActivity voice(8000);
  std::vector<bool> got;
  Index onset = -1, hangover = -1;
  for (std::size_t i = 0; i + 160 <= y.size(); i += 160) {
    const bool before = !got.empty() && got.back();
    got.push_back(voice.push(std::span(y).subspan(i, 160)));
    if (got.back() && !before) onset = voice.onset_blocks();
    if (!got.back() && before) hangover = voice.hangover_blocks();
  }
  const auto first = std::find(got.begin(), got.end(), true) - got.begin();
  const auto last = got.rend() - std::find(got.rbegin(), got.rend(), true);
  CHECK(first - onset >= 49);
  CHECK(first - onset <= 53);
  CHECK(hangover == 15);
  CHECK(last - hangover >= 99);
  CHECK(last - hangover <= 104);
  // Lost blocks run the hangover down and leave the floor alone.
  VoiceActivity gaps(8000);
  for (std::size_t i = 0; i + 160 <= 14000; i += 160) gaps.push(std::span(y).subspan(i, 160));
  const double floor = gaps.noise_floor_dbfs();
  int speech = 0;
  for (int i = 0; i < 40; ++i) speech += gaps.skip() ? 1 : 0;
  CHECK(speech == 15);
  CHECK(gaps.noise_floor_dbfs() == floor);
}

TEST_CASE("voice activity: levels are those of the band, at every rate") {
  for (const int rate : {8000, 16000, 44100, 48000, 96000}) {
    VoiceActivity voice(rate);
    const auto y = tone(1, rate, 0.1, 1000);
    for (std::size_t i = 0; i + static_cast<std::size_t>(voice.block()) <= y.size();
         i += static_cast<std::size_t>(voice.block())) {
      voice.push(std::span(y).subspan(i, static_cast<std::size_t>(voice.block())));
    }
    CHECK(voice.level_dbfs() == doctest::Approx(-23).epsilon(0.02));
  }
  for (const int rate : {0, 7999, 8001, 192050, -1}) CHECK_THROWS_AS(VoiceActivity(rate, {}), Error);
}

TEST_CASE("voice activity: the config goes through JSON, and what cannot be is refused") {
  VoiceActivityConfig config;
  config.threshold_db = 7;
  config.hangover_ms = 200;
  const Json json = to_json(config);
  JsonReader reader(json, "voice_activity");
  const VoiceActivityConfig back = voice_activity_from_json(reader);
  CHECK(to_json(back) == json);
  for (const char* text : {R"({"threshold_db": 0})", R"({"onset_ms": "long"})", R"({"hang_over": 1})"}) {
    const Json bad = parse_json(text, "");
    JsonReader r(bad, "voice_activity");
    CHECK_THROWS_AS(voice_activity_from_json(r), Error);
  }
}

TEST_CASE("voice activity: clips of actors, clean and in white noise, wide-band and over the telephone") {
  const std::vector<std::string> clips = real_clips(48);
  if (clips.empty()) {
    MESSAGE("no clips of the RAVDESS here (SERENE_DATA)");
    return;
  }
  struct Case {
    double snr_db, least_hit;
  };
  for (const bool telephone : {false, true}) {
    for (const Case c : {Case{99, 0.9}, Case{20, 0.85}, Case{10, 0.7}}) {
      Rates rates;
      for (const std::string& clip : clips) measure(clip, c.snr_db, telephone, rates);
      const std::string what = std::string(telephone ? "8 kHz mu-law, " : "16 kHz, ") +
                               (c.snr_db > 90 ? "clean" : std::to_string(static_cast<int>(c.snr_db)) + " dB");
      MESSAGE(what << ": hits " << rates.hit() << " of " << rates.speech << " blocks, false alarms " << rates.alarm()
                   << " of " << rates.silence);
      CHECK(rates.hit() > c.least_hit);
      CHECK(rates.alarm() < 0.1);
    }
  }
}
