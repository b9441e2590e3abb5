#include "serene/audio/voice_activity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "serene/audio/fft.h"
#include "serene/audio/window.h"
#include "serene/core/error.h"

namespace serene {
namespace {

constexpr double kLowHz = 100, kHighHz = 3800;
constexpr double kBlockMs = 20;
constexpr double kWindowBlocks = 1.6;  // 32 ms: harmonics of a low voice are still apart
constexpr double kLeastDb = -120;
// Digital silence says little about the noise that comes with the next voice.
constexpr double kLeastFloorDb = -75;
constexpr double kFloorBiasDb = 2;  // the minimum of a steady noise lies below its mean
constexpr double kLevelSmoothing = 0.5;
constexpr double kSpectrumSmoothing = 0.5;
constexpr double kShareSmoothing = 0.01;
constexpr int kFloorParts = 8, kPartBlocks = 25;  // 4 s of history in steps of half a second

double decibels(double power) { return power > 1e-12 ? 10 * std::log10(power) : kLeastDb; }

int blocks_of(double ms) { return static_cast<int>(std::lround(ms / kBlockMs)); }

Index power_of_two(Index n) {
  Index size = 2;
  while (size < n) size *= 2;
  return size;
}

// Smallest smoothed level of the last four seconds.
class NoiseFloor {
 public:
  void add(double level_db) noexcept {
    smooth_ = started_ ? smooth_ + kLevelSmoothing * (level_db - smooth_) : level_db;
    if (!started_) parts_.fill(smooth_);
    started_ = true;
    parts_[part_] = std::min(parts_[part_], smooth_);
    if (++in_part_ < kPartBlocks) return;
    in_part_ = 0;
    part_ = (part_ + 1) % parts_.size();
    parts_[part_] = smooth_;
  }
  double decibels() const noexcept {
    if (!started_) return kLeastFloorDb;
    return std::max(*std::min_element(parts_.begin(), parts_.end()) + kFloorBiasDb, kLeastFloorDb);
  }

 private:
  std::array<double, kFloorParts> parts_{};
  std::size_t part_ = 0;
  int in_part_ = 0;
  double smooth_ = 0;
  bool started_ = false;
};

// Level, flatness and high-band energy of the last 32 ms.
class BlockSpectrum {
 public:
  BlockSpectrum(int rate_hz, Index block)
      : block_(static_cast<std::size_t>(block)),
        length_(static_cast<Index>(std::lround(kWindowBlocks * static_cast<double>(block)))),
        fft_(power_of_two(length_)),
        window_(make_window("hann", length_)),
        held_(static_cast<std::size_t>(length_)),
        frame_(static_cast<std::size_t>(fft_.size())),
        power_(static_cast<std::size_t>(fft_.bins())),
        smooth_(power_.size()),
        scratch_(static_cast<std::size_t>(fft_.scratch_size())) {
    const double step = static_cast<double>(rate_hz) / static_cast<double>(fft_.size());
    first_ = static_cast<std::size_t>(std::ceil(kLowHz / step));
    last_ = std::min(static_cast<std::size_t>(kHighHz / step), power_.size() - 1);
    double energy = 0;
    for (const double w : window_) energy += w * w;
    scale_ = 2 / (energy * static_cast<double>(fft_.size()));  // one side of the spectrum stands for both
  }

  void push(std::span<const float> samples) noexcept {
    std::copy(held_.begin() + static_cast<Index>(block_), held_.end(), held_.begin());
    std::copy(samples.begin(), samples.end(), held_.end() - static_cast<Index>(block_));
    double mean = 0;  // a direct current would leak into the band
    for (const double v : held_) mean += v;
    mean /= static_cast<double>(held_.size());
    for (std::size_t i = 0; i < held_.size(); ++i) frame_[i] = (held_[i] - mean) * window_[i];
    fft_.power(frame_.data(), power_.data(), scratch_.data());
    for (std::size_t k = 0; k < power_.size(); ++k) smooth_[k] += kSpectrumSmoothing * (power_[k] - smooth_[k]);
  }

  double band() const noexcept { return sum(first_, last_ + 1) * scale_; }
  double high() const noexcept { return sum(last_ + 1, power_.size()) * scale_; }

  double flatness() const noexcept {
    double logs = 0, total = 0;
    for (std::size_t k = first_; k <= last_; ++k) {
      const double p = static_cast<double>(k) * smooth_[k] + 1e-30;
      logs += std::log(p);
      total += p;
    }
    const double n = static_cast<double>(last_ + 1 - first_);
    return std::exp(logs / n) / (total / n);
  }

 private:
  double sum(std::size_t from, std::size_t to) const noexcept {
    double total = 0;
    for (std::size_t k = from; k < to; ++k) total += power_[k];
    return total;
  }

