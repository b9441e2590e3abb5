// The geometry of windows that slide over time: conv1d and the poolings. Keras' rules.
//
//   extent e = (k-1) d + 1. valid: out = floor((n - e) / s) + 1 (0 when n < e), left = 0.
//   same: out = ceil(n / s), total = max((out-1) s + e - n, 0), left = floor(total / 2). causal: out = ceil(n / s),
//   left = e-1.
// Output frame o covers the input frames o s + j d - left, j = 0..k-1.
#pragma once

#include <algorithm>
#include <string>

#include "serene/core/error.h"
#include "serene/core/types.h"

namespace serene {

enum class Padding { valid, same, causal };

// As in a config.
inline const char* padding_name(Padding p) {
  return p == Padding::valid ? "valid" : p == Padding::same ? "same" : "causal";
}

// Throws Error(usage) for another name.
inline Padding parse_padding(const std::string& name) {
  for (Padding p : {Padding::valid, Padding::same, Padding::causal}) {
    if (name == padding_name(p)) return p;
  }
  throw Error(ErrorCode::usage, "", "unknown padding").expected("valid, same or causal").got(printable(name));
}

struct Window {
  Index size = 1;
  Index stride = 1;
  Index dilation = 1;
  Padding padding = Padding::valid;

  Index extent() const { return (size - 1) * dilation + 1; }  // frames from the first to the last

  // Output frames for n input frames.
  Index out_length(Index n) const {
    if (n <= 0) return 0;
    if (padding == Padding::valid) return n < extent() ? 0 : (n - extent()) / stride + 1;
    return (n + stride - 1) / stride;
  }
  // Zero frames in front of n input frames.
  Index left(Index n) const {
    if (padding == Padding::valid) return 0;
    if (padding == Padding::causal) return extent() - 1;
    return std::max<Index>((out_length(n) - 1) * stride + extent() - n, 0) / 2;
  }

  // Throws Error(usage) unless sizes are at least 1 and small enough for index arithmetic.
  void check(const std::string& where) const {
    const auto in_range = [&](const char* what, Index value) {
      if (value >= 1 && value <= 65536) return;
      throw Error(ErrorCode::usage, where, std::string(what) + " out of range")
          .expected("1..65536")
          .got(std::to_string(value));
    };
    in_range("window size", size);
    in_range("stride", stride);
    in_range("dilation", dilation);
  }
};

}  // namespace serene
