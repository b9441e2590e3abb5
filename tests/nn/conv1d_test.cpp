#include "serene/nn/conv1d.h"

#include <doctest/doctest.h>

#include "layer_suite.h"

namespace serene {
namespace {

auto make_conv(Index channels, Index filters, Window w, Activation a = Activation::linear, bool use_bias = true) {
  return [=](auto s) { return std::make_shared<const Conv1D<decltype(s)>>(channels, filters, w, a, use_bias); };
}

// The definition: an explicitly padded input and three loops, with the output length counted, not computed.
test::NaiveReference naive_conv(Index filters, Window w, bool use_bias) {
  return [=](Params<const double> p, const double* x, Index n, Index channels) {
    const Index reach = (w.size - 1) * w.dilation;
    Index front = 0, back = 0;
    if (w.padding == Padding::causal) front = reach;
    if (w.padding == Padding::same) {
      Index out = 0;
      for (Index t = 0; t < n; t += w.stride) ++out;
      while ((out - 1) * w.stride + reach + 1 > n + front + back) (front < back ? front : back) += 1;
    }
    std::vector<double> padded(static_cast<std::size_t>((front + n + back) * channels), 0.0), y;
    std::copy_n(x, n * channels, padded.begin() + front * channels);
    for (Index start = 0; start + reach < front + n + back; start += w.stride) {
      for (Index f = 0; f < filters; ++f) {
        double sum = use_bias ? p[1][f] : 0;
        for (Index j = 0; j < w.size; ++j) {
          for (Index c = 0; c < channels; ++c) {
            sum += padded[static_cast<std::size_t>((start + j * w.dilation) * channels + c)] *
                   p[0][(j * channels + c) * filters + f];
          }
        }
        y.push_back(sum);
      }
    }
    return y;
  };
}

}  // namespace

TEST_CASE("conv1d passes the layer suite for every padding, stride and dilation") {
  for (const Padding padding : {Padding::valid, Padding::same, Padding::causal}) {
    for (const Index k : {1, 2, 3, 4, 7}) {
      for (const Index stride : {1, 2, 3}) {
        for (const Index dilation : {1, 2}) {
          const Window w{k, stride, dilation, padding};
          const std::string name = std::string("conv1d ") + padding_name(padding) + " k" + std::to_string(k) + " s" +
                                   std::to_string(stride) + " d" + std::to_string(dilation);
          test::run_layer_suite(name, make_conv(3, 4, w), {.channels = 3, .reference = naive_conv(4, w, true)});
        }
      }
    }
  }
}

TEST_CASE("conv1d with fused activations, without bias and with a window longer than the sample") {
  for (const std::string& name : activation_names()) {
    const Window w{3, 1, 1, Padding::same};
    test::run_layer_suite("conv1d " + name, make_conv(2, 3, w, parse_activation(name)), {.channels = 2, .time = 6});
  }
  const Window wide{11, 2, 3, Padding::same};
  test::run_layer_suite("conv1d wide", make_conv(2, 3, wide, Activation::relu, false), {.channels = 2, .time = 5});
  const Window one{1, 1, 1, Padding::valid};
  test::run_layer_suite("conv1d 1x1", make_conv(1, 1, one), {.channels = 1, .time = 3});
}

TEST_CASE("conv1d holds an impulse at its place") {
  const Conv1D<double> layer(1, 1, {3, 1, 1, Padding::same});
  LayerRunner<double> run(layer, {1, 7, 1}, Mode::inference);
  const double kernel[] = {2, 3, 5};
  std::copy_n(kernel, 3, run.parameter(0));
  run.x[3] = 1;
  run.poison_scratch();
  run.forward();
  const double expected[] = {0, 0, 5, 3, 2, 0, 0};
  for (Index t = 0; t < 7; ++t) CHECK(run.y[t] == expected[t]);
}

TEST_CASE("causal conv1d does not see the future") {
  const Conv1D<float> layer(2, 3, {3, 1, 2, Padding::causal});
  LayerRunner<float> a(layer, {1, 12, 2}, Mode::inference), b(layer, {1, 12, 2}, Mode::inference);
  a.randomize(1);
  b.randomize(1);
  for (Index i = 8 * 2; i < 12 * 2; ++i) b.x[i] = 100;
  a.forward();
  b.forward();
  test::check_same_bits(a.y.data(), b.y.data(), 8 * 3, "past");
  CHECK(a.y[8 * 3] != b.y[8 * 3]);
}

TEST_CASE("conv1d at the size of a real model, against the loop") {
  const Window w{5, 1, 1, Padding::same};
  test::SuiteOptions options{.channels = 40, .time = 61};
  options.reference = naive_conv(33, w, true);
  test::check_reference("conv1d 40 to 33", Conv1D<double>(40, 33, w), options);
}

TEST_CASE("window geometry follows Keras") {
  CHECK(Window{5, 2, 1, Padding::same}.out_length(11) == 6);
  CHECK(Window{5, 2, 1, Padding::same}.left(11) == 2);
  CHECK(Window{4, 1, 1, Padding::same}.left(11) == 1);
  CHECK(Window{3, 2, 2, Padding::valid}.out_length(11) == 4);
  CHECK(Window{3, 2, 2, Padding::valid}.out_length(4) == 0);
  CHECK(Window{3, 2, 2, Padding::causal}.left(11) == 4);
  for (const Padding p : {Padding::valid, Padding::same, Padding::causal}) CHECK(Window{3, 2, 1, p}.out_length(0) == 0);
  CHECK_THROWS_AS(parse_padding("reflect"), Error);
  CHECK_THROWS_AS((Conv1D<float>(3, 4, {0, 1, 1, Padding::same})), Error);
  CHECK_THROWS_AS((Conv1D<float>(3, 4, {3, 0, 1, Padding::same})), Error);
  CHECK_THROWS_AS((Conv1D<float>(3, 0, {3, 1, 1, Padding::same})), Error);
  CHECK_THROWS_AS((Conv1D<float>(3, 4, {3, 1, 1, Padding::same}).plan({1, 9, 2}, Mode::training)), Error);
  CHECK(Conv1D<float>(3, 4, {3, 2, 1, Padding::same}, Activation::relu).summary() ==
        "4 filters, kernel 3, stride 2, same, relu");
}

}  // namespace serene
