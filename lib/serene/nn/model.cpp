#include "serene/nn/model.h"

#include <set>

namespace serene {
namespace {

// Long enough that no sensible chain of strides and valid convolutions runs out of frames.
constexpr Index kProbeFrames = 1 << 14;

}  // namespace

template <class S>
Model<S>::Model(std::vector<NamedLayer<S>> layers, Index input_channels)
    : layers_(std::move(layers)), input_channels_(input_channels) {
  if (layers_.empty()) throw Error(ErrorCode::usage, "model", "has no layers");
  if (input_channels_ < 1) throw Error(ErrorCode::usage, "model", "needs at least one input channel");
  std::set<std::string> names, parameters;
  for (Index i = 0; i < layer_count(); ++i) {
    if (!names.insert(name(i)).second) throw Error(ErrorCode::usage, "model." + name(i), "two layers of one name");
    first_.push_back(static_cast<Index>(offsets_.size()));
    for (ParameterSpec& spec : layer(i).parameters()) {
      constexpr Index unit = 16;  // 64 bytes of float: every tensor starts on a cache line
      layout_.entries.push_back({name(i) + "." + spec.name, spec, i, layout_.size});
      if (!parameters.insert(layout_.entries.back().name).second) {
        throw Error(ErrorCode::usage, "model." + name(i), "two parameters of one name")
            .got(spec.name)
            .hint("give the layers inside a block names of their own");
      }
      offsets_.push_back(layout_.size);
      layout_.size += (spec.size() + unit - 1) / unit * unit;
    }
  }
  output_channels_ = shapes({1, kProbeFrames, input_channels_}).back().channels;
}

template <class S>
Index Model<S>::trainable_count() const noexcept {
  Index n = 0;
  for (const auto& e : layout_.entries) n += e.spec.trainable ? e.spec.size() : 0;
  return n;
}

template <class S>
Index Model<S>::parameter_count() const noexcept {
  Index n = 0;
  for (const auto& e : layout_.entries) n += e.spec.size();
  return n;
}

template <class S>
std::vector<Shape> Model<S>::shapes(Shape in) const {
  if (in.channels != input_channels_) {
    throw Error(ErrorCode::usage, "model", "wrong number of features a frame")
        .expected(std::to_string(input_channels_))
        .got(std::to_string(in.channels));
  }
  std::vector<Shape> out;
  for (Index i = 0; i < layer_count(); ++i) {
    in = with_context("model." + name(i), [&] { return layer(i).plan(in, Mode::inference).out; });
    out.push_back(in);
  }
  return out;
}

template class Model<float>;
template class Model<double>;

}  // namespace serene
