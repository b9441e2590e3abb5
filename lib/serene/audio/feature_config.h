// Which features are computed from a clip, and how: the presets of model_strong, their settings, their JSON form.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "serene/audio/mel.h"
#include "serene/core/json.h"

namespace serene {

// mfcc, logmel: frames (T, F), computed as a stream. kaggle_*: the fixed-size inputs of the well-known notebooks.
// outside: frames (T, F) that another program computed; nothing here can make them of a recording.
enum class FeatureLayout { mfcc, logmel, kaggle_162, kaggle_2376, kaggle_frames, outside };

struct FeatureConfig {
  std::string preset = "mfcc-40";  // where the settings started from; a name only
  FeatureLayout layout = FeatureLayout::mfcc;
  int rate_hz = 16000;
  Index n_fft = 512;  // a power of two
  Index win_length = 400;
  Index hop_length = 160;
  std::string window = "hann";
  bool center = true;  // frames centred at t * hop, with zeros around the clip
  Index n_mels = 64;
  double fmin_hz = 0;
  std::optional<double> fmax_hz;  // none: rate / 2
  bool htk = false;
  Index n_mfcc = 40;
  double lifter = 0;
  int deltas = 0;  // 0: none, 1: and first derivatives, 2: and second (width 9); mfcc and logmel only
  double amin = 1e-10;
  // Decibels kept below the loudest value of the clip. With none, a frame depends on its own samples alone and the
  // features of a stream equal those of the file; mfcc-40 and logmel-64 therefore have none, unlike librosa's default
  // of 80.
  std::optional<double> top_db;
  double offset_s = 0;    // cut from the start
  double duration_s = 0;  // 0: to the end; kaggle layouts pad shorter clips with zeros to this length
  // Silence at both ends, this many decibels below the loudest frame, is cut from whole clips (frames of win_length and
  // hop_length, otherwise as librosa.effects.trim); a stream is never trimmed.
  std::optional<double> trim_top_db = 35;
  Index channels = 0;  // F of the layout outside, for which no other setting counts

  bool operator==(const FeatureConfig&) const = default;
};

// "kaggle-162", "kaggle-2376", "kaggle-frames", "mfcc-40" (the default) or "logmel-64"; throws Error otherwise.
FeatureConfig feature_preset(const std::string& name);
const std::vector<std::string>& feature_preset_names();

// Features of `channels` values a frame that another program computed.
FeatureConfig outside_features(Index channels);

// {"layout": "outside", "channels": F}, or {"preset": "mfcc-40", ...}: the preset's settings (mfcc-40 when absent) with every other key changed; calls finish().
// Unknown keys, wrong types and values out of range throw Error with the key's path.
FeatureConfig feature_config_from_json(JsonReader& reader);
// Every setting; feature_config_from_json gives the same config back.
Json to_json(const FeatureConfig& config);
// Throws Error when a value is out of range.
void check(const FeatureConfig& config);
// Throws Error(usage) for the layout outside: recordings cannot be heard with it.
void check_computable(const FeatureConfig& config);

// Channels of one frame (F), deltas included; 1 for kaggle-162 and kaggle-2376.
Index dimension(const FeatureConfig& config);
// Frames of every clip for layouts of a fixed size (162, 2376, 108), 0 where the clip decides.
Index fixed_frames(const FeatureConfig& config);
// True for mfcc and logmel without top_db: FeatureStream accepts the config.
bool streamable(const FeatureConfig& config);
// Canonical text of everything that decides the values, for cache keys (the preset's name is left out).
std::string fingerprint(const FeatureConfig& config);

// What the frames and filters of a feature configuration ask of stft.h and mel.h.
StftConfig stft_config(const FeatureConfig& config);
MelConfig mel_config(const FeatureConfig& config);

}  // namespace serene
