#include "serene/nn/inference_model.h"

#include <utility>

namespace serene {

const std::vector<std::string>& precision_names() {
  static const std::vector<std::string> names = {"full", "bf16", "int8"};
  return names;
}

const char* precision_name(Precision precision) noexcept {
  switch (precision) {
    case Precision::full:
      return "full";
    case Precision::bf16:
      return "bf16";
    case Precision::int8:
      return "int8";
  }
  return "full";
}

Precision parse_precision(const std::string& name) {
  for (const Precision p : {Precision::full, Precision::bf16, Precision::int8}) {
    if (name == precision_name(p)) return p;
  }
  throw Error(ErrorCode::usage, "precision", "unknown").expected("full, bf16 or int8").got(printable(name, 40));
}

template <class S>
InferenceModel<S>::InferenceModel(const Model<S>& model, std::vector<S> params, Precision precision)
    : folded_(fold(model, std::move(params))), weights_(folded_.model, Packing{Mode::inference, precision}) {
  ThreadPool pool(1);
  weights_.pack(folded_.params, pool);
}

template class InferenceModel<float>;
template class InferenceModel<double>;

}  // namespace serene
