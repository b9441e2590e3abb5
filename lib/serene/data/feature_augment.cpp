#include "serene/data/feature_augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "serene/audio/mfcc.h"
#include "serene/core/vector_math.h"

namespace serene {
namespace {

constexpr double kNepersPerDb = std::numbers::ln10 / 10;  // of power
// Rooms and lines carry more low than high noise: difference between its highest and lowest band.
constexpr double kNoiseTiltLow = -18, kNoiseTiltHigh = 6;
// Ends of a telephone line's band vary about 300 and 3400 Hz. The code's own noise fills what the line takes away.
constexpr double kLineLowHz[] = {200, 400}, kLineHighHz[] = {3200, 3600}, kLineDepthDb[] = {20, 45};

// Decibels that a line takes at f: Butterworth, of order 4 below its band and 8 above, as audio/telephone.h.
double line_loss_db(double f, double low_hz, double high_hz) {
  const double below = std::pow(low_hz / std::max(f, 1.0), 8), above = std::pow(f / high_hz, 16);
  return 10 * std::log10((1 + below) * (1 + above));
}

void read_range(JsonReader& r, const std::string& key, double least, double most, double& low, double& high) {
  if (!r.has(key)) return;
  const std::vector<double> ends = r.numbers(key);
  if (ends.size() != 2 || !(ends[0] >= least && ends[0] <= ends[1] && ends[1] <= most)) {
    throw r.error(key, "not a range").expected("[low, high] within " + Json(least).dump() + " to " + Json(most).dump());
  }
  low = ends[0], high = ends[1];
}

[[noreturn]] void refuse(const std::string& key, const std::string& problem, const std::string& expected) {
  throw Error(ErrorCode::usage, "data.augment" + key, problem).expected(expected);
}

// From -1/2 at the lowest band to 1/2 at the highest.
double place_of_band(Index band, Index bands) {
  return bands > 1 ? static_cast<double>(band) / static_cast<double>(bands - 1) - 0.5 : 0;
}

}  // namespace

bool FeatureAugmentConfig::active() const noexcept {
  return probability > 0 &&
         (tempo_low != 1 || tempo_high != 1 || mel_shift > 0 || gain_db > 0 || tilt_db > 0 || noise_probability > 0 ||
          join_probability > 0 || telephone_probability > 0 || time_masks > 0 || frequency_masks > 0);
}

FeatureAugmentConfig feature_augment_from_json(JsonReader r) {
  FeatureAugmentConfig c;
  c.probability = r.number_in("probability", 0, 1, c.probability);
  read_range(r, "tempo", 0.25, 4, c.tempo_low, c.tempo_high);
  c.mel_shift = r.number_in("mel_shift", 0, 1024, c.mel_shift);
  c.gain_db = r.number_in("gain_db", 0, 60, c.gain_db);
  c.tilt_db = r.number_in("tilt_db", 0, 60, c.tilt_db);
  if (r.has("noise_db") && !r.has("noise_probability")) {
    throw r.error("noise_db", "stands without noise_probability").expected("noise_probability, from 0 to 1");
  }
  c.noise_probability = r.number_in("noise_probability", 0, 1, c.noise_probability);
  read_range(r, "noise_db", -20, 100, c.noise_low_db, c.noise_high_db);
  c.join_probability = r.number_in("join_probability", 0, 1, c.join_probability);
  c.telephone_probability = r.number_in("telephone_probability", 0, 1, c.telephone_probability);
  c.time_masks = r.integer_in("time_masks", 0, 100, c.time_masks);
  c.time_mask_frames = r.integer_in("time_mask_frames", 0, 1000000, c.time_mask_frames);
  c.frequency_masks = r.integer_in("frequency_masks", 0, 100, c.frequency_masks);
  c.frequency_mask_channels = r.integer_in("frequency_mask_channels", 0, 1024, c.frequency_mask_channels);
  if (r.has("wave")) c.wave = wave_augment_from_json(r.object("wave"));
  r.finish();
  return c;
}

Json to_json(const FeatureAugmentConfig& c) {
  return {{"probability", c.probability},
          {"tempo", {c.tempo_low, c.tempo_high}},
          {"mel_shift", c.mel_shift},
          {"gain_db", c.gain_db},
          {"tilt_db", c.tilt_db},
          {"noise_probability", c.noise_probability},
          {"noise_db", {c.noise_low_db, c.noise_high_db}},
          {"join_probability", c.join_probability},
          {"telephone_probability", c.telephone_probability},
          {"time_masks", c.time_masks},
          {"time_mask_frames", c.time_mask_frames},
          {"frequency_masks", c.frequency_masks},
          {"frequency_mask_channels", c.frequency_mask_channels},
          {"wave", to_json(c.wave)}};
}

void check(const FeatureAugmentConfig& c, const FeatureConfig& features) {
  check(c.wave, features);
  if (!c.active()) return;
  const bool mfcc = features.layout == FeatureLayout::mfcc, logmel = features.layout == FeatureLayout::logmel;
  const bool outside = features.layout == FeatureLayout::outside;
  if (outside && c.gain_db > 0)
    refuse(".gain_db", "needs features that serene knows", "features.layout mfcc or logmel");
  if (!mfcc && !logmel && !outside)
    refuse("", "the kaggle layouts have no frames to augment", "features.layout mfcc or logmel");
  if (features.deltas != 0) refuse("", "derivatives cannot be augmented", "features.deltas 0");
  if (logmel) return;
  const std::pair<const char*, double> bands_only[] = {{".mel_shift", c.mel_shift},
                                                       {".tilt_db", c.tilt_db},
                                                       {".noise_probability", c.noise_probability},
                                                       {".telephone_probability", c.telephone_probability}};
  for (const auto& [key, amount] : bands_only) {
    if (amount > 0) refuse(key, "needs mel bands", "features.layout logmel");
  }
}

FeatureAugment::FeatureAugment(const FeatureAugmentConfig& config, const FeatureConfig& features, Index dim)
    : config_(config), dim_(dim), logmel_(features.layout == FeatureLayout::logmel), floor_power_(features.amin) {
  check(config, features);
  if (!config.active()) return;
  if (dim < 1 || dim > kMostChannels) refuse("", "too many channels", "1 to " + std::to_string(kMostChannels));
  // The same decibels on every band reach coefficient 0 of the orthonormal transform alone, times its lifter.
  const double lifter =
      features.lifter > 0 ? 1 + features.lifter / 2 * std::sin(std::numbers::pi / features.lifter) : 1;
  first_per_db_ = std::sqrt(static_cast<double>(features.n_mels)) * lifter;
  const double low = hz_to_mel(features.fmin_hz, features.htk);
  const double high = hz_to_mel(features.fmax_hz.value_or(features.rate_hz / 2.0), features.htk);
  for (Index band = 0; band < dim; ++band) {
    const double place = static_cast<double>(band + 1) / static_cast<double>(dim + 1);
    band_hz_.push_back(mel_to_hz(low + place * (high - low), features.htk));
  }
}

FeatureAugment::Draw FeatureAugment::draw(std::uint64_t seed, std::uint64_t epoch, std::size_t clip) const noexcept {
  const FeatureAugmentConfig& c = config_;
  Draw d{.random = Random(seed, Purpose::augment, epoch, clip)};
  Random& random = d.random;
  d.applied = random.uniform() < c.probability;
  const double tempo = c.tempo_low * std::exp(random.uniform() * std::log(c.tempo_high / c.tempo_low));
  d.tempo = std::clamp(tempo, c.tempo_low, c.tempo_high);
  d.shift = random.uniform(-c.mel_shift, c.mel_shift);
  d.gain_db = random.uniform(-c.gain_db, c.gain_db);
  d.tilt_db = random.uniform(-c.tilt_db, c.tilt_db);
  d.noisy = random.uniform() < c.noise_probability;
  d.snr_db = random.uniform(c.noise_low_db, c.noise_high_db);
  d.noise_tilt_db = random.uniform(kNoiseTiltLow, kNoiseTiltHigh);
  d.telephone = random.uniform() < c.telephone_probability;
  d.line_low_hz = random.uniform(kLineLowHz[0], kLineLowHz[1]);
  d.line_high_hz = random.uniform(kLineHighHz[0], kLineHighHz[1]);
  d.line_depth_db = random.uniform(kLineDepthDb[0], kLineDepthDb[1]);
  return d;
}

Index FeatureAugment::frames(Index clip_frames, const Draw& draw) noexcept {
  if (!draw.applied) return clip_frames;
  return warped_frames(clip_frames, draw.tempo);
}

Index FeatureAugment::most_frames(Index clip_frames) const noexcept {
  Draw slowest{.random = Random(0, Purpose::augment)};
  slowest.applied = active();
  slowest.tempo = std::min(1.0, config_.tempo_low);
  return frames(clip_frames, slowest);
}

template <class S>
void FeatureAugment::render(const FeatureMatrix& clip, const Normalizer& normalizer, const Draw& given, Index first,
                            Index count, S* out) const noexcept {
  Draw draw = given;
  if (!draw.applied) draw.tempo = 1, draw.shift = 0;
  warp_rows(clip, frames(clip.frames, draw), draw.shift, first, count, out);
  if (draw.applied) add_level(draw, count, out);
  if (draw.applied && draw.noisy) add_noise(draw, count, out);
  const float* const mean = normalizer.mean.data();
  const float* const scale = normalizer.scale.data();
  S* row = out;
  for (Index t = 0; t < count; ++t, row += dim_) {
    for (Index c = 0; c < dim_; ++c) row[c] = (row[c] - static_cast<S>(mean[c])) * static_cast<S>(scale[c]);
  }
  if (draw.applied) mask(draw, count, out);
}

// Level, tilt and line are added decibels; nothing falls below the floor of the features.
template <class S>
void FeatureAugment::add_level(const Draw& draw, Index count, S* out) const noexcept {
  if (!logmel_) {
    const S change = static_cast<S>(draw.gain_db * first_per_db_);
    for (Index t = 0; t < count; ++t) out[t * dim_] += change;
    return;
  }
  if (draw.gain_db == 0 && draw.tilt_db == 0 && !draw.telephone) return;
  std::array<S, kMostChannels> change;
  for (Index c = 0; c < dim_; ++c) {
    const double f = band_hz_[static_cast<std::size_t>(c)];
    const double line =
        draw.telephone ? std::min(draw.line_depth_db, line_loss_db(f, draw.line_low_hz, draw.line_high_hz)) : 0;
    change[static_cast<std::size_t>(c)] = static_cast<S>(draw.gain_db + draw.tilt_db * place_of_band(c, dim_) - line);
  }
  const S floor = static_cast<S>(10 * std::log10(floor_power_));
  for (Index t = 0; t < count; ++t, out += dim_) {
    for (Index c = 0; c < dim_; ++c) out[c] = std::max(floor, out[c] + change[static_cast<std::size_t>(c)]);
  }
}

// Adds powers. Each cell of the noise is chi-square distributed with four degrees of freedom (-ln(u v) / 2 of two
// uniform numbers), as the power of a band of Gaussian noise roughly is.
template <class S>
void FeatureAugment::add_noise(Draw& draw, Index count, S* out) const noexcept {
  const Index cells = count * dim_;
  for (Index i = 0; i < cells; ++i) out[i] *= static_cast<S>(kNepersPerDb);
  vec_exp(cells, out, out);
  double power = 0, weights = 0;
  for (Index i = 0; i < cells; ++i) power += static_cast<double>(out[i]);
  for (Index c = 0; c < dim_; ++c) weights += std::exp(kNepersPerDb * draw.noise_tilt_db * place_of_band(c, dim_));
  const double mean_noise = power / static_cast<double>(cells) * std::exp(-kNepersPerDb * draw.snr_db);
  std::array<S, kMostChannels> noise, per_db;
  for (Index c = 0; c < dim_; ++c) {
    const double weight = std::exp(kNepersPerDb * draw.noise_tilt_db * place_of_band(c, dim_));
    per_db[static_cast<std::size_t>(c)] =
        static_cast<S>(-kNepersPerDb / 2 * mean_noise * weight * static_cast<double>(dim_) / weights);
  }
  const S half = static_cast<S>(0.5), unit = static_cast<S>(1.0 / 65536);
  for (Index t = 0; t < count; ++t, out += dim_) {
    for (Index c = 0; c < dim_; ++c) {
      const std::uint32_t bits = draw.random.bits();
      const S u = (static_cast<S>(bits & 0xffff) + half) * unit, v = (static_cast<S>(bits >> 16) + half) * unit;
      noise[static_cast<std::size_t>(c)] = u * v;
    }
    power_to_db_row<S>(noise.data(), noise.data(), dim_, static_cast<S>(1e-12));
    for (Index c = 0; c < dim_; ++c) {
      out[c] += per_db[static_cast<std::size_t>(c)] * noise[static_cast<std::size_t>(c)];
    }
    power_to_db_row<S>(out, out, dim_, static_cast<S>(floor_power_));
  }
}

template <class S>
void FeatureAugment::mask(Draw& draw, Index count, S* out) const noexcept {
  const auto pick = [&](Index most) {
    return static_cast<Index>(draw.random.below(static_cast<std::uint64_t>(most) + 1));
  };
  for (std::int64_t m = 0; m < config_.time_masks; ++m) {
    const Index width = pick(std::min<Index>(config_.time_mask_frames, count / 5)), start = pick(count - width);
    std::fill_n(out + start * dim_, width * dim_, S(0));
  }
  for (std::int64_t m = 0; m < config_.frequency_masks; ++m) {
    const Index width = pick(std::min<Index>(config_.frequency_mask_channels, dim_)), start = pick(dim_ - width);
    for (Index t = 0; t < count; ++t) std::fill_n(out + t * dim_ + start, width, S(0));
  }
}

template void FeatureAugment::render(const FeatureMatrix&, const Normalizer&, const Draw&, Index, Index,
                                     float*) const noexcept;
template void FeatureAugment::render(const FeatureMatrix&, const Normalizer&, const Draw&, Index, Index,
                                     double*) const noexcept;

}  // namespace serene
