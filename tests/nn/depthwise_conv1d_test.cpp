#include "serene/nn/depthwise_conv1d.h"

#include <doctest/doctest.h>

#include "layer_suite.h"
#include "serene/nn/conv1d.h"

namespace serene {
namespace {

auto make_depthwise(Index channels, Window w, Activation a = Activation::linear, bool use_bias = true) {
  return [=](auto s) { return std::make_shared<const DepthwiseConv1D<decltype(s)>>(channels, w, a, use_bias); };
}

// The definition: an explicitly padded input and three loops, with the output length counted, not computed.
test::NaiveReference naive_depthwise(Window w, bool use_bias) {
  return [=](Params<const double> p, const double* x, Index n, Index channels) {
    const Index reach = (w.size - 1) * w.dilation;
    Index front = 0, back = 0;
    if (w.padding == Padding::causal) front = reach;
    if (w.padding == Padding::same) {
      Index out = 0;
      for (Index t = 0; t < n; t += w.stride) ++out;
      while ((out - 1) * w.stride + reach + 1 > n + front + back) (front < back ? front : back) += 1;
    }
    std::vector<double> y;
    for (Index start = -front; start + reach < n + back; start += w.stride) {
      for (Index c = 0; c < channels; ++c) {
        double sum = use_bias ? p[1][c] : 0;
        for (Index j = 0; j < w.size; ++j) {
          const Index t = start + j * w.dilation;
          if (t >= 0 && t < n) sum += x[t * channels + c] * p[0][j * channels + c];
        }
        y.push_back(sum);
      }
    }
    return y;
  };
}

}  // namespace

TEST_CASE("depthwise_conv1d passes the layer suite for every padding, stride and dilation") {
  for (const Padding padding : {Padding::valid, Padding::same, Padding::causal}) {
    for (const Index k : {1, 2, 3, 5, 8}) {  // 8: more taps than one pass takes
      for (const Index stride : {1, 2, 3}) {
        for (const Index dilation : {1, 2}) {
          const Window w{k, stride, dilation, padding};
          const std::string name = std::string("depthwise ") + padding_name(padding) + " k" + std::to_string(k) + " s" +
                                   std::to_string(stride) + " d" + std::to_string(dilation);
          test::run_layer_suite(name, make_depthwise(3, w), {.channels = 3, .reference = naive_depthwise(w, true)});
        }
      }
    }
  }
}

TEST_CASE("depthwise_conv1d with fused activations, without bias, wide, and longer than the sample") {
  for (const std::string& name : activation_names()) {
    const Window w{3, 1, 1, Padding::same};
    test::run_layer_suite("depthwise " + name, make_depthwise(2, w, parse_activation(name)),
                          {.channels = 2, .time = 6});
  }
  const Window beyond{11, 2, 3, Padding::same};
  test::run_layer_suite("depthwise, long kernel", make_depthwise(2, beyond, Activation::relu, false),
                        {.channels = 2, .time = 5});
  const Window usual{5, 1, 1, Padding::same};
  test::run_layer_suite("depthwise, 37 channels", make_depthwise(37, usual),
                        {.channels = 37, .batch = 2, .time = 7, .reference = naive_depthwise(usual, true)});
}

TEST_CASE("depthwise_conv1d is conv1d with a diagonal kernel") {
  constexpr Index channels = 6, taps = 4;
  const Window w{taps, 2, 1, Padding::same};
  const DepthwiseConv1D<double> layer(channels, w, Activation::gelu);
  const Conv1D<double> full(channels, channels, w, Activation::gelu);
  LayerRunner<double> narrow(layer, {2, 11, channels}, Mode::training, {11, 6}),
      wide(full, {2, 11, channels}, Mode::training, {11, 6});
  narrow.randomize(1);
  std::copy_n(narrow.x.data(), narrow.x.size(), wide.x.data());
  std::copy_n(narrow.dy.data(), narrow.dy.size(), wide.dy.data());
  for (Index j = 0; j < taps; ++j)
    for (Index c = 0; c < channels; ++c)
      wide.parameter(0)[(j * channels + c) * channels + c] = narrow.parameter(0)[j * channels + c];
  std::copy_n(narrow.parameter(1), channels, wide.parameter(1));
  narrow.forward();
  narrow.backward();
  wide.forward();
  wide.backward();
  for (Index i = 0; i < narrow.y.size(); ++i) CHECK(narrow.y[i] == doctest::Approx(wide.y[i]).epsilon(1e-12));
  for (Index i = 0; i < narrow.dx.size(); ++i) CHECK(narrow.dx[i] == doctest::Approx(wide.dx[i]).epsilon(1e-12));
  for (Index j = 0; j < taps; ++j)
    for (Index c = 0; c < channels; ++c)
      CHECK(narrow.gradient(0)[j * channels + c] ==
            doctest::Approx(wide.gradient(0)[(j * channels + c) * channels + c]).epsilon(1e-12));
}

TEST_CASE("depthwise_conv1d: parameters, cost and what it refuses") {
  const DepthwiseConv1D<float> layer(8, {5, 2, 1, Padding::same});
  const auto specs = layer.parameters();
  REQUIRE(specs.size() == 2);
  CHECK(specs[0].shape == std::vector<Index>{5, 8, 1});
  CHECK(specs[1].shape == std::vector<Index>{8});
  CHECK(DepthwiseConv1D<float>(8, {5}, Activation::linear, false).parameters().size() == 1);
  CHECK(layer.multiply_adds({1, 21, 8}) == 11 * 5 * 8);
  CHECK(layer.plan({2, 21, 8}, Mode::inference).out == Shape{2, 11, 8});
  CHECK_THROWS_AS(layer.plan({1, 4, 7}, Mode::training), Error);
  CHECK_THROWS_AS(DepthwiseConv1D<float>(0, {3}), Error);
  CHECK_THROWS_AS(DepthwiseConv1D<float>(3, {0}), Error);
  CHECK_THROWS_AS(DepthwiseConv1D<float>(3, {3, 0}), Error);
}

}  // namespace serene
