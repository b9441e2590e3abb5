// The judged blocks of a leg that runs ahead, until the other leg has reached them: a ring of fixed size.
#pragma once

#include <vector>

#include "serene/call/leg_input.h"

namespace serene {

class WaitingBlocks {
 public:
  // capacity: samples that may wait; the only allocation.
  explicit WaitingBlocks(Index capacity) : ring_(static_cast<std::size_t>(capacity)) {}

  Index size() const noexcept { return count_; }                                     // samples that wait
  bool empty() const noexcept { return count_ == 0; }                                // none waits
  Index free() const noexcept { return static_cast<Index>(ring_.size()) - count_; }  // samples that there is room for

  // At least one place must be free.
  void put(const LegBlock& block) noexcept {
    ring_[place(count_)] = block;
    ++count_;
  }
  // i = 0: the oldest.
  LegBlock& at(Index i) noexcept { return ring_[place(i)]; }
  void drop_oldest() noexcept {
    first_ = place(1);
    --count_;
  }

 private:
  std::size_t place(Index i) const noexcept { return (first_ + static_cast<std::size_t>(i)) % ring_.size(); }

  std::vector<LegBlock> ring_;
  std::size_t first_ = 0;
  Index count_ = 0;
};

}  // namespace serene
