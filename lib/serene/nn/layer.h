// The contract of a layer.
//
// A layer is an immutable description: parameters, activations, scratch and random keys are arguments, so one layer
// object serves any number of threads at once. The order of calls for one batch is
//     plan -> pack -> forward -> backward -> commit        (inference: plan and pack once, then forward)
//
// Masking. x.lengths[b] = L means that sample b has L valid frames. A layer gives for the frames
// [0, out_length(L)) of y exactly, bit for bit, what it would give for the sample alone with shape (1, L, C), whatever
// the padding of x holds (even NaN). It writes zeros to the padded frames of y (unless an option says otherwise).
// backward ignores dy on padded frames and writes zeros to padded frames of dx. L = 0 is allowed and gives zeros (never
// NaN).
//
// Batches come in shards: a call sees x.shape.batch samples, beginning with sample frame.first_sample of the batch.
//
// Synchronisation points. A layer whose result depends on the whole batch (batch norm in training) has points in its
// passes at which the shards add up sums. A pass over a shard is then cut into phases, one more than there are points:
// phase k begins behind point k - 1, whose totals over all shards it finds in frame.totals, and ends with writing the
// shard's own sums of point k to frame.partial; the last phase completes the pass. The calls of the phases differ in
// these fields of the frame alone; between them `saved`, y, dy and dx stay as they are, and `scratch` does not.
// Layers without points, and all layers in inference, have the one phase 0. Layers made of parts have the points of
// their parts, in the order of the pass (nn/phases.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "serene/core/error.h"
#include "serene/core/gemm.h"
#include "serene/core/types.h"
#include "serene/nn/parameter.h"

namespace serene {

enum class Mode { inference, training };
enum class Pass { forward, backward };

// What a call needs, in scalars, known before running. Non-decreasing in the batch and time of the input.
struct Plan {
  Shape out;
  Index saved = 0;    // kept from the first phase of forward to the last of backward
  Index scratch = 0;  // contents undefined at the start of every call
};

// How the weights are packed for the products of a pass.
struct Packing {
  Mode mode = Mode::inference;  // training: also what backward needs
  Precision precision = Precision::full;
};

// The memory and keys of one call.
template <class S>
struct Frame {
  S* saved = nullptr;    // plan().saved scalars, 64-byte aligned; the same memory in forward and backward
  S* scratch = nullptr;  // plan().scratch scalars, 64-byte aligned
  // The layer's weights as pack_weights() wrote them, for the same parameters, mode and precision.
  const S* packed = nullptr;
  Mode mode = Mode::inference;
  Precision precision = Precision::full;  // as packed; products of activations follow it (nn/products.h)
  std::uint64_t seed = 0;  // random numbers are a function of (seed, step, key, sample index in the batch) alone
  std::uint64_t step = 0;
  std::uint64_t key = 0;  // tells the layers of a model apart
  Index first_sample = 0;
  Index phase = 0;            // of the pass: synchronisation points that are behind
  double* partial = nullptr;  // where the shard's sums of point `phase` go
  // Sums over all shards of the pass' points, one behind the other, of those that are behind. commit: all of forward's.
  const double* totals = nullptr;
};

template <class S>
class Layer {
 public:
  virtual ~Layer() = default;

  virtual std::string type() const = 0;     // "conv1d", as in a config
  virtual std::string summary() const = 0;  // "128 filters, kernel 7, same, relu": for `serene inspect`
  // Its tensors, in the order of Params.
  virtual std::vector<ParameterSpec> parameters() const { return {}; }

  // Output shape and memory for an input shape; throws Error(usage) when the layer cannot take it.
  virtual Plan plan(Shape in, Mode mode) const = 0;
  // Valid frames of y for n >= 0 valid frames of x. Layers that remove time return 1.
  virtual Index out_length(Index n) const { return n; }
  // How many sums a shard gives at each synchronisation point of a pass in training.
  virtual std::vector<Index> sync_points(Pass) const { return {}; }
  // Multiply-adds of one forward pass over one sample with shape.time valid frames.
  virtual double multiply_adds(Shape) const { return 0; }

  // Scalars of the weights in the form that the products want (core/gemm.h), and their packing: once per step in
  // training, once per model in inference, then read by every shard and thread through Frame::packed.
  virtual Index packed_weights_size(const Packing&) const { return 0; }
  virtual void pack_weights(Params<const S>, const Packing&, S* /*packed*/) const noexcept {}

  // Writes all of y.
  virtual void forward(Params<const S> p, SeqView<const S> x, SeqView<S> y, const Frame<S>& f) const noexcept = 0;
  // Adds to grads, overwrites dx. dx.data == nullptr: the input's gradient is not wanted. x and y are those of forward.
  virtual void backward(Params<const S> p, SeqView<const S> x, SeqView<const S> y, SeqView<const S> dy, SeqView<S> dx,
                        const Frame<S>& f, Params<S> grads) const noexcept = 0;
  // Changes parameters that are not trained by gradients (moving statistics), after the optimizer's step. Once a batch;
  // of the frame it may read mode and totals alone.
  virtual void commit(const Frame<S>&, Params<S>) const noexcept {}
};

// How models and blocks hold their layers, which they may share.
template <class S>
using LayerPtr = std::shared_ptr<const Layer<S>>;

}  // namespace serene
