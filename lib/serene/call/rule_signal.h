// The value of one rule's signal (playbook.h) as the call goes on: a number that is always finite and never negative.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "serene/call/playbook.h"

namespace serene {

// Belongs to one advisor. Nothing allocates after construction. The signals recovery and strain speak of other rules
// and are the advisor's.
class RuleSignal {
 public:
  // rule must outlive the signal; weights by place of the state (state_weights). block_ms: length of a block.
  RuleSignal(const Rule& rule, std::vector<double> weights, int block_ms);

  // States, average, trend: one window. speech_ms: speech heard so far, gained_ms of it since the window before.
  double on_window(std::int64_t speech_ms, std::int64_t gained_ms, std::span<const double> probabilities) noexcept;
  // Overlap, loss: the share of one block, 0 to 1; gives the mean over the last over_s.
  double on_share(double share) noexcept;
  // What was felt before no longer counts.
  void forget() noexcept;

 private:
  // Speech with one weighted sum: the length_ms that end at end_ms.
  struct Stretch {
    std::int64_t end_ms = 0, length_ms = 0;
    double sum = 0;
  };

  double weighted_sum(std::span<const double> probabilities) const noexcept;
  void append(const Stretch& stretch) noexcept;
  const Stretch& newest(std::size_t i) const noexcept;  // 0: the last
  double average(std::int64_t speech_ms) const noexcept;
  double change(std::int64_t speech_ms) const noexcept;

  const Rule* rule_;
  std::vector<double> weights_;
  std::int64_t over_ms_;
  std::vector<Stretch> stretches_;  // ring
  std::size_t count_ = 0, next_ = 0;
  std::vector<float> shares_;  // ring
  std::size_t next_share_ = 0;
  double share_sum_ = 0;
};

}  // namespace serene
