#include "serene/nn/pooling2d.h"

#include <doctest/doctest.h>

#include "layer_suite.h"

namespace serene {
namespace {

test::NaiveReference naive_pool(Pool kind, Grid in, Window2D w) {
  return [=](Params<const double>, const double* x, Index n, Index) {
    std::vector<double> y;
    const Index top = w.time.left(n), left = w.frequency.left(in.bins), bins = w.frequency.out_length(in.bins);
    for (Index t = 0; t < w.time.out_length(n); ++t) {
      for (Index o = 0; o < bins * in.maps; ++o) {
        double best = -1e300, sum = 0;
        int count = 0;
        for (Index i = 0; i < w.time.size; ++i) {
          for (Index j = 0; j < w.frequency.size; ++j) {
            const Index at = t * w.time.stride + i - top, bin = o / in.maps * w.frequency.stride + j - left;
            if (at < 0 || at >= n || bin < 0 || bin >= in.bins) continue;
            const double value = x[(at * in.bins + bin) * in.maps + o % in.maps];
            best = std::max(best, value), sum += value, ++count;
          }
        }
        y.push_back(kind == Pool::max ? best : sum / count);
      }
    }
    return y;
  };
}

}  // namespace

TEST_CASE("2-D poolings pass the layer suite") {
  for (const Pool kind : {Pool::max, Pool::average}) {
    for (const Padding padding : {Padding::valid, Padding::same}) {
      for (const Grid in : {Grid{5, 3}, Grid{8, 1}, Grid{4, 70}}) {
        const auto window = [&](Index size, Index stride) { return Window{size, stride, 1, padding}; };
        for (const Window2D w : {Window2D{window(2, 2), window(2, 2)}, Window2D{window(3, 2), window(4, 3)},
                                 Window2D{window(1, 1), window(in.bins, in.bins)}, Window2D{window(3, 1), window(1, 1)},
                                 Window2D{window(5, 2), window(2, 1)}, Window2D{window(2, 3), window(1, 2)}}) {
          if (in.maps > 3 && w.time.size > 2) continue;
          const auto make = [=](auto s) { return std::make_shared<const Pooling2D<decltype(s)>>(kind, in, w); };
          test::run_layer_suite(make(0.0)->type() + " " + make(0.0)->summary(), make,
                                {.channels = in.channels(), .time = 6, .reference = naive_pool(kind, in, w)});
        }
      }
    }
  }
}

TEST_CASE("the gradient of a maximum goes to the first of equals, time before frequency") {
  const Pooling2D<float> layer(Pool::max, {4, 1}, {{2, 2}, {2, 2}});
  LayerRunner<float> run(layer, {1, 2, 4}, Mode::training);
  const float x[] = {1, 5, -2, -1,  //
                     5, 5, -1, -1};
  std::copy_n(x, 8, run.x.data());
  run.dy[0] = 2, run.dy[1] = 3;
  run.poison();
  run.forward();
  run.poison_scratch();
  run.backward();
  const float expected[] = {0, 2, 0, 3, 0, 0, 0, 0};
  for (Index i = 0; i < 8; ++i) CHECK(run.dx[i] == expected[i]);
  CHECK(run.y[0] == 5);
  CHECK(run.y[1] == -1);
}

TEST_CASE("2-D poolings say what they are and refuse what they do not do") {
  const Window two{2, 2};
  CHECK(Pooling2D<float>(Pool::average, {8, 3}, {two, two}).summary() ==
        "pool 2 x 2, stride 2 x 2, valid, 8 frequencies to 4");
  CHECK_THROWS_AS((Pooling2D<float>(Pool::max, {8, 3}, {two, {9, 9}})), Error);
  CHECK_THROWS_AS((Pooling2D<float>(Pool::max, {8, 3}, {{2, 2, 1, Padding::causal}, two})), Error);
  CHECK_THROWS_AS((Pooling2D<float>(Pool::max, {8, 3}, {two, two}).plan({1, 5, 23}, Mode::inference)), Error);
}

}  // namespace serene
