#include "serene/nn/pooling.h"

#include <doctest/doctest.h>

#include "layer_suite.h"

namespace serene {
namespace {

test::NaiveReference naive_pool(Pool kind, Window w) {
  return [=](Params<const double>, const double* x, Index n, Index channels) {
    std::vector<double> y;
    const Index out = w.out_length(n), left = w.left(n);
    for (Index o = 0; o < out; ++o) {
      for (Index c = 0; c < channels; ++c) {
        double best = -1e300, sum = 0;
        int count = 0;
        for (Index j = 0; j < w.size; ++j) {
          const Index t = o * w.stride + j - left;
          if (t < 0 || t >= n) continue;
          best = std::max(best, x[t * channels + c]);
          sum += x[t * channels + c];
          ++count;
        }
        y.push_back(kind == Pool::max ? best : sum / count);
      }
    }
    return y;
  };
}

test::NaiveReference naive_global(Pool kind) {
  return [=](Params<const double> p, const double* x, Index n, Index channels) {
    return naive_pool(kind, {n, 1, 1, Padding::valid})(p, x, n, channels);
  };
}

}  // namespace

TEST_CASE("poolings pass the layer suite") {
  for (const Pool kind : {Pool::max, Pool::average}) {
    for (const Padding padding : {Padding::valid, Padding::same}) {
      for (const Window w : {Window{5, 2, 1, padding}, Window{2, 2, 1, padding}, Window{3, 1, 1, padding},
                             Window{4, 3, 1, padding}, Window{2, 5, 1, padding}, Window{1, 1, 1, padding}}) {
        const auto make = [=](auto s) { return std::make_shared<const Pooling1D<decltype(s)>>(kind, w); };
        test::run_layer_suite(make(0.0)->type() + " " + make(0.0)->summary(), make,
                              {.channels = 4, .reference = naive_pool(kind, w)});
      }
    }
    const auto make = [=](auto s) { return std::make_shared<const GlobalPooling1D<decltype(s)>>(kind); };
    test::run_layer_suite(make(0.0)->type(), make, {.channels = 70, .reference = naive_global(kind)});
  }
}

TEST_CASE("the gradient of a maximum goes to the first of equals") {
  const Pooling1D<float> layer(Pool::max, {3, 3, 1, Padding::valid});
  LayerRunner<float> run(layer, {1, 6, 1}, Mode::training);
  const float x[] = {2, 5, 5, -1, -1, -2};
  std::copy_n(x, 6, run.x.data());
  run.dy.fill(1);
  run.forward();
  run.backward();
  const float expected[] = {0, 1, 0, 1, 0, 0};
  for (Index t = 0; t < 6; ++t) CHECK(run.dx[t] == expected[t]);
  CHECK(run.y[1] == -1);
}

TEST_CASE("poolings refuse what they do not do") {
  CHECK_THROWS_AS((Pooling1D<float>(Pool::max, {2, 1, 1, Padding::causal})), Error);
  CHECK_THROWS_AS((Pooling1D<float>(Pool::max, {2, 1, 2, Padding::same})), Error);
  CHECK_THROWS_AS((Pooling1D<float>(Pool::max, {0, 1, 1, Padding::same})), Error);
}

}  // namespace serene
