// Fourier transform of real signals whose length is a power of two.
//
// X[k] = sum_n x[n] exp(-2 pi i k n / N), k = 0..N/2, stored as separate real and imaginary parts.
// The N real samples are taken as N/2 complex ones and go through Stockham's self-sorting radix-4 passes (one radix-2
// pass where needed); see Van Loan, Computational Frameworks for the Fast Fourier Transform, 1992. Every instruction
// set gives the same bits.
#pragma once

#include <vector>

#include "serene/core/types.h"

namespace serene {

// Immutable tables; all transforms are const, allocate nothing and are thread-safe with scratch of the caller's own.
template <class S>
class RealFft {
 public:
  // size: a power of two from 2 to 2^24; throws Error otherwise.
  explicit RealFft(Index size);

  Index size() const noexcept { return size_; }
  Index bins() const noexcept { return size_ / 2 + 1; }      // of X: N / 2 + 1
  Index scratch_size() const noexcept { return 2 * size_; }  // scalars

  // x (size) -> re, im (bins). scratch (scratch_size) must not overlap the rest.
  void forward(const S* x, S* re, S* im, S* scratch) const noexcept;
  // x (size) -> |X|^2 (bins).
  void power(const S* x, S* out, S* scratch) const noexcept;
  // re, im (bins; the imaginary parts of the first and last bin are ignored) -> x (size), scaled by 1/size.
  void inverse(const S* re, const S* im, S* x, S* scratch) const noexcept;

 private:
  Index size_;
  std::vector<S> twiddles_;  // per radix-4 pass: six rows (re, im of w, w^2, w^3)
  std::vector<S> split_re_, split_im_;
};

extern template class RealFft<float>;
extern template class RealFft<double>;

}  // namespace serene
