// The last seconds of the customer's speech as features, ready for the model: blocks in, windows out.
//
//   block ─ resampling to the model's rate ─ FeatureStream ─ frames of speech ─► ring of the last window_s
//
// Frames stay as they are; who asks the model standardises them (emotion_batch.h), with the statistics of the speech so
// far where the config wants that.
//
// Sound runs through resampler and stream without a break, so that frames at the edges of speech are right; frames of
// blocks that are speech enter the ring, and where speech begins the frames of its onset with them. Frames of lost
// blocks are left out. Feature frames belong to the block in which their last sample came.
//
// After no_speech_after_s without speech the ring is cleared: what was felt before the pause says nothing of what is
// felt after it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "serene/audio/feature_stream.h"
#include "serene/call/call_config.h"
#include "serene/call/leg_input.h"
#include "serene/call/speech_statistics.h"

namespace serene {

// Frames of the longest and of the shortest window.
struct WindowFrames {
  Index most = 0, least = 0;
};
// A window of window_s and the shortest of min_window_s in frames of these features, at least 1 each.
WindowFrames window_frames(const CallConfig& config, const FeatureConfig& features);

// What the model is asked about.
struct SpeechFrames {
  SeqView<const float> frames;                   // (1, n, F), not standardised, oldest first
  const SpeechStatistics* statistics = nullptr;  // of all speech of the call so far; nullptr: not wanted
};

// A live change of rate in whole blocks; nothing allocates after construction.
class LiveResampler {
 public:
  // block: samples of a block at from_hz. Equal rates: samples pass unchanged.
  LiveResampler(int from_hz, int to_hz, Index block);
  ~LiveResampler();
  LiveResampler(const LiveResampler&) = delete;
  LiveResampler& operator=(const LiveResampler&) = delete;

  // The samples that this block adds; valid until the next call.
  std::span<const float> push(std::span<const float> block) noexcept;
  void reset() noexcept;

 private:
  struct Converter;
  std::unique_ptr<Converter> converter_;
  double ratio_;
  std::vector<float> out_;
};

// One stream of features.
class SpeechWindow {
 public:
  // Throws Error when the features cannot be streamed.
  SpeechWindow(const CallConfig& config, const FeatureConfig& features, int rate_hz);

  // One block of the customer's samples and what voice activity said of it; sets block.forgotten.
  void push(std::span<const float> samples, LegBlock& block) noexcept;
  // A window is due: the block was speech, hop_s of speech since the last window and at least min_window_s in the ring.
  bool due() const noexcept { return speech_ && since_window_ >= hop_blocks_ && count_ >= least_; }
  void start_hop() noexcept { since_window_ = 0; }
  // Time without recognition (no consent): nothing of the sound is kept.
  void reset() noexcept;

  // Valid until the next push.
  SpeechFrames frames() const noexcept;
  std::int64_t window_ms() const noexcept;

 private:
  void keep(const float* frame) noexcept;
  void keep_onset(int blocks) noexcept;
  void pass_frames(const LegBlock& block) noexcept;

  LiveResampler resampler_;
  FeatureStream stream_;
  SpeechStatistics statistics_;
  bool running_;
  Index dim_, most_, least_;
  double frame_ms_;
  std::vector<float> ring_;  // 2 * most_ rows: row i and most_ + i are the same, so that any window lies in one piece
  Index next_ = 0, count_ = 0;
  std::vector<float> recent_;  // ring of the last frames that were no speech, for the onset
  Index recent_rows_, recent_next_ = 0, recent_count_ = 0;
  Index frames_per_block_;
  std::vector<float> frame_;
  int hop_blocks_, forget_blocks_;
  int since_window_ = 0, quiet_ = 0;
  bool speech_ = false;  // the last block
};

// The streams of a model's members side by side: a window is due when it is due in all of them.
class SpeechWindows {
 public:
  // streams: the features of each member, at least one; rate_hz: of the samples. Throws Error as SpeechWindow does.
  SpeechWindows(const CallConfig& config, std::span<const FeatureConfig> streams, int rate_hz);

  // One block of the customer; true when a window is due.
  bool push(std::span<const float> samples, LegBlock& block) noexcept;
  void reset() noexcept;
  // One for each stream; valid until the next push.
  std::span<const SpeechFrames> frames() noexcept;
  std::int64_t window_ms() const noexcept { return windows_[0]->window_ms(); }

 private:
  std::vector<std::unique_ptr<SpeechWindow>> windows_;
  std::vector<SpeechFrames> frames_;
};

}  // namespace serene
