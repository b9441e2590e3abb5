// What LSTM, GRU and Bidirectional share: options, the walk through time, and the plumbing between padded batches and
// products.
//
// Direction. A recurrent layer visits the frames 0..L-1, or L-1..0 with go_backwards; each sample begins at its own
// first frame in that direction, and the output stays in natural time order. At step t all samples with t < L[b] are
// alive, in both directions.
#pragma once

#include <algorithm>

#include "serene/nn/layer.h"
#include "serene/nn/slices.h"
#include "serene/nn/valid_frames.h"

namespace serene {

// What a layer that returns sequences writes to padded frames: zeros, or the last state (Keras' default).
enum class MaskedOutput { zero, carry };

struct RecurrentOptions {
  Index units = 0;
  bool return_sequences = true;  // false: y (B,1,U) is the state after the last visited frame
  MaskedOutput masked_output = MaskedOutput::zero;
  bool go_backwards = false;
};

namespace recurrent {

// Throws Error(usage) unless in_channels and units are positive.
inline void check_options(const char* type, Index in_channels, const RecurrentOptions& options) {
  if (options.units < 1)
    throw Error(ErrorCode::usage, type, "bad number of units")
        .expected("at least 1")
        .got(std::to_string(options.units));
  if (in_channels < 1)
    throw Error(ErrorCode::usage, type, "bad number of input channels")
        .expected("at least 1")
        .got(std::to_string(in_channels));
}

// Throws Error(usage) unless the input has the channels the layer was made for.
inline void check_input(const char* type, Index in_channels, Shape in) {
  if (in.channels != in_channels)
    throw Error(ErrorCode::usage, type, "wrong number of input channels")
        .expected(std::to_string(in_channels))
        .got(to_string(in));
}

inline std::string describe(const RecurrentOptions& o) {
  std::string text = std::to_string(o.units) + (o.return_sequences ? " units, sequence" : " units, last state");
  if (o.return_sequences && o.masked_output == MaskedOutput::carry) text += ", carry";
  if (o.go_backwards) text += ", backwards";
  return text;
}

// The frame a sample of L >= 1 valid frames begins with, and the way from one visited frame to the next.
inline Index first_frame(const RecurrentOptions& o, Index length) { return o.go_backwards ? length - 1 : 0; }
inline Index direction(const RecurrentOptions& o) { return o.go_backwards ? -1 : 1; }

// Calls f(t) for all frames in the order the layer visits them, or in the reverse order.
template <class F>
void for_frames(bool descending, Index time, F&& f) {
  for (Index i = 0; i < time; ++i) f(descending ? time - 1 - i : i);
}

// Copies given states (B,U), or zeros when there are none.
template <class S>
void copy_or_zero(Index n, const S* src, S* dst) {
  if (src != nullptr) std::copy_n(src, n, dst);
  else std::fill_n(dst, n, S(0));
}

// What is left of y after the walk: padded frames, or the one frame of a layer that returns the last state.
template <class S>
void finish_output(const RecurrentOptions& o, SeqView<const S> x, const S* state, SeqView<S> y) {
  const Index units = o.units;
  for (Index b = 0; b < x.shape.batch; ++b) {
    const S* h = state + b * units;
    if (!o.return_sequences) {
      std::copy_n(h, units, y.sample(b));
      continue;
    }
    for (Index t = x.length(b); t < x.shape.time; ++t) {
      if (o.masked_output == MaskedOutput::carry) std::copy_n(h, units, y.frame(b, t));
      else std::fill_n(y.frame(b, t), units, S(0));
    }
  }
}

// Gradient of the final state: what was given for it (may be nullptr), the gradient of the last state, and with `carry`
// that of the padded frames which repeat it.
template <class S>
void start_state_gradient(const RecurrentOptions& o, SeqView<const S> x, SeqView<const S> dy, const S* given, S* dh) {
  const Index units = o.units;
  copy_or_zero(x.shape.batch * units, given, dh);
  for (Index b = 0; b < x.shape.batch; ++b) {
    S* row = dh + b * units;
    const auto add = [&](const S* g) {
      for (Index j = 0; j < units; ++j) row[j] += g[j];
    };
    if (!o.return_sequences) {
      add(dy.sample(b));
    } else if (o.masked_output == MaskedOutput::carry) {
      for (Index t = x.length(b); t < x.shape.time; ++t) add(dy.frame(b, t));
    }
  }
}

}  // namespace recurrent
}  // namespace serene
