// A trained model ready to answer: folded (fold.h) and packed once, then shared by every executor, thread and call.
//
//   const InferenceModel<float> inference(model, params, Precision::bf16);
//   Executor<float> run(inference.weights(), options, pool);  // one per thread or call: activations alone
//   run.forward(x);
#pragma once

#include <string>
#include <vector>

#include "serene/nn/fold.h"
#include "serene/nn/packed_weights.h"

namespace serene {

// "full", "bf16", "int8". parse throws Error(usage) that lists them.
const std::vector<std::string>& precision_names();
const char* precision_name(Precision precision) noexcept;
Precision parse_precision(const std::string& name);

// Immutable: const means thread-safe. Stays where it is, executors refer to it.
template <class S>
class InferenceModel {
 public:
  // params: model.layout().size scalars. The model is only read here. Throws Error when they do not belong together or
  // memory is short.
  InferenceModel(const Model<S>& model, std::vector<S> params, Precision precision = Precision::full);
  InferenceModel(const InferenceModel&) = delete;
  InferenceModel& operator=(const InferenceModel&) = delete;

  const Model<S>& model() const noexcept { return folded_.model; }  // folded
  const PackedWeights<S>& weights() const noexcept { return weights_; }
  Precision precision() const noexcept { return weights_.packing().precision; }  // as packed
  // As Model.
  Index input_channels() const noexcept { return folded_.model.input_channels(); }
  Index output_channels() const noexcept { return folded_.model.output_channels(); }
  // Memory of the weights in both forms.
  std::size_t bytes() const noexcept { return folded_.params.size() * sizeof(S) + weights_.bytes(); }

 private:
  Folded<S> folded_;
  PackedWeights<S> weights_;
};

extern template class InferenceModel<float>;
extern template class InferenceModel<double>;

}  // namespace serene
