#include "serene/nn/executor.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "serene/core/wide_loop.h"

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
  for (Index i = 0; i < model_.layer_count(); ++i) {
    const bool coupled = model_.layer(i).couples_batch(options_.mode);
    if (coupled || segments_.empty() || segments_.back().coupled) {
      segments_.push_back({i, i + 1, coupled});
    } else {
      segments_.back().last = i + 1;
    }
  }
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

// Inference keeps only what crosses a segment; training keeps every activation for backward.
template <class S>
bool Executor<S>::kept(Index boundary) const {
  if (boundary == 0) return false;  // the caller's memory
  if (options_.mode == Mode::training || options_.keep_activations) return true;
  return std::any_of(segments_.begin(), segments_.end(), [&](const Segment& s) { return s.last == boundary; });
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
  for (const Segment& s : segments_) {
    for (Index i = s.first; i < s.last; ++i) {
      Shape part = in;
      if (!s.coupled) part.batch = shard;
      const Plan p = with_context("model." + model_.name(i), [&] { return model_.layer(i).plan(part, options_.mode); });
      scratch = std::max(scratch, p.scratch);
      constexpr Index unit = 16;
      saved_stride_.push_back((p.saved + unit - 1) / unit * unit);
      saved_.push_back(arena_.reserve(saved_stride_.back() * (s.coupled ? 1 : (training ? shards : workers))));
      in = {options_.max_batch, p.out.time, p.out.channels};
      widest = std::max(widest, in.time * in.channels);
      if (kept(i + 1)) output_[static_cast<std::size_t>(i + 1)] = arena_.reserve(in.size());
      const bool crosses = i + 1 == s.last;
      if (training && crosses) gradient_[static_cast<std::size_t>(i + 1)] = arena_.reserve(in.size());
    }
  }
  if (training && options_.input_gradient) {
    gradient_[0] = arena_.reserve(options_.max_batch * options_.max_time * model_.input_channels());
  }
  for (Index w = 0; w < workers; ++w) {
    scratch_.push_back(arena_.reserve(scratch));
    ping_.push_back(arena_.reserve(widest * shard));
    pong_.push_back(arena_.reserve(widest * shard));
  }
  if (training) {
    for (Index s = 0; s < shards; ++s) shard_grads_.push_back(arena_.reserve(model_.layout().size));
    grads_ = arena_.reserve(model_.layout().size);
  }
  if (bytes() > options_.max_bytes) {
    throw Error(ErrorCode::usage, "memory",
                "the model needs too much for " +
                    to_string(Shape{options_.max_batch, options_.max_time, model_.input_channels()}))
        .expected("at most " + std::to_string(options_.max_bytes >> 20) + " MiB")
        .got(std::to_string(bytes() >> 20) + " MiB");
  }
  arena_.allocate();
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
void Executor<S>::forward_run(const Segment& s, Index shard, Index worker) {
  SeqView<const S> x = slice(s.first == 0 ? input_ : SeqView<const S>(view(s.first)), shard);
  for (Index i = s.first; i < s.last; ++i) {
    SeqView<S> y = slice(view(i + 1), shard);
    if (y.data == nullptr)
      y.data = arena_.at(((i - s.first) % 2 == 0 ? ping_ : pong_)[static_cast<std::size_t>(worker)]);
    model_.layer(i).forward(params(i), x, y, frame(i, shard, worker));
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
  shapes_[0] = x.shape;
  for (Index b = 0; b < batch_; ++b) lengths_[0][static_cast<std::size_t>(b)] = x.length(b);
  for (Index i = 0; i < model_.layer_count(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    shapes_[at + 1] = model_.layer(i).plan(shapes_[at], options_.mode).out;
    for (std::size_t b = 0; b < static_cast<std::size_t>(batch_); ++b) {
      lengths_[at + 1][b] = model_.layer(i).out_length(lengths_[at][b]);
    }
  }
  for (const Segment& s : segments_) {
    if (s.coupled) {
      const SeqView<const S> in = s.first == 0 ? input_ : SeqView<const S>(view(s.first));
      model_.layer(s.first).forward(params(s.first), in, view(s.last), frame(s.first, 0, 0));
    } else {
      pool_.run(shard_count(), [&](Index shard, int worker) { forward_run(s, shard, worker); });
    }
  }
  return view(model_.layer_count());
}

template <class S>
void Executor<S>::backward_run(const Segment& s, Index shard, Index worker) {
  S* const grads = arena_.at(shard_grads_[static_cast<std::size_t>(shard)]);
  const auto boundary_gradient = [&](Index boundary) {
    SeqView<S> v = view(boundary);
    const Index at = gradient_[static_cast<std::size_t>(boundary)];
    v.data = at < 0 ? nullptr : arena_.at(at);
    return slice(v, shard);
  };
  SeqView<const S> dy = boundary_gradient(s.last);
  for (Index i = s.last - 1; i >= s.first; --i) {
    const SeqView<const S> x = slice(i == 0 ? input_ : SeqView<const S>(view(i)), shard), y = slice(view(i + 1), shard);
    SeqView<S> dx = boundary_gradient(i);
    if (i > s.first) dx.data = arena_.at((i % 2 == 0 ? ping_ : pong_)[static_cast<std::size_t>(worker)]);
    if (i == 0) dx.shape = shapes_[0], dx.shape.batch = x.shape.batch, dx.lengths = x.lengths;
    model_.layer(i).backward(params(i), x, y, dy, dx, frame(i, shard, worker), model_.params(i, grads));
    dy = dx;
  }
}

template <class S>
void Executor<S>::backward_coupled(const Segment& s) {
  const Index i = s.first;
  const auto gradient = [&](Index boundary) {
    SeqView<S> v = view(boundary);
    const Index at = gradient_[static_cast<std::size_t>(boundary)];
    v.data = at < 0 ? nullptr : arena_.at(at);
    return v;
  };
  const SeqView<const S> x = i == 0 ? input_ : SeqView<const S>(view(i));
  model_.layer(i).backward(params(i), x, view(i + 1), gradient(i + 1), gradient(i), frame(i, 0, 0),
                           model_.params(i, arena_.at(grads_)));
}

template <class S>
std::span<const S> Executor<S>::backward(const S* dlogits) {
  if (options_.mode != Mode::training || batch_ < 1)
    throw Error(ErrorCode::internal, "executor", "backward without forward");
  const Index last = model_.layer_count();
  std::copy_n(dlogits, shapes_[static_cast<std::size_t>(last)].size(),
              arena_.at(gradient_[static_cast<std::size_t>(last)]));
  const Index shards = shard_count();
  const auto size = static_cast<std::size_t>(model_.layout().size);
  std::memset(arena_.at(grads_), 0, size * sizeof(S));  // coupling layers add to it at once
  pool_.run(shards, [&](Index shard, int) {
    std::memset(arena_.at(shard_grads_[static_cast<std::size_t>(shard)]), 0, size * sizeof(S));
  });
  for (auto s = segments_.rbegin(); s != segments_.rend(); ++s) {
    if (s->coupled) {
      backward_coupled(*s);
    } else {
      pool_.run(shards, [&](Index shard, int worker) { backward_run(*s, shard, worker); });
    }
  }
  reduce_gradients();
  return {arena_.at(grads_), size};
}

template <class S>
void Executor<S>::reduce_gradients() {
  const Index size = model_.layout().size, shards = shard_count();
  constexpr Index range =
      2048;  // scalars, so that the sum stays in L1; fixed, so that the work's cut does not depend on the threads
  pool_.run((size + range - 1) / range, [&](Index r, int) {
    const Index begin = r * range, count = std::min(range, size - begin);
    S* const sum = arena_.at(grads_) + begin;
    for (Index s = 0; s < shards; ++s) {
      const S* part = arena_.at(shard_grads_[static_cast<std::size_t>(s)]) + begin;
      wide_loop([=]() SERENE_WIDE {
#pragma GCC ivdep
        for (Index j = 0; j < count; ++j) sum[j] += part[j];
      });
    }
  });
}

template <class S>
void Executor<S>::commit(std::span<S> params) const {
  for (const Segment& s : segments_) {
    // A coupling layer keeps one state for the batch; other layers have none to commit.
    if (s.coupled) model_.layer(s.first).commit(frame(s.first, 0, 0), model_.params(s.first, params.data()));
  }
}

template class Executor<float>;
template class Executor<double>;

}  // namespace serene
