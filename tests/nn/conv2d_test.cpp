#include "serene/nn/conv2d.h"

#include <doctest/doctest.h>

#include "layer_suite.h"
#include "serene/nn/conv1d.h"
#include "serene/nn/executor.h"

namespace serene {
namespace {

auto make_conv(Grid in, Index filters, Window2D w, Activation a = Activation::linear, bool use_bias = true) {
  return [=](auto s) { return std::make_shared<const Conv2D<decltype(s)>>(in, filters, w, a, use_bias); };
}

struct Pads {
  Index front, out;
};

// Zeros in front and windows of an axis, counted as in the definition instead of computed.
Pads counted(Index n, const Window& w) {
  if (w.padding == Padding::valid) {
    Index out = 0;
    while (out * w.stride + w.size <= n) ++out;
    return {0, out};
  }
  Index out = 0, front = 0, back = 0;
  for (Index t = 0; t < n; t += w.stride) ++out;
  while ((out - 1) * w.stride + w.size > n + front + back) (front < back ? front : back) += 1;
  return {front, out};
}

// The definition, one scalar at a time, with a test for every cell.
test::NaiveReference naive_conv(Grid in, Index filters, Window2D w, bool use_bias = true) {
  return [=](Params<const double> p, const double* x, Index n, Index) {
    const Pads time = counted(n, w.time), frequency = counted(in.bins, w.frequency);
    std::vector<double> y;
    for (Index t = 0; t < time.out; ++t) {
      for (Index o = 0; o < frequency.out * filters; ++o) {
        const Index f = o / filters, k = o % filters;
        double sum = use_bias ? p[1][k] : 0;
        for (Index i = 0; i < w.time.size; ++i) {
          for (Index j = 0; j < w.frequency.size; ++j) {
            const Index at = t * w.time.stride + i - time.front, bin = f * w.frequency.stride + j - frequency.front;
            if (at < 0 || at >= n || bin < 0 || bin >= in.bins) continue;
            for (Index m = 0; m < in.maps; ++m) {
              sum += x[(at * in.bins + bin) * in.maps + m] *
                     p[0][((i * w.frequency.size + j) * in.maps + m) * filters + k];
            }
          }
        }
        y.push_back(sum);
      }
    }
    return y;
  };
}

void suite(Grid in, Index filters, Window2D w, Index time = 9) {
  const auto make = make_conv(in, filters, w);
  test::run_layer_suite("conv2d " + make(0.0)->summary(), make,
                        {.channels = in.channels(), .time = time, .reference = naive_conv(in, filters, w)});
}

}  // namespace

TEST_CASE("conv2d passes the layer suite for every padding, size and stride") {
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const Index i : {1, 2, 3}) {
      for (const Index j : {1, 2, 3, 4}) {
        for (const Index s : {1, 2}) {
          for (const Index r : {1, 2, 3}) suite({5, 2}, 3, {{i, s, 1, padding}, {j, r, 1, padding}}, 7);
        }
      }
    }
  }
}

TEST_CASE("conv2d on grids of few and many frequencies, with rows along either axis") {
  const Window three{3, 1, 1, Padding::same}, two{3, 2, 1, Padding::same}, open{3, 1, 1, Padding::valid};
  suite({1, 4}, 3, {three, three});
  suite({13, 1}, 5, {three, three});
  suite({11, 3}, 2, {two, two}, 5);
  suite({8, 2}, 3, {open, open}, 6);
  suite({7, 2}, 2, {{5, 1, 1, Padding::same}, {7, 1, 1, Padding::valid}});
  suite({6, 1}, 2, {{11, 3, 1, Padding::same}, {5, 4, 1, Padding::same}}, 5);
  suite({3, 3}, 4, {{1, 1, 1, Padding::same}, {5, 1, 1, Padding::same}});
  suite({140, 1}, 2, {three, {9, 1, 1, Padding::same}}, 4);
}

TEST_CASE("conv2d with fused activations and without bias") {
  const Window w{3, 1, 1, Padding::same};
  for (const std::string& name : activation_names()) {
    test::run_layer_suite("conv2d " + name, make_conv({3, 1}, 3, {w, w}, parse_activation(name)),
                          {.channels = 3, .time = 5});
  }
  test::run_layer_suite("conv2d without bias", make_conv({4, 2}, 3, {w, {2, 2}}, Activation::relu, false),
                        {.channels = 8, .time = 5});
}

TEST_CASE("conv2d holds an impulse at its place") {
  const Window w{3, 1, 1, Padding::same};
  const Conv2D<double> layer({5, 1}, 1, {w, w});
  LayerRunner<double> run(layer, {1, 4, 5}, Mode::inference);
  for (Index i = 0; i < 9; ++i) run.parameter(0)[i] = static_cast<double>(i + 1);
  run.x[1 * 5 + 4] = 1;  // time 1, highest frequency
  run.poison_scratch();
  run.forward();
  const double expected[] = {0, 0, 0, 9, 8, 0, 0, 0, 6, 5, 0, 0, 0, 3, 2, 0, 0, 0, 0, 0};
  for (Index i = 0; i < 20; ++i) CHECK(run.y[i] == expected[i]);
}

