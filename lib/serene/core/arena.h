// Memory planned before use: parts are reserved first, then one allocation serves them all.
//
//   Arena<float> arena;
//   const Index a = arena.reserve(100), b = arena.reserve(7);   // offsets
//   arena.allocate();                                           // the only allocation; zero-filled
//   float* p = arena.at(a);                                     // 64-byte aligned
//
// Not copyable; pointers stay valid for the arena's life. reserve after allocate is an internal error.
#pragma once

#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "serene/core/error.h"
#include "serene/core/types.h"

namespace serene {

template <class S>
class Arena {
 public:
  static constexpr std::size_t alignment = 64;

  // Offset of the next `count` scalars. Throws Error(internal) after allocate, Error(usage) for more than an address
  // holds.
  Index reserve(Index count) {
    if (memory_ != nullptr || count < 0)
      throw Error(ErrorCode::internal, "arena", "reserve after allocate, or negative size");
    constexpr Index unit = static_cast<Index>(alignment / sizeof(S));
    constexpr Index limit = std::numeric_limits<Index>::max() / 16;
    if (count > limit - size_) throw Error(ErrorCode::usage, "memory", "more memory than this machine can address");
    const Index offset = size_;
    size_ += (count + unit - 1) / unit * unit;
    return offset;
  }

  // Makes the memory. Throws Error(usage) when there is not enough.
  void allocate() {
    if (size_ == 0) size_ = static_cast<Index>(alignment / sizeof(S));
    const std::size_t bytes = this->bytes();
    try {
      memory_.reset(static_cast<S*>(::operator new (bytes, std::align_val_t{alignment})));
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::usage, "memory", "not enough memory: " + std::to_string(bytes >> 20) + " MiB wanted")
          .hint("use a smaller batch or shorter clips");
    }
    std::memset(static_cast<void*>(memory_.get()), 0, bytes);
  }

  S* at(Index offset) const noexcept { return memory_.get() + offset; }                       // after allocate
  std::size_t bytes() const noexcept { return static_cast<std::size_t>(size_) * sizeof(S); }  // reserved so far

 private:
  struct Free {
    void operator()(S* p) const noexcept { ::operator delete (p, std::align_val_t{alignment}); }
  };
  std::unique_ptr<S, Free> memory_;
  Index size_ = 0;
};

}  // namespace serene
