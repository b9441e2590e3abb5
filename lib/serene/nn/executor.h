// Runs a model over batches: forward, backward, gradients, with memory planned once and work cut into fixed shards.
//
// A pass goes depth first, one shard of samples through all layers, so that activations are still in the cache when the
// next layer reads them; shards go to the threads of the pool. At the synchronisation points of the layers (batch norm
// in training, see nn/layer.h) all shards stop, their sums are added, and all go on with the totals. Gradients of the
// shards lie in buffers of their own. Sums and gradients are added in shard order: the bits do not depend on the
// threads.
//
// With a communicator, the shards of a training batch are shared out over the ranks, each of which runs its own; what
// is added up is gathered from all of them first, so that every rank gets the bits that one process alone would get.
//
// One executor serves one batch at a time; the model and its parameters are only read. After construction nothing
// allocates.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "serene/core/arena.h"
#include "serene/core/communicator.h"
#include "serene/core/thread_pool.h"
#include "serene/nn/model.h"
#include "serene/nn/packed_weights.h"
#include "serene/nn/phases.h"

namespace serene {

struct ExecutorOptions {
  Mode mode = Mode::inference;
  Index max_batch = 1;
  Index max_time = 1;  // frames
  // Samples that go through the layers together; in training part of the result's bits. 0: 8 in training; in inference
  // what suits the batch and the threads.
  Index shard = 0;
  Precision precision = Precision::full;  // of the products; shared weights say it themselves
  bool keep_activations = false;          // inference: keep every layer's output for activation(); training always does
  bool input_gradient = false;            // also the gradient of the input
  Communicator* communicator = nullptr;   // training: of the ranks that share the batch; nullptr: this process alone
  std::size_t max_bytes = std::numeric_limits<std::size_t>::max();  // a plan that needs more is refused
};

template <class S>
class Executor {
 public:
  // model and pool must outlive the executor. Throws Error(usage) when the model cannot take the shape, the plan
  // exceeds max_bytes or training is asked for in int8.
  Executor(const Model<S>& model, const ExecutorOptions& options, ThreadPool& pool);

  // The same with weights that somebody else has packed and shares; they say model and precision, and their mode must
  // be options.mode.
  Executor(const PackedWeights<S>& weights, const ExecutorOptions& options, ThreadPool& pool);

  // x: (batch, time, F) with batch <= max_batch, time <= max_time; x must stay valid until backward has run.
  // Returns the last layer's output (logits), valid until the next forward. seed and step key the random numbers
  // (dropout). With shared weights.
  // With a communicator: every rank gives the whole batch's shape and lengths, but only the samples of own_samples()
  // need be filled; the logits returned are those of all samples.
  SeqView<const S> forward(SeqView<const S> x, std::uint64_t seed = 0, std::uint64_t step = 0);
  // With parameters that may have changed since: packs them first. params must stay as they are until backward has run.
  SeqView<const S> forward(std::span<const S> params, SeqView<const S> x, std::uint64_t seed = 0,
                           std::uint64_t step = 0);

  // dlogits: (batch, 1, classes). Returns the gradient of every parameter (layout().size scalars), for the last
  // forward and its weights.
  std::span<const S> backward(const S* dlogits);

  // The samples [first, second) of a batch that this rank runs.
  std::pair<Index, Index> own_samples(Index batch) const;

  // Updates moving statistics from the last forward; after the optimizer's step.
  void commit(std::span<S> params) const;

  // Output of layer i and gradient of the input, for the last passes and the samples of this rank.
  SeqView<const S> activation(Index i) const { return view(i + 1); }
  SeqView<const S> input_gradient() const;

  // Memory held, packed weights of the executor's own included.
  std::size_t bytes() const noexcept { return arena_.bytes() + sums_.bytes() + (own_ != nullptr ? own_->bytes() : 0); }
  const ExecutorOptions& options() const noexcept { return options_; }

 private:
  // What the synchronisation points of a pass need: sums per point, and where their totals begin.
  struct Points {
    std::vector<Index> sums, first;
    Index totals = -1;  // in sums_

    Index count() const { return static_cast<Index>(sums.size()); }
  };

  void plan();
  void plan_points(Points& points, Pass pass);
  void plan_memory();
  bool passes_gradient(Index boundary) const;
  void check(SeqView<const S> x) const;
  Index shard_for(Index batch) const;
  Index shard_count() const { return (batch_ + shard_ - 1) / shard_; }
  bool kept(Index boundary) const;
  SeqView<S> view(Index boundary) const;
  template <class V>
  SeqView<V> slice(SeqView<V> v, Index shard) const;
  Frame<S> frame(Index layer, Index shard, Index worker) const;
  Params<const S> params(Index layer) const { return model_.params(layer, weights_->params().data()); }
  SeqView<S> gradient_view(Index boundary, Index shard) const;
  template <class Run>
  void in_phases(const Points& points, Run&& run);
  void add_partials(const Points& points, Index point);
  void share_shards();
  void gather(void* rows, std::size_t row_bytes, std::span<const Index> bounds) const;
  void forward_shard(const Frame<S>& phase, Index shard, Index worker);
  void backward_shard(const Frame<S>& phase, Index shard, Index worker);
  void reduce_gradients();

  const Model<S>& model_;
  ExecutorOptions options_;
  ThreadPool& pool_;
  std::unique_ptr<PackedWeights<S>> own_;
  const PackedWeights<S>* weights_;
  std::vector<LayerSync> sync_;  // per layer
  Points forward_points_, backward_points_;

  // Offsets in the arena. Boundary 0 is the input, boundary i + 1 the output of layer i; -1: none.
  Arena<S> arena_;
  std::vector<Index> output_, gradient_;      // per boundary, whole batch
  std::vector<Index> saved_, saved_stride_;   // per layer; stride from shard to shard
  std::vector<Index> scratch_, ping_, pong_;  // per worker
  Index shard_grads_ = -1;                    // per shard
  Index grads_ = -1;                          // their sum
  Arena<double> sums_;
  Index partials_ = -1, partial_stride_ = 0;  // of the point in work, per shard

  // Of the batch in work.
  Index batch_ = 0, shard_ = 0;                      // samples of the batch and of a shard
  Index first_shard_ = 0, own_shards_ = 0;           // this rank's
  std::vector<Index> shard_bounds_, sample_bounds_;  // of the ranks
  SeqView<const S> input_;
  std::vector<Shape> shapes_;                // per boundary
  std::vector<std::vector<Index>> lengths_;  // per boundary
  std::uint64_t seed_ = 0, step_ = 0;
};

extern template class Executor<float>;
extern template class Executor<double>;

}  // namespace serene
