#include "serene/nn/bidirectional.h"

#include <doctest/doctest.h>

#include "layer_suite.h"

using namespace serene;

namespace {

template <template <class> class Recurrent>
void suite(const char* name, RecurrentOptions options) {
  test::run_layer_suite(name, [&](auto s) { return make_bidirectional<decltype(s), Recurrent>(3, options); },
                        {.channels = 3});
}

}  // namespace

TEST_CASE("bidirectional: suite") {
  suite<Lstm>("bidirectional lstm", {.units = 4});
  suite<Lstm>("bidirectional lstm, last state", {.units = 4, .return_sequences = false});
  suite<Gru>("bidirectional gru", {.units = 3});
  suite<Gru>("bidirectional gru, last state", {.units = 3, .return_sequences = false});
}

TEST_CASE("bidirectional: the backward half is the forward layer on the reversed sample") {
  const Index length = 4, time = 6, u = 2, channels = 3;
  const auto both = make_bidirectional<double, Lstm>(channels, {.units = u});
  LayerRunner<double> run(*both, {1, time, channels}, Mode::training, {length});
  run.randomize(9);
  run.fill_padding(NAN, NAN);
  run.poison();
  run.forward();
  const auto specs = both->parameters();
  CHECK(specs[0].name == "fw_kernel");
  CHECK(specs[3].name == "bw_kernel");

  const Lstm<double> one(channels, {.units = u});
  LayerRunner<double> reversed(one, {1, length, channels}, Mode::training);
  for (std::size_t i = 0; i < 3; ++i)
    std::copy_n(run.parameter(3 + i), reversed.specs()[i].size(), reversed.parameter(i));
  for (Index t = 0; t < length; ++t)
    std::copy_n(run.x.data() + t * channels, channels, reversed.x.data() + (length - 1 - t) * channels);
  reversed.poison();
  reversed.forward();
  for (Index t = 0; t < length; ++t)
    for (Index j = 0; j < u; ++j) CHECK(run.y[t * 2 * u + u + j] == reversed.y[(length - 1 - t) * u + j]);
}

TEST_CASE("bidirectional: refuses a missing layer") { CHECK_THROWS_AS(Bidirectional<float>(nullptr, nullptr), Error); }
