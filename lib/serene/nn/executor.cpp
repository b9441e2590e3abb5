#include "serene/nn/executor.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "serene/core/wide_loop.h"
#include "serene/nn/slices.h"

namespace serene {
namespace {

constexpr Index kTrainingShard = 8;  // samples: few enough for the cache, enough for the recurrent products
constexpr Index kMostInferred = 8;

}  // namespace

template <class S>
Executor<S>::Executor(const Model<S>& model, const ExecutorOptions& options, ThreadPool& pool)
    : model_(model),
      options_(options),
      pool_(pool),
      own_(std::make_unique<PackedWeights<S>>(model, Packing{options.mode, options.precision})),
      weights_(own_.get()) {
  plan();
}

template <class S>
Executor<S>::Executor(const PackedWeights<S>& weights, const ExecutorOptions& options, ThreadPool& pool)
    : model_(weights.model()), options_(options), pool_(pool), weights_(&weights) {
  if (weights.packing().mode != options.mode) throw Error(ErrorCode::internal, "executor", "weights of another mode");
  options_.precision = weights.packing().precision;
  plan();
}

template <class S>
void Executor<S>::plan() {
  if (options_.max_batch < 1 || options_.max_time < 1 || options_.shard < 0) {
    throw Error(ErrorCode::usage, "executor", "batch and time must be at least 1, shard at least 0");
  }
  for (Index i = 0; i < model_.layer_count(); ++i) sync_.emplace_back(model_.layer(i));
  const bool shared = options_.mode == Mode::training && options_.communicator != nullptr;
  shard_bounds_.resize(shared ? static_cast<std::size_t>(options_.communicator->size()) + 1 : 2);
  sample_bounds_.resize(shard_bounds_.size());
  plan_memory();
}

// Inference may choose, since a sample's bits do not depend on its shard: equal shards, the same number for each
// thread.
template <class S>
Index Executor<S>::shard_for(Index batch) const {
  if (options_.shard > 0) return options_.shard;
  if (options_.mode == Mode::training) return kTrainingShard;
  const Index threads = pool_.threads(), rounds = (batch + kMostInferred * threads - 1) / (kMostInferred * threads);
  return (batch + rounds * threads - 1) / (rounds * threads);
}

// Training keeps every activation for backward; inference the last alone, unless asked for.
template <class S>
bool Executor<S>::kept(Index boundary) const {
  if (boundary == 0) return false;  // the caller's memory
  return options_.mode == Mode::training || options_.keep_activations || boundary == model_.layer_count();
}

// Whether the gradient there must outlive a phase: beside layers that stop in backward, and at the ends.
template <class S>
bool Executor<S>::passes_gradient(Index boundary) const {
  if (options_.mode != Mode::training) return false;
  if (boundary == model_.layer_count()) return true;
  const auto at = static_cast<std::size_t>(boundary);
  if (boundary == 0) return options_.input_gradient;
  return sync_[at - 1].backward.points > 0 || sync_[at].backward.points > 0;
}

template <class S>
void Executor<S>::plan_points(Points& points, Pass pass) {
  const Index layers = model_.layer_count();
  Index total = 0;
  for (Index i = 0; i < layers; ++i) {
    for (Index sums : model_.layer(pass == Pass::forward ? i : layers - 1 - i).sync_points(pass)) {
      points.sums.push_back(sums);
      points.first.push_back(total);
      total += sums;
      partial_stride_ = std::max(partial_stride_, part_size(sums));
    }
  }
  points.totals = sums_.reserve(total);
}

template <class S>
void Executor<S>::plan_memory() {
  const bool training = options_.mode == Mode::training;
  const Index layers = model_.layer_count(), workers = pool_.threads();
  Index shard = 0;  // the largest of any batch
  for (Index batch = 1; batch <= options_.max_batch; ++batch)
    shard = std::max(shard, std::min(batch, shard_for(batch)));
  const Index shards = (options_.max_batch + shard - 1) / shard;
  const auto boundaries = static_cast<std::size_t>(layers + 1);
  output_.assign(boundaries, -1), gradient_.assign(boundaries, -1);
  shapes_.assign(boundaries, {}),
      lengths_.assign(boundaries, std::vector<Index>(static_cast<std::size_t>(options_.max_batch)));

  Shape in{options_.max_batch, options_.max_time, model_.input_channels()};
  Index scratch = 0, widest = in.time * in.channels;
  for (Index i = 0; i <= layers; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (kept(i)) output_[at] = arena_.reserve(in.size());
    if (passes_gradient(i)) gradient_[at] = arena_.reserve(in.size());
    if (i == layers) break;
    const Shape part{shard, in.time, in.channels};
    const Plan p = with_context("model." + model_.name(i), [&] { return model_.layer(i).plan(part, options_.mode); });
    scratch = std::max(scratch, p.scratch);
    saved_stride_.push_back(part_size(p.saved));
    saved_.push_back(arena_.reserve(saved_stride_.back() * (training ? shards : workers)));
    in = {options_.max_batch, p.out.time, p.out.channels};
    widest = std::max(widest, in.time * in.channels);
  }
  for (Index w = 0; w < workers; ++w) {
    scratch_.push_back(arena_.reserve(scratch));
    ping_.push_back(arena_.reserve(widest * shard));
    pong_.push_back(arena_.reserve(widest * shard));
  }
  if (training) {
    shard_grads_ = arena_.reserve(shards * model_.layout().size);
    grads_ = arena_.reserve(model_.layout().size);
    plan_points(forward_points_, Pass::forward);
    plan_points(backward_points_, Pass::backward);
    partials_ = sums_.reserve(shards * partial_stride_);
  }
  if (bytes() > options_.max_bytes) {
    throw Error(ErrorCode::usage, "memory",
                "the model needs too much for " +
                    to_string(Shape{options_.max_batch, options_.max_time, model_.input_channels()}))
        .expected("at most " + std::to_string(options_.max_bytes >> 20) + " MiB")
        .got(std::to_string(bytes() >> 20) + " MiB");
  }
  arena_.allocate();
  sums_.allocate();
}

template <class S>
SeqView<S> Executor<S>::view(Index boundary) const {
  const auto b = static_cast<std::size_t>(boundary);
  S* data = output_[b] < 0 ? nullptr : arena_.at(output_[b]);
  return {data, shapes_[b], input_.lengths != nullptr ? lengths_[b].data() : nullptr};
}

template <class S>
SeqView<const S> Executor<S>::input_gradient() const {
  return {arena_.at(gradient_[0]), shapes_[0], input_.lengths};
}

template <class S>
template <class V>
SeqView<V> Executor<S>::slice(SeqView<V> v, Index shard) const {
  const Index first = shard * shard_;
  v.shape.batch = std::min(shard_, batch_ - first);
  if (v.data != nullptr) v.data += first * v.shape.time * v.shape.channels;
  if (v.lengths != nullptr) v.lengths += first;
  return v;
}

template <class S>
Frame<S> Executor<S>::frame(Index layer, Index shard, Index worker) const {
  const auto l = static_cast<std::size_t>(layer), w = static_cast<std::size_t>(worker);
  // In inference nothing is kept after the call, so the workers' places are enough.
  const Index place = options_.mode == Mode::training ? shard : worker;
  Frame<S> f;
  f.saved = arena_.at(saved_[l] + place * saved_stride_[l]);
  f.scratch = arena_.at(scratch_[w]);
  f.packed = weights_->packed(layer);
  f.mode = options_.mode;
  f.precision = options_.precision;
  f.seed = seed_, f.step = step_, f.key = static_cast<std::uint64_t>(layer);
  f.first_sample = shard * shard_;
  return f;
}

template <class S>
SeqView<S> Executor<S>::gradient_view(Index boundary, Index shard) const {
  SeqView<S> v = view(boundary);
  const Index at = gradient_[static_cast<std::size_t>(boundary)];
  v.data = at < 0 ? nullptr : arena_.at(at);
  return slice(v, shard);
}

// Runs a pass over all shards, from one synchronisation point to the next. run(frame, shard, worker): the frame says
// the phase and the totals.
template <class S>
template <class Run>
void Executor<S>::in_phases(const Points& points, Run&& run) {
  for (Index phase = 0; phase <= points.count(); ++phase) {
    pool_.run(own_shards_, [&](Index task, int worker) {
      const Index shard = first_shard_ + task;
      Frame<S> f;
      f.mode = options_.mode;
      f.phase = phase;
      if (points.count() > 0) {
        f.partial = sums_.at(partials_ + shard * partial_stride_);
        f.totals = sums_.at(points.totals);
      }
      run(f, shard, worker);
    });
    if (phase < points.count()) add_partials(points, phase);
  }
}

// Who runs which shards of the batch in work.
template <class S>
void Executor<S>::share_shards() {
  share_out(shard_count(), shard_bounds_);
  for (std::size_t r = 0; r < shard_bounds_.size(); ++r)
    sample_bounds_[r] = std::min(shard_bounds_[r] * shard_, batch_);
  const auto own = static_cast<std::size_t>(shard_bounds_.size() > 2 ? options_.communicator->rank() : 0);
  first_shard_ = shard_bounds_[own], own_shards_ = shard_bounds_[own + 1] - first_shard_;
}

template <class S>
std::pair<Index, Index> Executor<S>::own_samples(Index batch) const {
  if (shard_bounds_.size() <= 2) return {0, batch};
  const Index shard = shard_for(batch), shards = (batch + shard - 1) / shard;
  const auto begin = [&](Index rank) {
    return std::min(share_begin(shards, rank, options_.communicator->size()) * shard, batch);
  };
  const Index rank = options_.communicator->rank();
  return {begin(rank), begin(rank + 1)};
}

template <class S>
void Executor<S>::gather(void* rows, std::size_t row_bytes, std::span<const Index> bounds) const {
  if (bounds.size() > 2) options_.communicator->gather_rows(rows, row_bytes, bounds);
}

template <class S>
void Executor<S>::add_partials(const Points& points, Index point) {
  const auto at = static_cast<std::size_t>(point);
  gather(sums_.at(partials_), static_cast<std::size_t>(partial_stride_) * sizeof(double), shard_bounds_);
  double* total = sums_.at(points.totals + points.first[at]);
  std::fill_n(total, points.sums[at], 0.0);
  for (Index shard = 0; shard < shard_count(); ++shard) {
    const double* part = sums_.at(partials_ + shard * partial_stride_);
    for (Index i = 0; i < points.sums[at]; ++i) total[i] += part[i];
  }
}

template <class S>
void Executor<S>::forward_shard(const Frame<S>& phase, Index shard, Index worker) {
  PhaseWalk<S> walk(phase);
  SeqView<const S> x = slice(input_, shard);
  for (Index i = 0; i < model_.layer_count(); ++i) {
    SeqView<S> y = slice(view(i + 1), shard);
    if (y.data == nullptr) y.data = arena_.at((i % 2 == 0 ? ping_ : pong_)[static_cast<std::size_t>(worker)]);
    if (walk.enter(sync_[static_cast<std::size_t>(i)].forward)) {
      model_.layer(i).forward(params(i), x, y, walk.frame(frame(i, shard, worker)));
      if (walk.stops()) return;
    }
    x = y;
  }
}

template <class S>
void Executor<S>::check(SeqView<const S> x) const {
  if (x.shape.batch < 1 || x.shape.batch > options_.max_batch || x.shape.time < 1 || x.shape.time > options_.max_time ||
      x.shape.channels != model_.input_channels()) {
    throw Error(ErrorCode::internal, "executor", "batch does not fit the plan")
        .expected("at most " + to_string(Shape{options_.max_batch, options_.max_time, model_.input_channels()}))
        .got(to_string(x.shape));
  }
}

template <class S>
SeqView<const S> Executor<S>::forward(std::span<const S> params, SeqView<const S> x, std::uint64_t seed,
                                      std::uint64_t step) {
  if (own_ == nullptr) throw Error(ErrorCode::internal, "executor", "its weights are shared");
  own_->pack(params, pool_);
  return forward(x, seed, step);
}

template <class S>
SeqView<const S> Executor<S>::forward(SeqView<const S> x, std::uint64_t seed, std::uint64_t step) {
  check(x);
  input_ = x, batch_ = x.shape.batch, shard_ = shard_for(batch_), seed_ = seed, step_ = step;
  share_shards();
  shapes_[0] = x.shape;
  for (Index b = 0; b < batch_; ++b) lengths_[0][static_cast<std::size_t>(b)] = x.length(b);
  for (Index i = 0; i < model_.layer_count(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    shapes_[at + 1] = model_.layer(i).plan(shapes_[at], options_.mode).out;
    for (std::size_t b = 0; b < static_cast<std::size_t>(batch_); ++b) {
      lengths_[at + 1][b] = model_.layer(i).out_length(lengths_[at][b]);
    }
  }
  in_phases(forward_points_,
            [&](const Frame<S>& phase, Index shard, int worker) { forward_shard(phase, shard, worker); });
  const SeqView<S> y = view(model_.layer_count());
  gather(y.data, static_cast<std::size_t>(y.shape.time * y.shape.channels) * sizeof(S), sample_bounds_);
  return y;
}

template <class S>
void Executor<S>::backward_shard(const Frame<S>& phase, Index shard, Index worker) {
  S* const grads = arena_.at(shard_grads_ + shard * model_.layout().size);
  if (phase.phase == 0) std::memset(grads, 0, static_cast<std::size_t>(model_.layout().size) * sizeof(S));
  PhaseWalk<S> walk(phase);
  SeqView<const S> dy = gradient_view(model_.layer_count(), shard);
  for (Index i = model_.layer_count() - 1; i >= 0; --i) {
    const SeqView<const S> x = slice(i == 0 ? input_ : SeqView<const S>(view(i)), shard), y = slice(view(i + 1), shard);
    SeqView<S> dx = gradient_view(i, shard);
    if (i > 0 && dx.data == nullptr)
      dx.data = arena_.at((i % 2 == 0 ? ping_ : pong_)[static_cast<std::size_t>(worker)]);
    if (walk.enter(sync_[static_cast<std::size_t>(i)].backward)) {
      model_.layer(i).backward(params(i), x, y, dy, dx, walk.frame(frame(i, shard, worker)), model_.params(i, grads));
      if (walk.stops()) return;
    }
    dy = dx;
  }
}

template <class S>
std::span<const S> Executor<S>::backward(const S* dlogits) {
  if (options_.mode != Mode::training || batch_ < 1)
    throw Error(ErrorCode::internal, "executor", "backward without forward");
  const Index last = model_.layer_count();
  std::copy_n(dlogits, shapes_[static_cast<std::size_t>(last)].size(),
              arena_.at(gradient_[static_cast<std::size_t>(last)]));
  in_phases(backward_points_,
            [&](const Frame<S>& phase, Index shard, int worker) { backward_shard(phase, shard, worker); });
  reduce_gradients();
  return {arena_.at(grads_), static_cast<std::size_t>(model_.layout().size)};
}

template <class S>
void Executor<S>::reduce_gradients() {
  const Index size = model_.layout().size, shards = shard_count();
  gather(arena_.at(shard_grads_), static_cast<std::size_t>(size) * sizeof(S), shard_bounds_);
  constexpr Index range =
      2048;  // scalars, so that the sum stays in L1; fixed, so that the work's cut does not depend on the threads
  pool_.run((size + range - 1) / range, [&](Index r, int) {
    const Index begin = r * range, count = std::min(range, size - begin);
    S* const sum = arena_.at(grads_) + begin;
    std::copy_n(arena_.at(shard_grads_) + begin, count, sum);
    for (Index s = 1; s < shards; ++s) {
      const S* part = arena_.at(shard_grads_ + s * size) + begin;
      wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
        for (Index j = 0; j < count; ++j) sum[j] += part[j];
      });
    }
  });
}

template <class S>
void Executor<S>::commit(std::span<S> params) const {
  if (options_.mode != Mode::training) return;
  Frame<S> f;
  f.mode = options_.mode;
  f.totals = sums_.at(forward_points_.totals);
  for (Index i = 0; i < model_.layer_count(); ++i) {
    model_.layer(i).commit(f, model_.params(i, params.data()));
    f.totals += sync_[static_cast<std::size_t>(i)].forward.sums;
  }
}

template class Executor<float>;
template class Executor<double>;

}  // namespace serene
