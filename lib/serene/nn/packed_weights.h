// A model's weights in the form its products want (core/gemm.h): packed once per training step, or once per model for
// inference, and then only read, by any number of executors and threads.
#pragma once

#include <span>
#include <vector>

#include "serene/core/arena.h"
#include "serene/core/thread_pool.h"
#include "serene/nn/model.h"

namespace serene {

template <class S>
class PackedWeights {
 public:
  // Plans and allocates. model must outlive the weights. Throws Error(usage) for int8 in training and when
  // memory is short.
  PackedWeights(const Model<S>& model, const Packing& packing);

  // Packs `params` (model.layout().size scalars), which must stay valid and unchanged until the next call: biases are
  // read from there. Not while a pass is running. Allocates nothing.
  void pack(std::span<const S> params, ThreadPool& pool);

  const Model<S>& model() const noexcept { return model_; }
  const Packing& packing() const noexcept { return packing_; }
  std::span<const S> params() const noexcept { return params_; }
  // What layer i finds in Frame::packed.
  const S* packed(Index i) const noexcept { return arena_.at(offsets_[static_cast<std::size_t>(i)]); }
  std::size_t bytes() const noexcept { return arena_.bytes(); }

 private:
  const Model<S>& model_;
  Packing packing_;
  std::span<const S> params_;
  std::vector<Index> offsets_;  // per layer
  Arena<S> arena_;
};

extern template class PackedWeights<float>;
extern template class PackedWeights<double>;

}  // namespace serene
