#include "serene/nn/gru.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"

using namespace serene;

namespace {

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

// The equations of gru.h, one scalar at a time.
std::vector<double> naive_gru(Params<const double> p, const double* x, Index n, Index channels, Index u, bool backwards,
                              bool sequences) {
  std::vector<double> h(static_cast<std::size_t>(u)), out(static_cast<std::size_t>(n * u));
  for (Index step = 0; step < n; ++step) {
    const Index t = backwards ? n - 1 - step : step;
    std::vector<double> next = h;
    for (Index j = 0; j < u; ++j) {
      double input[3], state[3];
      for (Index gate = 0; gate < 3; ++gate) {
        const Index column = gate * u + j;
        input[gate] = p[2][column];
        state[gate] = p[2][3 * u + column];
        for (Index k = 0; k < channels; ++k) input[gate] += x[t * channels + k] * p[0][k * 3 * u + column];
        for (Index k = 0; k < u; ++k) state[gate] += h[static_cast<std::size_t>(k)] * p[1][k * 3 * u + column];
      }
      const double z = sigmoid(input[0] + state[0]), r = sigmoid(input[1] + state[1]);
      double& value = next[static_cast<std::size_t>(j)];
      value = z * value + (1 - z) * std::tanh(input[2] + r * state[2]);
      out[static_cast<std::size_t>(t * u + j)] = value;
    }
    h = next;
  }
  return sequences ? out : h;
}

void suite(const char* name, RecurrentOptions options, test::SuiteOptions o = {}) {
  o.reference = [options](Params<const double> p, const double* x, Index n, Index channels) {
    return naive_gru(p, x, n, channels, options.units, options.go_backwards, options.return_sequences);
  };
  test::run_layer_suite(
      name, [&](auto s) { return std::make_shared<const Gru<decltype(s)>>(3, options); }, o);
}

}  // namespace

TEST_CASE("gru: suite") {
  suite("gru", {.units = 4});
  suite("gru of many units", {.units = 21}, {.batch = 5, .time = 6});
  suite("gru, last state", {.units = 4, .return_sequences = false});
  suite("gru, backwards", {.units = 4, .go_backwards = true});
  suite("gru, backwards, last state", {.units = 4, .return_sequences = false, .go_backwards = true});
}

TEST_CASE("gru: carry repeats the last state") {
  const Gru<float> layer(3, {.units = 2, .masked_output = MaskedOutput::carry});
  LayerRunner<float> run(layer, {1, 5, 3}, Mode::inference, {3});
  run.randomize(1);
  run.fill_padding(NAN, 0);
  run.poison();
  run.forward();
  for (Index t = 3; t < 5; ++t)
    for (Index j = 0; j < 2; ++j) CHECK(run.y[t * 2 + j] == run.y[2 * 2 + j]);
}

TEST_CASE("gru: inference gives the bits of training") {
  const Gru<float> layer(6, {.units = 9});
  LayerRunner<float> train(layer, {3, 8, 6}, Mode::training, {8, 3, 5}),
      infer(layer, {3, 8, 6}, Mode::inference, {8, 3, 5});
  for (auto* run : {&train, &infer}) {
    run->randomize(2);
    run->poison();
    run->forward();
  }
  test::check_same_bits(train.y.data(), infer.y.data(), train.y.size(), "y");
}

TEST_CASE("gru: refuses what it cannot be") {
  CHECK_THROWS_AS(Gru<float>(3, {.units = -1}), Error);
  CHECK_THROWS_AS(Gru<float>(3, {.units = 2}).plan({1, 4, 5}, Mode::training), Error);
}
