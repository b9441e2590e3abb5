// One layer run alone, the batch as one shard, with memory of its own: for gradient checks, tests, reference vectors
// and benchmarks. A model plans the memory of all its layers at once and does not use this.
#pragma once

#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "serene/core/random.h"
#include "serene/nn/layer.h"

namespace serene {

// A vector on 64-byte boundaries, as Frame asks for.
template <class S>
class AlignedVector {
 public:
  AlignedVector() = default;
  explicit AlignedVector(Index n) { resize(n); }  // zeros

  // All elements become zero.
  void resize(Index n) {
    memory_.assign(static_cast<std::size_t>(n) + 64 / sizeof(S), S(0));
    size_ = n;
  }
  // The padding of the allocation may shift when the object is copied, so the start is found anew each time.
  S* data() {
    const auto place = reinterpret_cast<std::uintptr_t>(memory_.data());
    return reinterpret_cast<S*>((place + 63) / 64 * 64);
  }
  Index size() const { return size_; }
  S& operator[](Index i) { return data()[i]; }  // not checked
  // Sets every scalar.
  void fill(S value) {
    S* p = data();
    for (Index i = 0; i < size_; ++i) p[i] = value;
  }

  AlignedVector(AlignedVector&&) noexcept = default;
  AlignedVector& operator=(AlignedVector&&) noexcept = default;
  AlignedVector(const AlignedVector&) = delete;
  AlignedVector& operator=(const AlignedVector&) = delete;

 private:
  std::vector<S> memory_ = std::vector<S>(64 / sizeof(S));
  Index size_ = 0;
};

// Not thread-safe. The layer must outlive the runner.
template <class S>
class LayerRunner {
 public:
  // lengths: empty for no mask, else one per sample. Throws what layer.plan() throws.
  LayerRunner(const Layer<S>& layer, Shape in, Mode mode, std::vector<Index> lengths = {})
      : layer_(&layer), in_(in), lengths_(std::move(lengths)), plan_(layer.plan(in, mode)), specs_(layer.parameters()) {
    for (Index n : lengths_) out_lengths_.push_back(layer.out_length(n));
    Index size = 0;
    for (const ParameterSpec& spec : specs_) {
      offsets_.push_back(size);
      size += (spec.size() + 15) / 16 * 16;
    }
    params.resize(size);
    grads.resize(size);
    x.resize(in.size());
    dx.resize(in.size());
    y.resize(plan_.out.size());
    dy.resize(plan_.out.size());
    saved.resize(plan_.saved);
    scratch.resize(plan_.scratch);
    frame.mode = mode;
    packed.resize(layer.packed_weights_size({mode, frame.precision}));
    if (mode == Mode::training) {
      forward_points_ = layer.sync_points(Pass::forward), backward_points_ = layer.sync_points(Pass::backward);
    }
    for (auto [points, totals] :
         {std::pair(&forward_points_, &forward_totals_), {&backward_points_, &backward_totals_}})
      totals->resize(static_cast<std::size_t>(std::accumulate(points->begin(), points->end(), Index(1))));
  }

  // Another number format for the products of the passes.
  void set_precision(Precision precision) {
    frame.precision = precision;
    packed.resize(layer_->packed_weights_size({frame.mode, precision}));
  }

  // Random parameters near where training starts (so that moving variances stay positive), inputs and upstream
  // gradients.
  void randomize(std::uint64_t seed) {
    Random random(seed, Purpose::test);
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      const bool ones = specs_[i].init == Init::ones;
      for (Index j = 0; j < specs_[i].size(); ++j) {
        parameter(i)[j] = static_cast<S>(ones ? random.uniform(0.6, 1.4) : 0.4 * random.normal());
      }
    }
    for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<S>(random.normal());
    for (Index i = 0; i < dy.size(); ++i) dy[i] = static_cast<S>(random.normal());
  }

