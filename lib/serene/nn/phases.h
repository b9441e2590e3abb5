// How layers made of parts, and the executor over a model's layers, go on from one synchronisation point to the next
// (nn/layer.h). In every phase the parts are walked through in the order of the pass:
//
//   PhaseWalk<S> walk(f);
//   for (every part) {
//     if (!walk.enter(points of the part)) continue;   // it was done in an earlier phase
//     part.forward(..., walk.frame(its frame));
//     if (walk.stops()) return;                        // at a point of the part
//   }
#pragma once

#include "serene/nn/layer.h"

namespace serene {

// Points of a layer in a pass, and the sums of all of them.
struct SyncShape {
  Index points = 0, sums = 0;
};

// Both passes in training, asked once: sync_points() allocates.
struct LayerSync {
  LayerSync() = default;
  // Asks the layer.
  template <class S>
  explicit LayerSync(const Layer<S>& layer) {
    for (Index sums : layer.sync_points(Pass::forward)) ++forward.points, forward.sums += sums;
    for (Index sums : layer.sync_points(Pass::backward)) ++backward.points, backward.sums += sums;
  }

  SyncShape forward, backward;
};

template <class S>
class PhaseWalk {
 public:
  // f: of the whole.
  explicit PhaseWalk(const Frame<S>& f)
      : synchronises_(f.mode == Mode::training), ahead_(f.phase), partial_(f.partial), next_(f.totals) {}

  // Moves to the next part. False: all of it was done in an earlier phase.
  bool enter(SyncShape part) {
    if (!synchronises_) part = {};
    phase_ = ahead_, points_ = part.points, totals_ = next_;
    ahead_ -= part.points;
    next_ += part.sums;
    if (ahead_ > 0) return false;
    ahead_ = 0;
    return true;
  }

  // The frame of the part entered: `frame` with what the part needs to know of points.
  Frame<S> frame(Frame<S> frame) const {
    frame.phase = phase_, frame.partial = partial_, frame.totals = totals_;
    return frame;
  }

  // Whether the part entered ends this phase at a point of its own.
  bool stops() const { return phase_ < points_; }

 private:
  bool synchronises_;
  Index ahead_;  // points behind the current phase that the parts to come hold
  double* partial_;
  const double *next_, *totals_ = nullptr;
  Index phase_ = 0, points_ = 0;
};

}  // namespace serene
