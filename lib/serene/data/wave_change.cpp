#include "serene/data/wave_change.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "serene/audio/noise.h"
#include "serene/audio/phase_vocoder.h"
#include "serene/audio/reverberation.h"
#include "serene/core/random.h"

namespace serene {
namespace {

const std::vector<std::string> kKinds = {"white", "pink", "babble"};
constexpr int kLineRate_hz = 8000;
constexpr double kMeanBurst = 2;  // packets lost in a row
// From a voice across a hall to one close to the microphone.
constexpr double kDirectLow_db = -3, kDirectHigh_db = 12;

void read_range(JsonReader& r, const std::string& key, double least, double most, double& low, double& high) {
  if (!r.has(key)) return;
  const std::vector<double> ends = r.numbers(key);
  if (ends.size() != 2 || !(ends[0] >= least && ends[0] <= ends[1] && ends[1] <= most)) {
    throw r.error(key, "not a range").expected("[low, high] within " + Json(least).dump() + " to " + Json(most).dump());
  }
  low = ends[0], high = ends[1];
}

void read_kinds(JsonReader& r, std::vector<NoiseKind>& kinds) {
  if (!r.has("noise_kinds")) return;
  const std::vector<std::string> names = r.texts("noise_kinds");
  kinds.clear();
  for (const std::string& name : names) {
    const auto known = std::find(kKinds.begin(), kKinds.end(), name);
    const auto kind = static_cast<NoiseKind>(known - kKinds.begin());
    if (known == kKinds.end() || std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) {
      throw r.error("noise_kinds", known == kKinds.end() ? "unknown kind" : "the same kind twice")
          .expected("white, pink, babble")
          .got("\"" + printable(name, 40) + "\"");
    }
    kinds.push_back(kind);
  }
  if (kinds.empty()) throw r.error("noise_kinds", "no kind").expected("white, pink, babble");
}

// A key that means nothing without the probability beside it.
void need_beside(const JsonReader& r, const std::string& key, const std::string& probability) {
  if (!r.has(key) || r.has(probability)) return;
  throw r.error(key, "stands without " + probability).expected(probability + ", from 0 to 1");
}

std::vector<float> over_line(std::span<const float> samples, int rate_hz, const WaveDraw& draw) {
  TelephoneConfig line;
  line.codec = draw.codec;
  line.band_pass = draw.narrow_band;
  line.loss = draw.packet_loss;
  line.burst = std::max(kMeanBurst, line.loss / (1 - line.loss));
  line.seed = draw.seed;
  const auto narrow = resample(samples, rate_hz, kLineRate_hz, ResampleQuality::medium);
  const LineAudio heard = over_telephone(narrow, kLineRate_hz, line, 0);
  return resample(heard.samples, kLineRate_hz, rate_hz, ResampleQuality::medium);
}

std::vector<float> noise_of(const WaveDraw& draw, Index samples, int rate_hz,
                            const std::vector<std::vector<float>>& voices) {
  switch (draw.noise_kind) {
    case NoiseKind::white:
      return white_noise(samples, draw.seed, 0);
    case NoiseKind::pink:
      return pink_noise(samples, rate_hz, draw.seed, 0);
    case NoiseKind::babble:
      break;
  }
  return voices.empty() ? syllabic_noise(samples, rate_hz, draw.seed, 0) : babble_noise(samples, voices, draw.seed, 0);
}

// About 64 ms, four transforms over each sample: long enough to part the harmonics of a low voice.
StftConfig pitch_transform(int rate_hz) {
  StftConfig c;
  c.n_fft = 256;
  while (c.n_fft * 16 < rate_hz) c.n_fft *= 2;
  c.hop_length = c.n_fft / 4;
  return c;
}

// The nearest shift whose ratio of frequencies has the denominator 128: resampling by small numbers is fast.
double whole_ratio(double semitones) {
  constexpr double kParts = 128;
  return -12 * std::log2(std::round(kParts * std::exp2(-semitones / 12)) / kParts);
}

std::string phrase(const char* format, double value) {
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), format, value);
  return text.data();
}

}  // namespace

