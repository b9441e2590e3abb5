// What may happen to a recording's samples before its features are computed: another pitch, a room, noise, another
// level, a telephone line. A draw is a pure function of (config, seed, epoch, clip), and the changed samples one of
// (samples, draw).
//
// In the order of the world: the voice (pitch), the room around it (reverberation), what else sounds there (noise), the
// microphone (level), the line (telephone). The number of samples stays.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serene/audio/feature_config.h"
#include "serene/audio/telephone.h"
#include "serene/core/json.h"

namespace serene {

enum class NoiseKind { white, pink, babble };

// The section data.augment.wave of a run config. The defaults change nothing. "± x" is uniform in [-x, x].
struct WaveAugmentConfig {
  double probability = 1;        // that a recording is changed at all
  double noise_probability = 0;  // that noise is added
  std::vector<NoiseKind> noise_kinds = {NoiseKind::white, NoiseKind::pink, NoiseKind::babble};  // each as likely
  double noise_low_db = 5, noise_high_db = 30;  // active level of the voice over the noise, uniform
  double reverberation_probability = 0;         // that it sounds in a room
  double rt60_low_s = 0.2, rt60_high_s = 0.8;   // log-uniform
  double telephone_probability = 0;             // that it comes over a line: 8 kHz, 300 to 3400 Hz, mu-law or A-law
  double packet_loss_low = 0, packet_loss_high = 0;  // share of lost packets on such a line, uniform
  double pitch_probability = 0;                      // that its pitch is shifted
  double pitch_semitones = 2;                        // ±
  double gain_db = 0;                                // ± level
  // The clip is trimmed first, as its plain features are, and changed afterwards. Otherwise the features of the changed
  // recording decide what is silence, as they will for a noisy recording later: less of it than without the noise.
  bool trim_first = true;

  // Whether anything is ever changed.
  bool active() const noexcept;
  bool operator==(const WaveAugmentConfig&) const = default;
};

// Reads the section and calls finish(); unknown keys, wrong types and values out of range throw Error with the key's
// path.
WaveAugmentConfig wave_augment_from_json(JsonReader reader);
Json to_json(const WaveAugmentConfig& config);

// Throws Error(usage) that names the key when features of this kind cannot follow: a telephone line needs a rate of at
// least 8 kHz.
void check(const WaveAugmentConfig& config, const FeatureConfig& features);

// What happens to one clip in one epoch.
struct WaveDraw {
  std::uint64_t seed = 0;  // of what is drawn sample by sample
  bool pitch = false, reverberation = false, noise = false, telephone = false;
  double semitones = 0, rt60_s = 0, direct_to_reverberant_db = 0, snr_db = 0, gain_db = 0, packet_loss = 0;
  NoiseKind noise_kind = NoiseKind::white;
  Codec codec = Codec::mulaw;
  bool narrow_band = true;  // the telephone line keeps 300 to 3400 Hz alone
  double band_rate_hz = 0;  // sampled at this rate and back, before the line, where that is less; 0: not

  // Whether the recording differs from the one on disk.
  bool changes() const noexcept {
    return pitch || reverberation || noise || telephone || gain_db != 0 || band_rate_hz > 0;
  }
};

// What one clip goes through in one epoch: a function of its arguments alone. Thread-safe.
WaveDraw draw_wave(const WaveAugmentConfig& config, std::uint64_t seed, std::uint64_t epoch, std::size_t clip) noexcept;

// The changed recording: as many samples, all finite when they were. voices: recordings of other people for babble,
// none of them empty; without any, babble is noise that swells and fades like syllables. Nothing is clipped but on the
// telephone, whose codes end at full scale. Throws Error(usage) for a room or rate out of range.
std::vector<float> change_wave(std::span<const float> samples, int rate_hz, const WaveDraw& draw,
                               const std::vector<std::vector<float>>& voices = {});

// As in a config.
std::string to_string(NoiseKind kind);
// In words, one phrase a change: "pitch +1.4 semitones".
std::vector<std::string> describe(const WaveDraw& draw);

}  // namespace serene
