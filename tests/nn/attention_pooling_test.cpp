#include "serene/nn/attention_pooling.h"

#include <doctest/doctest.h>

#include <cmath>

#include "layer_suite.h"

using namespace serene;

namespace {

// The equations of attention_pooling.h, one scalar at a time.
std::vector<double> naive_pooling(Params<const double> p, const double* x, Index n, Index channels, Index units,
                                  bool statistics) {
  std::vector<double> e;
  double total = 0;
  for (Index t = 0; t < n; ++t) {
    double score = 0;
    for (Index j = 0; j < units; ++j) {
      double z = p[1][j];
      for (Index c = 0; c < channels; ++c) z += x[t * channels + c] * p[0][c * units + j];
      score += std::tanh(z) * p[2][j];
    }
    e.push_back(std::exp(score));
    total += e.back();
  }
  std::vector<double> mean, deviation;
  for (Index c = 0; c < channels; ++c) {
    double mu = 0, var = 0;
    for (Index t = 0; t < n; ++t) mu += e[static_cast<std::size_t>(t)] / total * x[t * channels + c];
    for (Index t = 0; t < n; ++t)
      var += e[static_cast<std::size_t>(t)] / total * (x[t * channels + c] - mu) * (x[t * channels + c] - mu);
    mean.push_back(mu);
    deviation.push_back(std::sqrt(std::max(var, 1e-12)));
  }
  if (statistics) mean.insert(mean.end(), deviation.begin(), deviation.end());
  return mean;
}

template <template <class> class Pooling>
void suite(const char* name, bool statistics) {
  test::run_layer_suite(
      name, [](auto s) { return std::make_shared<const Pooling<decltype(s)>>(5, 4); },
      {.channels = 5, .reference = [=](Params<const double> p, const double* x, Index n, Index channels) {
         return naive_pooling(p, x, n, channels, 4, statistics);
       }});
}

}  // namespace

TEST_CASE("attention pooling: suite") {
  suite<AdditiveAttentionPooling>("additive_attention_pooling", false);
  suite<AttentiveStatisticsPooling>("attentive_statistics_pooling", true);
}

TEST_CASE("attention pooling: equal frames have equal weights and no deviation") {
  const AttentiveStatisticsPooling<float> layer(3, 2);
  LayerRunner<float> run(layer, {1, 7, 3}, Mode::training, {5});
  run.randomize(1);
  run.fill_padding(NAN, 0);
  for (Index t = 0; t < 5; ++t)
    for (Index c = 0; c < 3; ++c) run.x[t * 3 + c] = static_cast<float>(c + 1);
  run.poison();
  run.forward();
  run.poison_scratch();
  run.backward();
  for (Index t = 0; t < 7; ++t) CHECK(layer.weights(run.frame)[t] == doctest::Approx(t < 5 ? 0.2 : 0));
  for (Index c = 0; c < 3; ++c) {
    CHECK(run.y[c] == doctest::Approx(c + 1.0));
    CHECK(run.y[3 + c] < 2e-6f);
  }
  for (Index i = 0; i < run.dx.size(); ++i) CHECK(std::isfinite(run.dx[i]));
}

TEST_CASE("attention pooling: refuses what it cannot be") {
  CHECK_THROWS_AS(AdditiveAttentionPooling<float>(3, 0), Error);
  CHECK_THROWS_AS(AdditiveAttentionPooling<float>(3, 2).plan({1, 4, 5}, Mode::training), Error);
}
