#include "serene/nn/residual.h"

#include <doctest/doctest.h>

#include "layer_suite.h"
#include "serene/nn/batch_norm.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/dense.h"
#include "serene/nn/dropout.h"
#include "serene/nn/layer_norm.h"
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

// F strides, and the shortcut is a chain of its own.
template <class S>
LayerPtr<S> own_shortcut(double drop_path = 0) {
  const auto beside = std::make_shared<const Conv1D<S>>(3, 4, Window{.size = 1, .stride = 2});
  const auto norm = std::make_shared<const LayerNorm<S>>(4);
  return std::make_shared<const Residual<S>>(
      3, std::vector<NamedLayer<S>>{{"conv1", conv<S>(3, 5, 2)}, {"conv2", conv<S>(5, 4)}}, Activation::tanh,
      std::make_shared<const LayerChain<S>>(std::vector<NamedLayer<S>>{{"conv", beside}, {"norm", norm}}, "shortcut"),
      drop_path);
}

template <class S>
LayerPtr<S> dropped(double drop_path) {
  return std::make_shared<const Residual<S>>(
      4, std::vector<NamedLayer<S>>{{"conv1", conv<S>(4, 6)}, {"conv2", conv<S>(6, 4)}}, Activation::linear, nullptr,
      drop_path);
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
  test::run_layer_suite("residual, shortcut", [](auto s) { return own_shortcut<decltype(s)>(); }, {.channels = 3});
  for (const double p : {0.3, 0.7}) {
    test::run_layer_suite("residual, drop path", [p](auto s) { return dropped<decltype(s)>(p); },
                          {.channels = 4, .batch = 5});
    test::run_layer_suite("residual, shortcut, drop path", [p](auto s) { return own_shortcut<decltype(s)>(p); },
                          {.channels = 3, .batch = 5});
  }
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
  CHECK(layer->sync_points(Pass::forward) == std::vector<Index>{9});
  CHECK(layer->sync_points(Pass::backward) == std::vector<Index>{9});
  CHECK(other_shape<float>(false)->sync_points(Pass::forward).empty());
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

TEST_CASE("residual: a shortcut of its own is what the input goes through") {
  const auto layer = own_shortcut<double>();
  const auto specs = layer->parameters();
  CHECK(specs[4].name == "shortcut.conv.kernel");
  CHECK(specs.back().name == "shortcut.norm.beta");
  CHECK(layer->summary() == "conv1d > conv1d + conv1d > layer_norm, tanh");
  CHECK(layer->out_length(9) == 5);
  const Conv1D<double> first(3, 5, {.size = 3, .stride = 2, .padding = Padding::same}),
      second(5, 4, {.size = 3, .padding = Padding::same}), beside(3, 4, {.size = 1, .stride = 2});
  CHECK(layer->multiply_adds({1, 9, 3}) ==
        first.multiply_adds({1, 9, 3}) + second.multiply_adds({1, 5, 5}) + beside.multiply_adds({1, 9, 3}) + 5 * 4);
  LayerRunner<double> block(*layer, {1, 9, 3}, Mode::training), side(beside, {1, 9, 3}, Mode::training);
  block.randomize(3);
  for (std::size_t i = 0; i < 4; ++i) std::fill_n(block.parameter(i), block.specs()[i].size(), 0.0);  // F(x) = 0
  for (std::size_t i = 4; i < 6; ++i) std::copy_n(block.parameter(i), block.specs()[i].size(), side.parameter(i - 4));
  std::copy_n(block.x.data(), block.x.size(), side.x.data());
  block.poison();
  block.forward();
  side.forward();
  const LayerNorm<double> normalise(4);
  LayerRunner<double> norm(normalise, {1, 5, 4}, Mode::training);
  for (std::size_t i = 6; i < 8; ++i) std::copy_n(block.parameter(i), 4, norm.parameter(i - 6));
  std::copy_n(side.y.data(), side.y.size(), norm.x.data());
  norm.forward();
  for (Index i = 0; i < block.y.size(); ++i) CHECK(block.y[i] == doctest::Approx(std::tanh(norm.y[i])).epsilon(1e-12));
}

TEST_CASE("residual: drop path takes F from whole samples, at its rate, and scales the rest") {
  constexpr double p = 0.3;
  constexpr Index samples = 4000;
  const auto layer = dropped<double>(p), plain = dropped<double>(0);
  LayerRunner<double> run(*layer, {samples, 2, 4}, Mode::training), all(*plain, {samples, 2, 4}, Mode::training);
  for (LayerRunner<double>* r : {&run, &all}) {
    r->randomize(5);
    r->frame.seed = 3;
    r->forward();
    r->backward();
  }
  Index skipped = 0;
  for (Index b = 0; b < samples; ++b) {
    const bool without = run.y[b * 8] == run.x[b * 8];
    skipped += without ? 1 : 0;
    for (Index i = b * 8; i < (b + 1) * 8; ++i) {
      const double branch = all.y[i] - all.x[i], d_branch = all.dx[i] - all.dy[i];
      CHECK(run.y[i] - run.x[i] == doctest::Approx(without ? 0 : branch / (1 - p)).epsilon(1e-9));
      CHECK(run.dx[i] - run.dy[i] == doctest::Approx(without ? 0 : d_branch / (1 - p)).epsilon(1e-9));
    }
  }
  // Five deviations of the share.
  CHECK(std::abs(static_cast<double>(skipped) / samples - p) < 5 * std::sqrt(p * (1 - p) / samples));
}

TEST_CASE("residual: drop path is gone in inference, and differs by seed, step, block and sample") {
  const auto layer = dropped<float>(0.5), plain = dropped<float>(0);
  LayerRunner<float> run(*layer, {64, 3, 4}, Mode::inference), all(*plain, {64, 3, 4}, Mode::inference);
  run.randomize(5);
  all.randomize(5);
  run.forward();
  all.forward();
  test::check_same_bits(run.y.data(), all.y.data(), run.y.size(), "inference");
  const auto pattern = [&](std::uint64_t seed, std::uint64_t step, std::uint64_t key, Index first) {
    LayerRunner<float> r(*layer, {32, 3, 4}, Mode::training);
    r.randomize(5);
    r.frame.seed = seed, r.frame.step = step, r.frame.key = key, r.frame.first_sample = first;
    r.forward();
    std::string kept;
    for (Index b = 0; b < 32; ++b) kept += r.y[b * 12] == r.x[b * 12] ? '0' : '1';
    return kept;
  };
  const std::string base = pattern(1, 2, 3, 0);
  CHECK(base == pattern(1, 2, 3, 0));
  CHECK(base != pattern(2, 2, 3, 0));
  CHECK(base != pattern(1, 3, 3, 0));
  CHECK(base != pattern(1, 2, 4, 0));
  CHECK(base.substr(8) == pattern(1, 2, 3, 8).substr(0, 24));
  CHECK(layer->summary().find("drop path 0.5") != std::string::npos);
}

TEST_CASE("residual: block and shortcut must agree on the frames of every length") {
  const auto chain = [](Window w) {
    const auto conv = std::make_shared<const Conv1D<float>>(3, 4, w);
    return std::make_shared<const LayerChain<float>>(std::vector<NamedLayer<float>>{{"conv", conv}}, "shortcut");
  };
  const auto block = [&](Window w) {
    return Residual<float>(3, {{"conv", conv<float>(3, 4, 2)}}, Activation::linear, chain(w));
  };
  CHECK(block({.size = 1, .stride = 2}).plan({2, 9, 3}, Mode::training).out == Shape{2, 5, 4});
  CHECK_THROWS_AS(block({.size = 1, .stride = 3}).plan({2, 9, 3}, Mode::training), Error);
  // As many frames for 8, one fewer for 7.
  CHECK_THROWS_AS(block({.size = 2, .stride = 2}).plan({2, 8, 3}, Mode::training), Error);
  CHECK_THROWS_AS(dropped<float>(1), Error);
  CHECK_THROWS_AS(dropped<float>(-0.1), Error);
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
