// Depthwise convolution, and layers that hold other layers, against the reference vectors.
#include <memory>
#include <string>
#include <vector>

#include "golden_case.h"
#include "golden_layer.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/depthwise_conv1d.h"
#include "serene/nn/highway.h"
#include "serene/nn/layer_norm.h"
#include "serene/nn/lstm.h"
#include "serene/nn/residual.h"
#include "serene/nn/squeeze_excitation.h"

namespace serene::golden {
namespace {

template <class S>
void run_depthwise(const GoldenCase& c, GoldenCheck<S>& check) {
  const Window window{c.integer("kernel_size"), c.integer("strides"), c.integer("dilation_rate"),
                      parse_padding(c.text("padding"))};
  const DepthwiseConv1D<S> layer(c.shape("in.x").channels, window, parse_activation(c.text("activation")),
                                 c.boolean("use_bias"));
  run_layer_case<S>(layer, c, check);
}
const RegisterRunner depthwise("DepthwiseConv1D", run_depthwise<double>, run_depthwise<float>);

template <class S>
void run_squeeze_excitation(const GoldenCase& c, GoldenCheck<S>& check) {
  run_layer_case<S>(SqueezeExcitation<S>(c.shape("in.x").channels, c.integer("units")), c, check);
}
const RegisterRunner squeeze_excitation("SqueezeExcitation", run_squeeze_excitation<double>,
                                        run_squeeze_excitation<float>);

template <class S>
void run_highway(const GoldenCase& c, GoldenCheck<S>& check) {
  const Index channels = c.shape("in.x").channels;
  std::vector<NamedLayer<S>> parts;
  if (c.text("inner") == "lstm") {
    parts.push_back({"lstm", std::make_shared<const Lstm<S>>(channels, RecurrentOptions{.units = channels})});
  } else {
    parts.push_back({"dense", std::make_shared<const Dense<S>>(channels, channels, Activation::tanh)});
  }
  run_layer_case<S>(Highway<S>(channels, std::move(parts)), c, check);
}
const RegisterRunner highway("Highway", run_highway<double>, run_highway<float>);

template <class S>
void run_residual(const GoldenCase& c, GoldenCheck<S>& check) {
  const Index channels = c.shape("in.x").channels, wide = c.hyper.at("filters").at(0).get<Index>(),
              last = c.hyper.at("filters").at(1).get<Index>(), stride = c.integer("strides");
  const Padding padding = parse_padding(c.text("padding"));
  const auto conv = [](Index in, Index out, Window w, Activation a = Activation::linear) {
    return std::make_shared<const Conv1D<S>>(in, out, w, a);
  };
  std::vector<NamedLayer<S>> body{{"conv1", conv(channels, wide, {3, stride, 1, padding}, Activation::relu)},
                                  {"conv2", conv(wide, last, {3, 1, 1, padding})}},
      beside{{"conv", conv(channels, last, {1, stride, 1, Padding::valid})},
             {"norm", std::make_shared<const LayerNorm<S>>(last, c.number("epsilon"))}};
  const Residual<S> layer(channels, std::move(body), parse_activation(c.text("activation")),
                          std::make_shared<const LayerChain<S>>(std::move(beside), "shortcut"));
  run_layer_case<S>(layer, c, check);
}
const RegisterRunner residual("Residual", run_residual<double>, run_residual<float>);

}  // namespace
}  // namespace serene::golden