bool WaveAugmentConfig::active() const noexcept {
  return probability > 0 && (noise_probability > 0 || reverberation_probability > 0 || telephone_probability > 0 ||
                             pitch_probability > 0 || gain_db > 0);
}

WaveAugmentConfig wave_augment_from_json(JsonReader r) {
  WaveAugmentConfig c;
  need_beside(r, "noise_db", "noise_probability");
  need_beside(r, "noise_kinds", "noise_probability");
  need_beside(r, "rt60_seconds", "reverberation_probability");
  need_beside(r, "packet_loss", "telephone_probability");
  need_beside(r, "pitch_semitones", "pitch_probability");
  c.probability = r.number_in("probability", 0, 1, c.probability);
  c.noise_probability = r.number_in("noise_probability", 0, 1, c.noise_probability);
  read_kinds(r, c.noise_kinds);
  read_range(r, "noise_db", -20, 100, c.noise_low_db, c.noise_high_db);
  c.reverberation_probability = r.number_in("reverberation_probability", 0, 1, c.reverberation_probability);
  read_range(r, "rt60_seconds", 0.02, 5, c.rt60_low_s, c.rt60_high_s);
  c.telephone_probability = r.number_in("telephone_probability", 0, 1, c.telephone_probability);
  read_range(r, "packet_loss", 0, 0.5, c.packet_loss_low, c.packet_loss_high);
  c.pitch_probability = r.number_in("pitch_probability", 0, 1, c.pitch_probability);
  c.pitch_semitones = r.number_in("pitch_semitones", 0, 12, c.pitch_semitones);
  c.gain_db = r.number_in("gain_db", 0, 60, c.gain_db);
  c.trim_first = r.boolean("trim_first", c.trim_first);
  r.finish();
  return c;
}

Json to_json(const WaveAugmentConfig& c) {
  Json kinds = Json::array();
  for (const NoiseKind kind : c.noise_kinds) kinds.push_back(to_string(kind));
  return {{"probability", c.probability},
          {"noise_probability", c.noise_probability},
          {"noise_kinds", kinds},
          {"noise_db", {c.noise_low_db, c.noise_high_db}},
          {"reverberation_probability", c.reverberation_probability},
          {"rt60_seconds", {c.rt60_low_s, c.rt60_high_s}},
          {"telephone_probability", c.telephone_probability},
          {"packet_loss", {c.packet_loss_low, c.packet_loss_high}},
          {"pitch_probability", c.pitch_probability},
          {"pitch_semitones", c.pitch_semitones},
          {"gain_db", c.gain_db},
          {"trim_first", c.trim_first}};
}

void check(const WaveAugmentConfig& c, const FeatureConfig& features) {
  if (c.active() && features.layout == FeatureLayout::outside) {
    throw Error(ErrorCode::usage, "data.augment.wave", "changes recordings, and the features come from outside")
        .hint("leave the section out");
  }
  if (!c.active() || c.telephone_probability <= 0 || features.rate_hz >= kLineRate_hz) return;
  throw Error(ErrorCode::usage, "data.augment.wave.telephone_probability", "the features' rate is below the line's")
      .expected("features.rate_hz of at least 8000")
      .got(std::to_string(features.rate_hz));
}

