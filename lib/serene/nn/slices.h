// Cuts one block of scalars into aligned pieces. The same code, run on a null block, counts what a Plan has to ask for.
#pragma once

#include "serene/core/types.h"

namespace serene {

// Scalars that a piece of n scalars takes: pieces begin on 64-byte boundaries.
inline Index part_size(Index n) { return (n + 15) / 16 * 16; }

template <class S>
class Slices {
 public:
  // base: 64-byte aligned, or nullptr to count only.
  explicit Slices(S* base) : base_(base) {}

  // The next n scalars; nullptr when counting.
  S* take(Index n) noexcept {
    S* piece = base_ != nullptr ? base_ + used_ : nullptr;
    used_ += part_size(n);
    return piece;
  }

  Index used() const noexcept { return used_; }

 private:
  S* base_;
  Index used_ = 0;
};

}  // namespace serene