  std::size_t block_;
  Index length_;
  RealFft<double> fft_;
  std::vector<double> window_, held_, frame_, power_, smooth_, scratch_;
  std::size_t first_ = 0, last_ = 0;
  double scale_ = 1;
};

Index block_of(int rate_hz) {
  if (rate_hz < 8000 || rate_hz > 192000 || rate_hz % 50 != 0) {
    throw Error(ErrorCode::usage, "rate_hz", "this sample rate is not possible for live audio")
        .expected("a multiple of 50 within 8000..192000")
        .got(std::to_string(rate_hz));
  }
  return rate_hz / 50;
}

}  // namespace

VoiceActivityConfig voice_activity_from_json(JsonReader& reader) {
  VoiceActivityConfig c;
  c.threshold_db = reader.number_in("threshold_db", 1, 60, c.threshold_db);
  c.min_level_dbfs = reader.number_in("min_level_dbfs", -100, 0, c.min_level_dbfs);
  c.max_flatness = reader.number_in("max_flatness", 0, 1, c.max_flatness);
  c.onset_ms = reader.number_in("onset_ms", kBlockMs, 1000, c.onset_ms);
  c.hangover_ms = reader.number_in("hangover_ms", 0, 5000, c.hangover_ms);
  reader.finish();
  return c;
}

Json to_json(const VoiceActivityConfig& c) {
  return {{"threshold_db", c.threshold_db},
          {"min_level_dbfs", c.min_level_dbfs},
          {"max_flatness", c.max_flatness},
          {"onset_ms", c.onset_ms},
          {"hangover_ms", c.hangover_ms}};
}

struct VoiceActivity::Impl {
  VoiceActivityConfig config;
  Index block;
  BlockSpectrum spectrum;
  NoiseFloor floor;
  int onset, hangover;
  int run = 0;         // voiced blocks, less those that were not, since the voice may have begun
  int since_rise = 0;  // blocks since then
  int quiet = 0;       // blocks since the last voiced one
  int began_before = 0, went_on = 0;
  bool voiced = false, speech = false;
  double level_db = kLeastDb, high_mean = 0, all_mean = 0;

  Impl(int rate_hz, const VoiceActivityConfig& c)
      : config(c),
        block(block_of(rate_hz)),
        spectrum(rate_hz, block),
        onset(std::max(1, blocks_of(c.onset_ms))),
        hangover(blocks_of(c.hangover_ms)) {}

  bool judge(std::span<const float> samples) noexcept {
    spectrum.push(samples);
    const double band = spectrum.band();
    level_db = std::max(decibels(band), kLeastDb);
    const double over = level_db - floor.decibels();
    floor.add(std::max(level_db, kLeastFloorDb - kFloorBiasDb));
    voiced =
        over >= config.threshold_db && level_db >= config.min_level_dbfs && spectrum.flatness() <= config.max_flatness;
    if (voiced) {
      const double high = spectrum.high();
      high_mean += kShareSmoothing * (high - high_mean);
      all_mean += kShareSmoothing * (high + band - all_mean);
    }
    return decide();
  }

  bool decide() noexcept {
    if (speech) {
      quiet = voiced ? 0 : quiet + 1;
      went_on = voiced ? 0 : std::min(quiet, hangover);
      speech = quiet <= hangover;
      if (!speech) run = 0;
      return speech;
    }
    run = std::max(0, run + (voiced ? 1 : -1));
    since_rise = run == 0 ? 0 : since_rise + 1;
    if (run < onset) return false;
    speech = true;
    quiet = went_on = 0;
    began_before = std::min(since_rise - 1, 2 * onset);  // hesitant noise before it is not the voice
    since_rise = 0;
    return true;
  }
};

VoiceActivity::VoiceActivity(int rate_hz, const VoiceActivityConfig& config)
    : impl_(std::make_unique<Impl>(rate_hz, config)) {}
VoiceActivity::~VoiceActivity() = default;
VoiceActivity::VoiceActivity(VoiceActivity&&) noexcept = default;

Index VoiceActivity::block() const noexcept { return impl_->block; }
bool VoiceActivity::push(std::span<const float> samples) noexcept { return impl_->judge(samples); }
bool VoiceActivity::skip() noexcept {
  impl_->voiced = false;
  return impl_->decide();
}
Index VoiceActivity::onset_blocks() const noexcept { return impl_->began_before; }
Index VoiceActivity::hangover_blocks() const noexcept { return impl_->went_on; }
bool VoiceActivity::voiced() const noexcept { return impl_->voiced; }
double VoiceActivity::level_dbfs() const noexcept { return impl_->level_db; }
double VoiceActivity::noise_floor_dbfs() const noexcept { return impl_->floor.decibels(); }
double VoiceActivity::high_band_share() const noexcept {
  return impl_->all_mean > 0 ? impl_->high_mean / impl_->all_mean : 0;
}

}  // namespace serene