TEST_CASE("conv2d as high as the frequencies is conv1d") {
  const Window w{5, 2, 1, Padding::same};
  const Conv2D<double> high({6, 2}, 7, {w, {6}});
  const Conv1D<double> one(12, 7, w);
  LayerRunner<double> a(high, {2, 11, 12}, Mode::training, {11, 4}), b(one, {2, 11, 12}, Mode::training, {11, 4});
  for (auto* run : {&a, &b}) {
    run->randomize(3);
    run->forward();
    run->backward();
  }
  for (Index i = 0; i < a.y.size(); ++i) CHECK(a.y[i] == doctest::Approx(b.y[i]).epsilon(1e-12));
  for (Index i = 0; i < a.dx.size(); ++i) CHECK(a.dx[i] == doctest::Approx(b.dx[i]).epsilon(1e-12));
  for (Index i = 0; i < a.grads.size(); ++i) CHECK(a.grads[i] == doctest::Approx(b.grads[i]).epsilon(1e-12));
  CHECK(high.multiply_adds({1, 11, 12}) == one.multiply_adds({1, 11, 12}));
}

TEST_CASE("conv2d at the size of a real model, against the loop") {
  const Window w{3, 1, 1, Padding::same};
  test::check_reference("conv2d 32 to 33", Conv2D<double>({16, 32}, 33, {w, w}),
                        {.channels = 512, .time = 21, .reference = naive_conv({16, 32}, 33, {w, w})});
}

TEST_CASE("conv2d: the bits of a batch and of its gradient do not depend on threads, nor answers on shards") {
  const Window w{3, 1, 1, Padding::same}, half{2, 2};
  std::vector<NamedLayer<float>> layers = {
      {"a", std::make_shared<const Conv2D<float>>(Grid{16, 1}, 6, Window2D{w, w}, Activation::relu)},
      {"b", std::make_shared<const Conv2D<float>>(Grid{16, 6}, 5, Window2D{half, {3, 2, 1, Padding::same}})},
      {"c", std::make_shared<const Conv2D<float>>(Grid{8, 5}, 4, Window2D{w, {8}})}};
  const Model<float> model(std::move(layers), 16);
  const std::vector<Index> lengths = {23, 7, 0, 1, 22, 23, 12};
  Random random(5, Purpose::test);
  std::vector<float> x(7 * 23 * 16), params(static_cast<std::size_t>(model.layout().size)), dy(7 * 11 * 4);
  for (auto* v : {&x, &params, &dy}) {
    for (float& value : *v) value = static_cast<float>(0.5 * random.normal());
  }
  const SeqView<const float> view{x.data(), {7, 23, 16}, lengths.data()};
  std::vector<float> first, answers;
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    Executor<float> run(model, {.mode = Mode::training, .max_batch = 7, .max_time = 23, .shard = 2}, pool);
    const auto y = run.forward(params, view);
    REQUIRE(y.shape.size() == static_cast<Index>(dy.size()));
    std::vector<float> all(y.data, y.data + y.shape.size());
    const auto g = run.backward(dy.data());
    all.insert(all.end(), g.begin(), g.end());
    if (first.empty()) first = all;
    test::check_same_bits(first.data(), all.data(), static_cast<Index>(all.size()), std::to_string(threads));
    for (const Index shard : {1, 3}) {
      Executor<float> answer(model, {.max_batch = 7, .max_time = 23, .shard = shard}, pool);
      const auto z = answer.forward(params, view);
      test::check_same_bits(first.data(), z.data, z.shape.size(), "shard " + std::to_string(shard));
    }
  }
}

TEST_CASE("conv2d says what it is and refuses what it cannot be") {
  const Window w{3, 1, 1, Padding::same};
  const Conv2D<float> layer({8, 4}, 6, {w, {3, 2, 1, Padding::same}}, Activation::relu, false);
  CHECK(layer.summary() == "6 filters, kernel 3 x 3, stride 1 x 2, same, relu, no bias, 8 frequencies to 4");
  CHECK(layer.plan({2, 9, 32}, Mode::inference).out == Shape{2, 9, 24});
  CHECK(layer.multiply_adds({1, 9, 32}) == 9 * 4 * 9 * 4 * 6);
  CHECK(layer.parameters()[0].shape == std::vector<Index>{3, 3, 4, 6});
  CHECK(layer.parameters()[0].fan_in == 36);
  CHECK(layer.parameters()[0].fan_out == 54);
  CHECK_THROWS_AS(layer.plan({2, 9, 31}, Mode::inference), Error);
  CHECK_THROWS_AS((Conv2D<float>({8, 4}, 0, {w, w})), Error);
  CHECK_THROWS_AS((Conv2D<float>({8, 0}, 3, {w, w})), Error);
  CHECK_THROWS_AS((Conv2D<float>({2, 4}, 3, {w, {3}})), Error);
  CHECK_THROWS_AS((Conv2D<float>({8, 4}, 3, {{3, 1, 2, Padding::same}, w})), Error);
  CHECK_THROWS_AS((Conv2D<float>({8, 4}, 3, {{3, 1, 1, Padding::causal}, w})), Error);
  CHECK_THROWS_AS((Conv2D<float>({8, 4}, 3, {w, {0}})), Error);
}

}  // namespace serene
