#include "serene/audio/feature_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "serene/audio/window.h"

namespace serene {
namespace {

// Grows when the same config gives other values than before, so that old caches are left alone.
constexpr int kFeatureVersion = 1;

constexpr std::array<std::pair<FeatureLayout, const char*>, 5> kLayouts{
    {{FeatureLayout::mfcc, "mfcc"},
     {FeatureLayout::logmel, "logmel"},
     {FeatureLayout::kaggle_162, "kaggle-162"},
     {FeatureLayout::kaggle_2376, "kaggle-2376"},
     {FeatureLayout::kaggle_frames, "kaggle-frames"}}};

const char* layout_name(FeatureLayout layout) {
  for (const auto& [value, name] : kLayouts) {
    if (value == layout) return name;
  }
  return "mfcc";
}

bool is_kaggle(FeatureLayout layout) {
  return layout == FeatureLayout::kaggle_162 || layout == FeatureLayout::kaggle_2376 ||
         layout == FeatureLayout::kaggle_frames;
}

constexpr const char* kOutside = "outside";
constexpr Index kMostChannels = 65536;

// A number within [low, high], or null for none.
std::optional<double> optional_number(JsonReader& reader, const std::string& key, double low, double high,
                                      std::optional<double> fallback) {
  if (!reader.has(key)) return fallback;
  if (reader.raw(key).is_null()) return std::nullopt;
  return reader.number_in(key, low, high, 0);
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

FeatureConfig kaggle_preset(const std::string& name, FeatureLayout layout) {
  FeatureConfig c;
  c.preset = name;
  c.layout = layout;
  c.rate_hz = 22050;
  c.n_fft = c.win_length = 2048;
  c.hop_length = 512;
  c.n_mels = 128;
  c.n_mfcc = 20;
  c.top_db = 80;
  c.offset_s = 0.6;
  c.duration_s = 2.5;
  c.trim_top_db.reset();
  return c;
}

// Frames of a clip of the config's fixed duration.
Index clip_frames(const FeatureConfig& c) {
  const Index samples = static_cast<Index>(std::llround(c.duration_s * c.rate_hz));
  return c.center ? 1 + samples / c.hop_length : 1 + std::max<Index>(0, samples - c.n_fft) / c.hop_length;
}

}  // namespace

const std::vector<std::string>& feature_preset_names() {
  static const std::vector<std::string> names{"mfcc-40", "logmel-64", "kaggle-162", "kaggle-2376", "kaggle-frames"};
  return names;
}

FeatureConfig feature_preset(const std::string& name) {
  if (name == "mfcc-40") return {};
  if (name == "kaggle-162") return kaggle_preset(name, FeatureLayout::kaggle_162);
  if (name == "kaggle-2376") return kaggle_preset(name, FeatureLayout::kaggle_2376);
  if (name == "kaggle-frames") return kaggle_preset(name, FeatureLayout::kaggle_frames);
  if (name == "logmel-64") {
    FeatureConfig c;
    c.preset = name;
    c.layout = FeatureLayout::logmel;
    return c;
  }
  throw Error(ErrorCode::usage, "preset", "unknown feature preset")
      .expected("mfcc-40, logmel-64, kaggle-162, kaggle-2376 or kaggle-frames")
      .got(printable(name));
}

FeatureConfig outside_features(Index channels) {
  FeatureConfig c;
  c.preset = kOutside;
  c.layout = FeatureLayout::outside;
  c.channels = channels;
  return c;
}

FeatureConfig feature_config_from_json(JsonReader& r) {
  if (r.has("layout") && r.raw("layout") == kOutside) {
    const FeatureConfig outside = outside_features(r.integer_in("channels", 1, kMostChannels));
    r.finish();
    return outside;
  }
  FeatureConfig c = feature_preset(r.choice("preset", feature_preset_names(), "mfcc-40"));
  std::vector<std::string> layouts;
  for (const auto& entry : kLayouts) layouts.emplace_back(entry.second);
  const std::string layout = r.choice("layout", layouts, layout_name(c.layout));
  for (const auto& [value, name] : kLayouts) {
    if (layout == name) c.layout = value;
  }
  c.rate_hz = static_cast<int>(r.integer_in("rate_hz", 1000, 192000, c.rate_hz));
  c.n_fft = r.integer_in("n_fft", 32, 65536, c.n_fft);
  c.win_length = r.integer_in("win_length", 1, 65536, std::min(c.win_length, c.n_fft));
  c.hop_length = r.integer_in("hop_length", 1, 65536, c.hop_length);
  c.window = r.choice("window", window_names(), c.window);
  c.center = r.boolean("center", c.center);
  c.n_mels = r.integer_in("n_mels", 1, 1024, c.n_mels);
  c.fmin_hz = r.number_in("fmin_hz", 0, 96000, c.fmin_hz);
  c.fmax_hz = optional_number(r, "fmax_hz", 1, 96000, c.fmax_hz);
  c.htk = r.boolean("htk", c.htk);
  c.n_mfcc = r.integer_in("n_mfcc", 1, 1024, c.n_mfcc);
  c.lifter = r.number_in("lifter", 0, 10000, c.lifter);
  c.deltas = static_cast<int>(r.integer_in("deltas", 0, 2, c.deltas));
  c.amin = r.number_in("amin", 1e-30, 1, c.amin);
  c.top_db = optional_number(r, "top_db", 0, 1000, c.top_db);
  c.offset_s = r.number_in("offset_s", 0, 1e6, c.offset_s);
  c.duration_s = r.number_in("duration_s", 0, 1e6, c.duration_s);
  c.trim_top_db = optional_number(r, "trim_top_db", 1, 1000, c.trim_top_db);
  r.finish();
  try {
    check(c);
  } catch (const Error& e) {
    throw r.error(e.where(), e.problem());  // the key's place within this object
  }
  return c;
}

Json to_json(const FeatureConfig& c) {
  if (c.layout == FeatureLayout::outside) return {{"layout", kOutside}, {"channels", c.channels}};
  return {{"preset", c.preset},
          {"layout", layout_name(c.layout)},
          {"rate_hz", c.rate_hz},
          {"n_fft", c.n_fft},
          {"win_length", c.win_length},
          {"hop_length", c.hop_length},
          {"window", c.window},
          {"center", c.center},
          {"n_mels", c.n_mels},
          {"fmin_hz", c.fmin_hz},
          {"fmax_hz", or_null(c.fmax_hz)},
          {"htk", c.htk},
          {"n_mfcc", c.n_mfcc},
          {"lifter", c.lifter},
          {"deltas", c.deltas},
          {"amin", c.amin},
          {"top_db", or_null(c.top_db)},
          {"offset_s", c.offset_s},
          {"duration_s", c.duration_s},
          {"trim_top_db", or_null(c.trim_top_db)}};
}

void check(const FeatureConfig& c) {
  const auto fail = [](const char* key, const std::string& problem) { throw Error(ErrorCode::input, key, problem); };
  if (c.layout == FeatureLayout::outside && (c.channels < 1 || c.channels > kMostChannels)) {
    fail("channels", "must be from 1 to 65536");
  }
  if (c.rate_hz < 1000 || c.rate_hz > 192000) fail("rate_hz", "must be from 1000 to 192000");
  if (c.n_fft < 32 || c.n_fft > 65536 || (c.n_fft & (c.n_fft - 1)) != 0) {
    fail("n_fft", "must be a power of two from 32 to 65536");
  }
  if (c.win_length < 1 || c.win_length > c.n_fft) fail("win_length", "must be from 1 to n_fft");
  if (c.hop_length < 1 || c.hop_length > c.n_fft) fail("hop_length", "must be from 1 to n_fft");
  if (c.n_mels < 1 || c.n_mels > 1024) fail("n_mels", "must be from 1 to 1024");
  if (c.n_mfcc < 1 || (c.n_mfcc > c.n_mels && c.layout != FeatureLayout::logmel)) {
    fail("n_mfcc", "must be from 1 to n_mels");
  }
  const double fmax = c.fmax_hz.value_or(c.rate_hz / 2.0);
  if (!(c.fmin_hz >= 0) || !(fmax > c.fmin_hz) || !(fmax <= c.rate_hz / 2.0)) {
    fail("fmax_hz", "frequencies must be 0 <= fmin_hz < fmax_hz <= rate_hz / 2");
  }
  if (!(c.amin >= 1e-30 && c.amin <= 1)) fail("amin", "must be from 1e-30 to 1");
  if (!(c.lifter >= 0 && c.lifter <= 10000)) fail("lifter", "must be from 0 to 10000");
  if (c.top_db && !(*c.top_db >= 0)) fail("top_db", "must be 0 or more, or null");
  if (c.trim_top_db && !(*c.trim_top_db > 0)) fail("trim_top_db", "must be above 0, or null");
  if (!(c.offset_s >= 0) || !(c.duration_s >= 0)) fail("offset_s", "offset_s and duration_s must be 0 or more");
  if (c.deltas < 0 || c.deltas > 2) fail("deltas", "must be 0, 1 or 2");
  make_window(c.window, 4);
  if (is_kaggle(c.layout)) {
    if (!(c.duration_s > 0 && c.duration_s <= 3600)) fail("duration_s", "this layout needs 0 < duration_s <= 3600");
    if (c.deltas != 0) fail("deltas", "this layout has none");
    if (c.trim_top_db) fail("trim_top_db", "this layout is of a fixed length: use null");
    if (!c.center) fail("center", "this layout has centred frames");
  }
}

void check_computable(const FeatureConfig& c) {
  if (c.layout != FeatureLayout::outside) return;
  throw Error(ErrorCode::usage, "features", "come from outside serene: recordings cannot be heard with them")
      .hint("give features, such as serene predict --features FILE");
}

Index dimension(const FeatureConfig& c) {
  switch (c.layout) {
    case FeatureLayout::mfcc:
      return c.n_mfcc * (1 + c.deltas);
    case FeatureLayout::logmel:
      return c.n_mels * (1 + c.deltas);
    case FeatureLayout::kaggle_frames:
      return 2 + c.n_mfcc;
    case FeatureLayout::outside:
      return c.channels;
    case FeatureLayout::kaggle_162:
    case FeatureLayout::kaggle_2376:
      break;
  }
  return 1;
}

Index fixed_frames(const FeatureConfig& c) {
  switch (c.layout) {
    case FeatureLayout::kaggle_frames:
      return clip_frames(c);
    case FeatureLayout::kaggle_162:
      return 1 + 12 + c.n_mfcc + 1 + c.n_mels;
    case FeatureLayout::kaggle_2376:
      return clip_frames(c) * (2 + c.n_mfcc);
    case FeatureLayout::mfcc:
    case FeatureLayout::logmel:
    case FeatureLayout::outside:
      break;
  }
  return 0;
}

bool streamable(const FeatureConfig& c) {
  return (c.layout == FeatureLayout::mfcc || c.layout == FeatureLayout::logmel) && !c.top_db;
}

std::string fingerprint(const FeatureConfig& c) {
  Json json = to_json(c);
  json.erase("preset");
  return "serene-features-" + std::to_string(kFeatureVersion) + " " + json.dump();
}

StftConfig stft_config(const FeatureConfig& c) {
  StftConfig s;
  s.n_fft = c.n_fft;
  s.hop_length = c.hop_length;
  s.win_length = c.win_length;
  s.window = c.window;
  s.center = c.center;
  return s;
}

MelConfig mel_config(const FeatureConfig& c) {
  MelConfig m;
  m.rate_hz = c.rate_hz;
  m.n_fft = c.n_fft;
  m.n_mels = c.n_mels;
  m.fmin = c.fmin_hz;
  m.fmax = c.fmax_hz;
  m.htk = c.htk;
  return m;
}

}  // namespace serene
