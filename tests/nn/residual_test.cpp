#include "serene/nn/residual.h"

#include <doctest/doctest.h>

#include "layer_suite.h"
#include "serene/nn/batch_norm.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/dense.h"
#include "serene/nn/dropout.h"
#include "serene/nn/lstm.h"

using namespace serene;

namespace {

template <class S>
LayerPtr<S> conv(Index in, Index out, Index stride = 1, Padding padding = Padding::same) {
  return std::make_shared<const Conv1D<S>>(in, out, Window{.size = 3, .stride = stride, .padding = padding},
                                           Activation::tanh);
}

// F keeps the shape: the shortcut is the identity.
template <class S>
LayerPtr<S> same_shape(Activation activation) {
  return std::make_shared<const Residual<S>>(
      4,
      std::vector<NamedLayer<S>>{{"conv1", conv<S>(4, 5)},
                                 {"lstm", std::make_shared<const Lstm<S>>(5, RecurrentOptions{.units = 4})}},
      activation);
}

// F halves the time and has other channels: the shortcut is a projection.
template <class S>
LayerPtr<S> other_shape(bool normalised) {
  std::vector<NamedLayer<S>> parts{{"conv1", conv<S>(3, 5, 2)}, {"conv2", conv<S>(5, 4)}};
  if (normalised) parts.push_back({"norm", std::make_shared<const BatchNorm<S>>(4)});
  return std::make_shared<const Residual<S>>(3, std::move(parts), Activation::gelu);
}

}  // namespace

TEST_CASE("residual: suite") {
  test::run_layer_suite("residual, identity", [](auto s) { return same_shape<decltype(s)>(Activation::linear); },
                        {.channels = 4});
  test::run_layer_suite("residual, identity, gelu", [](auto s) { return same_shape<decltype(s)>(Activation::gelu); },
                        {.channels = 4});
  test::run_layer_suite("residual, projection", [](auto s) { return other_shape<decltype(s)>(false); },
                        {.channels = 3});
  test::run_layer_suite("residual, projection, batch norm", [](auto s) { return other_shape<decltype(s)>(true); },
                        {.channels = 3});
}

TEST_CASE("residual: y is F(x) + x") {
  const auto layer = same_shape<double>(Activation::linear);
  const auto inner_conv = conv<double>(4, 5);
  const Lstm<double> inner_lstm(5, {.units = 4});
  LayerRunner<double> block(*layer, {2, 6, 4}, Mode::training), first(*inner_conv, {2, 6, 4}, Mode::training),
      second(inner_lstm, {2, 6, 5}, Mode::training);
  block.randomize(3);
  block.poison();
  block.forward();
  for (std::size_t i = 0; i < block.specs().size(); ++i) {
    LayerRunner<double>& part = i < 2 ? first : second;
    std::copy_n(block.parameter(i), block.specs()[i].size(), part.parameter(i < 2 ? i : i - 2));
  }
  std::copy_n(block.x.data(), block.x.size(), first.x.data());
  first.forward();
  std::copy_n(first.y.data(), first.y.size(), second.x.data());
  second.forward();
  for (Index i = 0; i < block.y.size(); ++i) CHECK(block.y[i] == block.x[i] + second.y[i]);
}

TEST_CASE("residual: names, shapes and coupling come from the parts") {
  const auto layer = other_shape<float>(true);
  const auto specs = layer->parameters();
  CHECK(specs.front().name == "conv1.kernel");
  CHECK(specs.back().name == "shortcut.bias");
  CHECK(layer->plan({2, 9, 3}, Mode::training).out == Shape{2, 5, 4});
  CHECK(layer->out_length(9) == 5);
  CHECK(layer->couples_batch(Mode::training));
  CHECK_FALSE(layer->couples_batch(Mode::inference));
  CHECK_FALSE(other_shape<float>(false)->couples_batch(Mode::training));
}

TEST_CASE("residual: commit reaches the moving statistics") {
  const auto layer = other_shape<double>(true);
  LayerRunner<double> run(*layer, {2, 8, 3}, Mode::training);
  run.randomize(2);
  std::size_t moving = 0;
  while (run.specs()[moving].name != "norm.moving_mean") ++moving;
  const double before = run.parameter(moving)[0];
  run.poison();
  run.forward();
  run.backward();
  run.commit();
  CHECK(run.parameter(moving)[0] != before);
  CHECK(std::isfinite(run.parameter(moving)[0]));
}

TEST_CASE("residual: two dropouts of a block draw different numbers") {
  const auto drop = [] { return std::make_shared<const Dropout<float>>(0.5); };
  const Residual<float> layer(64, {{"a", drop()}, {"b", drop()}});
  LayerRunner<float> run(layer, {1, 1, 64}, Mode::training);
  run.x.fill(1);
  run.poison();
  run.forward();
  int kept_once = 0;  // 4 x where both keep; the same numbers twice would drop half of all, not three quarters
  for (Index i = 0; i < 64; ++i) kept_once += run.y[i] > 1;
  CHECK(kept_once < 28);
  CHECK(kept_once > 4);
}

TEST_CASE("residual: refuses what does not fit") {
  CHECK_THROWS_AS(Residual<float>(3, {}), Error);
  CHECK_THROWS_AS(Residual<float>(3, {{"a", nullptr}}), Error);
  CHECK_THROWS_AS(Residual<float>(4, {{"a", conv<float>(3, 3)}}), Error);
  CHECK_THROWS_AS(Residual<float>(3, {{"a", conv<float>(3, 3, 1, Padding::valid)}}), Error);
  CHECK_THROWS_AS(Residual<float>(3, {{"a", conv<float>(3, 4)}}, Activation::linear, conv<float>(3, 5))
                      .plan({1, 4, 3}, Mode::training),
                  Error);
}