  // Fills the padded frames of x and of dy.
  void fill_padding(S x_value, S dy_value) {
    if (lengths_.empty()) return;
    for (Index b = 0; b < in_.batch; ++b) {
      const Index n = lengths_[static_cast<std::size_t>(b)], m = out_lengths_[static_cast<std::size_t>(b)];
      for (Index i = n * in_.channels; i < in_.time * in_.channels; ++i) x[b * in_.time * in_.channels + i] = x_value;
      const Index row = plan_.out.time * plan_.out.channels;
      for (Index i = m * plan_.out.channels; i < row; ++i) dy[b * row + i] = dy_value;
    }
  }

  // Leaves nothing to lean on in the memory of a call: NaN in saved, scratch, packed, y and dx.
  void poison() {
    const S nan = std::numeric_limits<S>::quiet_NaN();
    saved.fill(nan);
    packed.fill(nan);
    poison_scratch();
    y.fill(nan);
    dx.fill(nan);
  }
  void poison_scratch() { scratch.fill(std::numeric_limits<S>::quiet_NaN()); }  // with NaN

  // Packs the weights and makes `frame` ready for a call.
  void prepare() {
    frame.saved = saved.data();
    frame.scratch = scratch.data();
    layer_->pack_weights(const_params(), {frame.mode, frame.precision}, packed.data());
    frame.packed = packed.data();
  }
  // One pass over all of x, phase after phase; backward adds to grads and overwrites dx.
  void forward() {
    prepare();
    in_phases(forward_points_, forward_totals_, [&] { layer_->forward(const_params(), x_view(), y_view(), frame); });
  }
  void backward(bool want_dx = true) {
    const SeqView<S> to{want_dx ? dx.data() : nullptr, in_, x_view().lengths};
    in_phases(backward_points_, backward_totals_, [&] {
      layer_->backward(const_params(), x_view(), y_view(), {dy.data(), plan_.out, y_view().lengths}, to, frame,
                       {grads.data(), offsets_.data()});
    });
  }
  // Moving statistics take in what forward has seen.
  void commit() {
    frame.totals = forward_totals_.data();
    layer_->commit(frame, {params.data(), offsets_.data()});
  }

  const Layer<S>& layer() const { return *layer_; }
  const Plan& plan() const { return plan_; }
  Shape in() const { return in_; }
  // Valid frames of x.
  Index length(Index b) const { return lengths_.empty() ? in_.time : lengths_[static_cast<std::size_t>(b)]; }
  // Valid frames of y.
  Index out_length(Index b) const {
    return lengths_.empty() ? plan_.out.time : out_lengths_[static_cast<std::size_t>(b)];
  }
  const std::vector<ParameterSpec>& specs() const { return specs_; }
  // Where tensor i and its gradient begin.
  S* parameter(std::size_t i) { return params.data() + offsets_[i]; }
  S* gradient(std::size_t i) { return grads.data() + offsets_[i]; }
  Params<const S> const_params() { return {params.data(), offsets_.data()}; }  // as a layer wants them

  AlignedVector<S> params, grads, x, y, dy, dx, saved, scratch, packed;
  Frame<S> frame;

 private:
  // The sums of the one shard are the totals.
  template <class Call>
  void in_phases(const std::vector<Index>& points, std::vector<double>& totals, Call&& call) {
    frame.totals = frame.partial = totals.data();
    for (frame.phase = 0; frame.phase < static_cast<Index>(points.size()); ++frame.phase) {
      call();
      frame.partial += points[static_cast<std::size_t>(frame.phase)];
      poison_scratch();
    }
    call();
    frame.phase = 0;
  }

  SeqView<S> x_view() { return {x.data(), in_, lengths_.empty() ? nullptr : lengths_.data()}; }
  SeqView<S> y_view() { return {y.data(), plan_.out, lengths_.empty() ? nullptr : out_lengths_.data()}; }

  const Layer<S>* layer_;
  Shape in_;
  std::vector<Index> lengths_, out_lengths_;
  Plan plan_;
  std::vector<ParameterSpec> specs_;
  std::vector<Index> offsets_;
  std::vector<Index> forward_points_, backward_points_;
  std::vector<double> forward_totals_, backward_totals_;
};

}  // namespace serene
