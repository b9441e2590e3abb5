#include "serene/nn/packed_weights.h"

namespace serene {

template <class S>
PackedWeights<S>::PackedWeights(const Model<S>& model, const Packing& packing) : model_(model), packing_(packing) {
  if (packing.mode == Mode::training && packing.precision == Precision::int8) {
    throw Error(ErrorCode::usage, "precision", "int8 is for inference alone").hint("train in bf16 or float");
  }
  for (Index i = 0; i < model.layer_count(); ++i)
    offsets_.push_back(arena_.reserve(model.layer(i).packed_weights_size(packing)));
  arena_.allocate();
}

template <class S>
void PackedWeights<S>::pack(std::span<const S> params, ThreadPool& pool) {
  if (static_cast<Index>(params.size()) != model_.layout().size) {
    throw Error(ErrorCode::internal, "packed weights", "parameters of another model")
        .expected(std::to_string(model_.layout().size))
        .got(std::to_string(params.size()));
  }
  params_ = params;
  pool.run(model_.layer_count(), [&](Index i, int) {
    model_.layer(i).pack_weights(model_.params(i, params.data()), packing_,
                                 arena_.at(offsets_[static_cast<std::size_t>(i)]));
  });
}

template class PackedWeights<float>;
template class PackedWeights<double>;

}  // namespace serene
