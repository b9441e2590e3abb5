#include "serene/nn/lstm.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"

using namespace serene;

namespace {

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

// The equations of lstm.h, one scalar at a time. Visits frames in the layer's direction; y in natural order.
std::vector<double> naive_lstm(Params<const double> p, const double* x, Index n, Index channels, Index u,
                               bool backwards, bool sequences) {
  std::vector<double> h(static_cast<std::size_t>(u)), c(h), out(static_cast<std::size_t>(n * u));
  for (Index step = 0; step < n; ++step) {
    const Index t = backwards ? n - 1 - step : step;
    std::vector<double> next_h(h.size());
    for (Index j = 0; j < u; ++j) {
      double a[4];
      for (Index gate = 0; gate < 4; ++gate) {
        const Index column = gate * u + j;
        a[gate] = p[2][column];
        for (Index k = 0; k < channels; ++k) a[gate] += x[t * channels + k] * p[0][k * 4 * u + column];
        for (Index k = 0; k < u; ++k) a[gate] += h[static_cast<std::size_t>(k)] * p[1][k * 4 * u + column];
      }
      const auto i = static_cast<std::size_t>(j);
      c[i] = sigmoid(a[1]) * c[i] + sigmoid(a[0]) * std::tanh(a[2]);
      next_h[i] = sigmoid(a[3]) * std::tanh(c[i]);
      out[static_cast<std::size_t>(t * u + j)] = next_h[i];
    }
    h = next_h;
  }
  return sequences ? out : h;
}

void suite(const char* name, RecurrentOptions options, test::SuiteOptions o = {}) {
  o.channels = 3;
  o.reference = [options](Params<const double> p, const double* x, Index n, Index channels) {
    return naive_lstm(p, x, n, channels, options.units, options.go_backwards, options.return_sequences);
  };
  test::run_layer_suite(
      name, [&](auto s) { return std::make_shared<const Lstm<decltype(s)>>(3, options); }, o);
}

}  // namespace

TEST_CASE("lstm: suite") {
  suite("lstm", {.units = 4});
  suite("lstm of many units", {.units = 19}, {.batch = 5, .time = 7});
  suite("lstm, last state", {.units = 4, .return_sequences = false});
  suite("lstm, backwards", {.units = 4, .go_backwards = true});
  suite("lstm, backwards, last state", {.units = 4, .return_sequences = false, .go_backwards = true});
}

TEST_CASE("lstm: carry repeats the last state and takes its gradient") {
  const Lstm<double> carry(3, {.units = 2, .masked_output = MaskedOutput::carry});
  LayerRunner<double> run(carry, {2, 5, 3}, Mode::training, {3, 0});
  run.randomize(1);
  run.fill_padding(NAN, 0.5);
  run.poison();
  run.forward();
  for (Index t = 3; t < 5; ++t)
    for (Index j = 0; j < 2; ++j) CHECK(run.y[t * 2 + j] == run.y[2 * 2 + j]);
  for (Index i = 10; i < 20; ++i) CHECK(run.y[i] == 0);
  run.backward();

  const Lstm<double> zero(3, {.units = 2});
  LayerRunner<double> plain(zero, {1, 3, 3}, Mode::training);
  plain.randomize(1);
  for (Index i = 0; i < plain.x.size(); ++i) plain.x[i] = run.x[i];
  for (Index i = 0; i < plain.dy.size(); ++i) plain.dy[i] = run.dy[i];
  for (Index j = 0; j < 2; ++j) plain.dy[4 + j] += 2 * 0.5;
  plain.poison();
  plain.forward();
  plain.backward();
  for (Index i = 0; i < plain.dx.size(); ++i) CHECK(run.dx[i] == doctest::Approx(plain.dx[i]).epsilon(1e-12));
}

TEST_CASE("lstm: an impulse must be held") {
  // The input gate opens with the impulse alone, the forget gate stays open: the cell keeps the impulse for 200 frames.
  const Lstm<float> layer(1, {.units = 1});
  LayerRunner<float> run(layer, {1, 200, 1}, Mode::inference);
  run.poison();
  const float kernel[] = {40, 0, 10, 0}, bias[] = {-20, 20, 0, 20};
  for (Index g = 0; g < 4; ++g) {
    run.parameter(0)[g] = kernel[g];
    run.parameter(1)[g] = 0;
    run.parameter(2)[g] = bias[g];
  }
  run.x.fill(0);
  run.x[5] = 1;
  run.forward();
  CHECK(std::abs(run.y[4]) < 1e-6f);
  for (Index t = 5; t < 200; ++t) CHECK(run.y[t] == doctest::Approx(std::tanh(1.0)).epsilon(1e-4));
}

TEST_CASE("lstm: inference gives the bits of training") {
  const Lstm<float> layer(6, {.units = 9});
  LayerRunner<float> train(layer, {3, 8, 6}, Mode::training, {8, 3, 5}),
      infer(layer, {3, 8, 6}, Mode::inference, {8, 3, 5});
  for (auto* run : {&train, &infer}) {
    run->randomize(2);
    run->poison();
    run->forward();
  }
  test::check_same_bits(train.y.data(), infer.y.data(), train.y.size(), "y");
}

TEST_CASE("lstm: a sequence cut in two with the state handed over is the whole sequence") {
  const Lstm<double> layer(2, {.units = 3});
  LayerRunner<double> whole(layer, {2, 9, 2}, Mode::training), head(layer, {2, 4, 2}, Mode::training),
      tail(layer, {2, 5, 2}, Mode::training);
  for (auto* run : {&whole, &head, &tail}) {
    run->randomize(3);
    run->poison();
  }
  for (Index b = 0; b < 2; ++b) {
    std::copy_n(whole.x.data() + b * 18, 8, head.x.data() + b * 8);
    std::copy_n(whole.x.data() + b * 18 + 8, 10, tail.x.data() + b * 10);
  }
  whole.forward();
  double state[2][6];
  const auto call = [&](LayerRunner<double>& run, LstmState<const double> from, LstmState<double> to) {
    run.prepare();
    layer.forward_from(run.const_params(), {run.x.data(), run.in(), nullptr}, {run.y.data(), run.plan().out, nullptr},
                       run.frame, from, to);
  };
  call(head, {}, {state[0], state[1]});
  call(tail, {state[0], state[1]}, {state[0], state[1]});
  for (Index b = 0; b < 2; ++b) {
    test::check_same_bits(whole.y.data() + b * 27, head.y.data() + b * 12, 12, "head");
    test::check_same_bits(whole.y.data() + b * 27 + 12, tail.y.data() + b * 15, 15, "tail");
    test::check_same_bits(whole.y.data() + b * 27 + 24, state[0] + b * 3, 3, "state");
  }
}

TEST_CASE("lstm: refuses what it cannot be") {
  CHECK_THROWS_AS(Lstm<float>(3, {.units = 0}), Error);
  CHECK_THROWS_AS(Lstm<float>(0, {.units = 2}), Error);
  CHECK_THROWS_AS(Lstm<float>(3, {.units = 2}).plan({1, 4, 5}, Mode::training), Error);
}
