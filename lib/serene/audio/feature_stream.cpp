#include "serene/audio/feature_stream.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "serene/audio/delta.h"
#include "serene/audio/simd_target.h"
#include "serene/audio/window.h"

namespace serene {
namespace {

constexpr float kLargestSample = 65536;

Index cepstra(const FeatureConfig& c) { return c.layout == FeatureLayout::mfcc ? c.n_mfcc : 1; }

// Copies samples as the stream takes them; returns how many were not finite. Subtracting a number from itself gives a
// NaN exactly then.
SERENE_ALWAYS_INLINE std::int32_t clean_body(const float* __restrict from, float* __restrict to, std::int32_t n) {
  std::int32_t bad = 0;
  for (std::int32_t i = 0; i < n; ++i) {
    const float v = from[i];
    const bool good = v - v == 0.0f;
    const float least = v > -kLargestSample ? v : -kLargestSample;
    const float kept = least < kLargestSample ? least : kLargestSample;
    bad += good ? 0 : 1;
    to[i] = good ? kept : 0.0f;
  }
  return bad;
}
SERENE_TARGET_AVX2 std::int32_t clean_avx2(const float* from, float* to, std::int32_t n) {
  return clean_body(from, to, n);
}

SERENE_ALWAYS_INLINE void window_body(const float* __restrict samples, const float* __restrict window,
                                      float* __restrict frame, Index n) {
  for (Index i = 0; i < n; ++i) frame[i] = samples[i] * window[i];
}
SERENE_TARGET_AVX2 void window_avx2(const float* samples, const float* window, float* frame, Index n) {
  window_body(samples, window, frame, n);
}

const FeatureConfig& checked(const FeatureConfig& config) {
  check(config);
  if (!streamable(config)) {
    throw Error(ErrorCode::usage, "features", "this layout cannot be computed as a stream")
        .expected("mfcc or logmel with top_db null");
  }
  return config;
}

}  // namespace

FrameAnalyzer::FrameAnalyzer(const FeatureConfig& config)
    : layout_(config.layout),
      fft_(config.n_fft),
      mel_(mel_config(config)),
      cepstrum_(config.n_mels, cepstra(config), config.layout == FeatureLayout::mfcc ? config.lifter : 0),
      amin_(static_cast<float>(config.amin)),
      left_((config.n_fft - config.win_length) / 2),
      frame_(static_cast<std::size_t>(config.n_fft)),
      power_(static_cast<std::size_t>(fft_.bins())),
      mels_(static_cast<std::size_t>(config.n_mels)),
      scratch_(static_cast<std::size_t>(fft_.scratch_size())) {
  const std::vector<double> window = make_window(config.window, config.win_length);
  window_.assign(window.begin(), window.end());
}

void FrameAnalyzer::analyze(const float* samples, float* out) noexcept {
  const auto windowed = has_avx2() ? window_avx2 : window_body;
  windowed(samples, window_.data(), frame_.data() + left_, static_cast<Index>(window_.size()));
  fft_.power(frame_.data(), power_.data(), scratch_.data());
  mel_.apply(power_.data(), mels_.data());
  float* db = layout_ == FeatureLayout::mfcc ? mels_.data() : out;
  power_to_db_row(mels_.data(), db, mel_.n_mels(), amin_);
  if (layout_ == FeatureLayout::mfcc) cepstrum_.apply(db, out);
}

FeatureStream::FeatureStream(const FeatureConfig& config, Index capacity)
    : analyzer_(checked(config)),
      dim_(dimension(config)),
      static_dim_(analyzer_.dim()),
      hop_(config.hop_length),
      win_(config.win_length),
      need_(config.center ? config.win_length : config.n_fft),
      n_fft_(config.n_fft),
      deltas_(config.deltas),
      center_(config.center) {
  const Index left = (config.n_fft - config.win_length) / 2;
  // Samples from the start of the held signal to the first window: zeros of the centring, or skipped samples.
  lead_ = center_ ? config.n_fft / 2 - left : -left;
  if (!center_) need_ = config.n_fft - left;
  buffer_.resize(static_cast<std::size_t>(std::max(capacity, 2 * config.n_fft + (kWidth + 2) * config.hop_length)));
  statics_.resize(static_cast<std::size_t>(kWidth * static_dim_));
  frame_.resize(static_cast<std::size_t>(dim_));
  if (deltas_ >= 1) slope_ = delta_weights(kWidth, 1);
  if (deltas_ >= 2) curve_ = delta_weights(kWidth, 2);
  reset();
}

void FeatureStream::reset() noexcept {
  pushed_ = computed_ = popped_ = bad_samples_ = 0;
  finished_ = false;
  // The buffer holds positions from the start of window 0; the centring's zeros stand before sample 0.
  first_ = -lead_;
  size_ = std::max<Index>(lead_, 0);
  std::fill(buffer_.begin(), buffer_.begin() + size_, 0.0f);
  if (lead_ < 0) first_ = 0;
}

void FeatureStream::compact() noexcept {
  const std::int64_t next = computed_ * hop_ - lead_;  // first sample still needed
  const std::int64_t drop = std::clamp<std::int64_t>(next - first_, 0, size_);
  if (drop == 0) return;
  std::memmove(buffer_.data(), buffer_.data() + drop, static_cast<std::size_t>(size_ - drop) * sizeof(float));
  first_ += drop;
  size_ -= drop;
}

Index FeatureStream::push(std::span<const float> samples) noexcept {
  if (finished_) return static_cast<Index>(samples.size());
  const Index capacity = static_cast<Index>(buffer_.size());
  if (size_ + static_cast<Index>(samples.size()) > capacity) compact();
  const Index take = std::min(static_cast<Index>(samples.size()), capacity - static_cast<Index>(size_));
  // Pieces, so that a count in 32 bits holds however large the buffer is.
  constexpr Index kPiece = 1 << 20;
  const auto clean = has_avx2() ? clean_avx2 : clean_body;
  for (Index i = 0; i < take; i += kPiece) {
    const auto n = static_cast<std::int32_t>(std::min(kPiece, take - i));
    bad_samples_ += clean(samples.data() + i, buffer_.data() + size_ + i, n);
  }
  size_ += take;
  pushed_ += take;
  return take;
}

void FeatureStream::finish() noexcept { finished_ = true; }

// Static frames that the samples seen so far allow, from the start of the signal.
Index FeatureStream::known_statics() const noexcept {
  if (finished_) {
    if (pushed_ == 0) return 0;
    if (center_) return 1 + pushed_ / hop_;
    return pushed_ < n_fft_ ? 0 : 1 + (pushed_ - n_fft_) / hop_;
  }
  const std::int64_t last = pushed_ + lead_ - need_;  // start of the last whole window, counted from window 0
  return last < 0 ? 0 : static_cast<Index>(1 + last / hop_);
}

void FeatureStream::next_static() noexcept {
  const std::int64_t start = computed_ * hop_ - lead_ - first_;
  if (start + win_ > static_cast<std::int64_t>(buffer_.size())) {
    compact();
    next_static();
    return;
  }
  if (start + win_ > size_) {  // only after finish(): the zeros behind the end
    std::fill(buffer_.begin() + size_, buffer_.begin() + start + win_, 0.0f);
    size_ = start + win_;
  }
  analyzer_.analyze(buffer_.data() + start, statics_.data() + (computed_ % kWidth) * static_dim_);
  ++computed_;
}

const float* FeatureStream::static_row(std::int64_t t) const noexcept {
  return statics_.data() + (t % kWidth) * static_dim_;
}

Index FeatureStream::ready() const noexcept {
  const std::int64_t known = known_statics();
  if (deltas_ == 0 || finished_) return static_cast<Index>(known - popped_);
  // Frame t needs the nine frames around it, the first four the first nine.
  return static_cast<Index>(known < kWidth ? 0 : known - kWidth / 2 - popped_);
}

bool FeatureStream::pop(float* frame) noexcept {
  if (ready() <= 0) return false;
  const std::int64_t known = known_statics(), t = popped_++;
  if (deltas_ == 0) {
    next_static();
    std::memcpy(frame, static_row(t), static_cast<std::size_t>(static_dim_) * sizeof(float));
    return true;
  }
  const bool enough = known >= kWidth;
  const std::int64_t begin = enough ? std::clamp<std::int64_t>(t - kWidth / 2, 0, known - kWidth) : 0;
  const std::int64_t end = enough ? begin + kWidth : known;
  while (computed_ < end) next_static();
  std::memcpy(frame, static_row(t), static_cast<std::size_t>(static_dim_) * sizeof(float));
  for (int order = 1; order <= deltas_; ++order) {
    const std::vector<double>& weights = order == 1 ? slope_ : curve_;
    float* out = frame + order * static_dim_;
    for (Index d = 0; d < static_dim_; ++d) {
      double sum = 0;
      for (Index n = 0; n < kWidth && enough; ++n) {
        sum += weights[static_cast<std::size_t>(n)] * static_row(begin + n)[d];
      }
      out[d] = static_cast<float>(sum);
    }
  }
  return true;
}

}  // namespace serene