WaveDraw draw_wave(const WaveAugmentConfig& c, std::uint64_t seed, std::uint64_t epoch, std::size_t clip) noexcept {
  Random random(seed, Purpose::wave, epoch, clip);
  WaveDraw d;
  d.seed = (std::uint64_t{random.bits()} << 32) | random.bits();
  // Everything is drawn, whether it is used or not: a changed probability leaves the other draws as they were.
  const bool applied = random.uniform() < c.probability;
  d.pitch = random.uniform() < c.pitch_probability && applied;
  d.semitones = whole_ratio(random.uniform(-c.pitch_semitones, c.pitch_semitones));
  d.reverberation = random.uniform() < c.reverberation_probability && applied;
  d.rt60_s = std::clamp(c.rt60_low_s * std::exp(random.uniform() * std::log(c.rt60_high_s / c.rt60_low_s)),
                        c.rt60_low_s, c.rt60_high_s);
  d.direct_to_reverberant_db = random.uniform(kDirectLow_db, kDirectHigh_db);
  d.noise = random.uniform() < c.noise_probability && applied;
  const double kind = random.uniform() * static_cast<double>(c.noise_kinds.size());
  if (!c.noise_kinds.empty()) d.noise_kind = c.noise_kinds[static_cast<std::size_t>(kind)];
  d.snr_db = random.uniform(c.noise_low_db, c.noise_high_db);
  d.gain_db = random.uniform(-c.gain_db, c.gain_db) * (applied ? 1 : 0);
  d.telephone = random.uniform() < c.telephone_probability && applied;
  d.codec = random.uniform() < 0.5 ? Codec::mulaw : Codec::alaw;
  d.packet_loss = random.uniform(c.packet_loss_low, c.packet_loss_high);
  return d;
}

std::vector<float> change_wave(std::span<const float> samples, int rate_hz, const WaveDraw& draw,
                               const std::vector<std::vector<float>>& voices) {
  std::vector<float> y(samples.begin(), samples.end());
  if (y.empty()) return y;
  if (draw.pitch && draw.semitones != 0) {
    y = pitch_shift(std::span<const float>(y), rate_hz, draw.semitones, 12, pitch_transform(rate_hz),
                    ResampleQuality::medium);
  }
  if (draw.reverberation) {
    const Room room{draw.rt60_s, draw.direct_to_reverberant_db};
    y = reverberate(y, rate_hz, room, Random(draw.seed, Purpose::wave));
  }
  if (draw.noise) add_noise(y, noise_of(draw, static_cast<Index>(y.size()), rate_hz, voices), rate_hz, draw.snr_db);
  if (draw.gain_db != 0) {
    const double gain = std::pow(10, draw.gain_db / 20);
    for (float& v : y) v = static_cast<float>(gain * static_cast<double>(v));
  }
  if (draw.band_rate_hz > 0 && draw.band_rate_hz < rate_hz) {
    y = resample(resample(y, rate_hz, draw.band_rate_hz), draw.band_rate_hz, rate_hz);
  }
  if (draw.telephone) y = over_line(y, rate_hz, draw);
  y.resize(samples.size(), 0.0f);
  return y;
}

std::string to_string(NoiseKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::vector<std::string> describe(const WaveDraw& d) {
  std::vector<std::string> words;
  if (d.pitch) words.push_back(phrase("pitch %+.2f semitones", d.semitones));
  if (d.reverberation) {
    words.push_back(phrase("room with a reverberation of %.2f s", d.rt60_s) +
                    phrase(", direct sound %+.1f dB over it", d.direct_to_reverberant_db));
  }
  if (d.noise) words.push_back(to_string(d.noise_kind) + phrase(" noise, voice %+.1f dB over it", d.snr_db));
  if (d.gain_db != 0) words.push_back(phrase("level %+.1f dB", d.gain_db));
  if (d.band_rate_hz > 0) words.push_back(phrase("sampled at %g Hz", d.band_rate_hz));
  if (d.telephone) {
    const std::string band = d.narrow_band ? "telephone line, " : "telephone line without its band-pass, ";
    words.push_back(band + (d.codec == Codec::mulaw ? "mu-law" : "A-law") +
                    (d.packet_loss > 0 ? phrase(", %.1f %% of the packets lost", 100 * d.packet_loss) : ""));
  }
  return words;
}

}  // namespace serene
