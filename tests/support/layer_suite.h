// The suite that every layer passes. In a test:
//
//   test::run_layer_suite("dense", [](auto s) { return std::make_shared<const Dense<decltype(s)>>(...); }, {.channels =
//   5});
//
// `make` is called with 0.0 and 0.0f and returns a LayerPtr (or shared_ptr) of that scalar.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "call_counter.h"
#include "serene/nn/gradient_check.h"
#include "serene/nn/layer_runner.h"

namespace serene::test {

// A loop written straight from the equations, for one sample without padding: x (n, C) -> y (out_length(n), out
// channels). The parameters are the layer's own, by index.
using NaiveReference =
    std::function<std::vector<double>(Params<const double> p, const double* x, Index n, Index channels)>;

struct SuiteOptions {
  Index channels = 3;
  Index batch = 3;
  Index time = 9;
  bool vector_input = false;  // the layer takes (B, 1, C) alone
  Mode mode = Mode::training;
  double tolerance = 1e-6;         // worst relative error of the gradients
  bool zero_padded_output = true;  // false: an option of the layer writes something else there
  NaiveReference reference = nullptr;
};

template <class S>
void check_same_bits(const S* a, const S* b, Index n, const std::string& what) {
  Index first = -1;
  for (Index i = 0; i < n && first < 0; ++i) {
    if (std::memcmp(a + i, b + i, sizeof(S)) != 0) first = i;
  }
  CHECK_MESSAGE(first < 0, what << " differs at " << first << ": " << (first < 0 ? S(0) : a[first]) << " against "
                                << (first < 0 ? S(0) : b[first]));
}

// Lengths that hold a full sample, a short one, an empty one.
inline std::vector<Index> suite_lengths(const SuiteOptions& o) {
  std::vector<Index> lengths;
  for (Index b = 0; b < o.batch; ++b) {
    const Index some[] = {o.time, (o.time + 1) / 2, 0, 1, o.time - 1};
    lengths.push_back(o.vector_input ? 1 : std::max<Index>(some[b % 5], 0));
  }
  return lengths;
}

inline void check_gradients(const std::string& name, const Layer<double>& layer, const SuiteOptions& o) {
  const auto check = [&](Shape in, std::vector<Index> lengths, const char* what) {
    GradientCheckOptions options;
    options.mode = o.mode;
    options.poison_padding = o.zero_padded_output;
    const GradientReport report = check_layer_gradient(layer, in, std::move(lengths), options);
    CHECK_MESSAGE(report.below(o.tolerance), name << ", " << what << ": " << report.worst << " at " << report.worst_at
                                                  << ", " << report.analytic << " against " << report.numeric);
  };
  check({o.batch, o.time, o.channels}, {}, "no mask");
  check({1, o.time, o.channels}, {}, "one sample");
  if (o.vector_input) return;
  check({o.batch, 1, o.channels}, {}, "one frame");
  check({o.batch, o.time, o.channels}, suite_lengths(o), "masked");
}

// A padded batch whose padding holds NaN, against every sample alone. Layers that couple the batch are compared with
// the same batch under longer padding instead.
template <class S>
void check_padding(const std::string& name, const Layer<S>& layer, const SuiteOptions& o) {
  const std::vector<Index> lengths = suite_lengths(o);
  const S nan = std::numeric_limits<S>::quiet_NaN();
  LayerRunner<S> batch(layer, {o.batch, o.time, o.channels}, o.mode, lengths);
  batch.randomize(7);
  batch.fill_padding(nan, o.zero_padded_output ? nan : S(0));
  batch.poison();
  batch.frame.seed = 11;
  batch.frame.first_sample = 5;
  batch.forward();
  batch.poison_scratch();
  batch.backward();

  const Index in_row = o.time * o.channels, out_row = batch.plan().out.time * batch.plan().out.channels;
  const bool coupled = o.mode == Mode::training && !layer.sync_points(Pass::forward).empty();
  const auto compare = [&](LayerRunner<S>& other, Index b, Index at) {
    const std::string what = name + " sample " + std::to_string(b);
    const Index valid_in = batch.length(b) * o.channels, valid_out = batch.out_length(b) * batch.plan().out.channels;
    const Index other_in = other.in().time * o.channels, other_out = other.plan().out.time * other.plan().out.channels;
    check_same_bits(batch.y.data() + b * out_row, other.y.data() + at * other_out, valid_out, what + ": y");
    check_same_bits(batch.dx.data() + b * in_row, other.dx.data() + at * other_in, valid_in, what + ": dx");
    bool zero = true;
    for (Index i = valid_out; o.zero_padded_output && i < out_row; ++i) zero = zero && batch.y[b * out_row + i] == S(0);
    for (Index i = valid_in; i < in_row; ++i) zero = zero && batch.dx[b * in_row + i] == S(0);
    CHECK_MESSAGE(zero, what << ": padded frames are not zero");
    bool finite = true;
    for (Index i = 0; i < out_row; ++i) finite = finite && std::isfinite(batch.y[b * out_row + i]);
    CHECK_MESSAGE(finite, what << ": y is not finite");
  };
  const auto copy_in = [&](LayerRunner<S>& other, Index b, Index at) {
    for (Index i = 0; i < lengths[static_cast<std::size_t>(b)] * o.channels; ++i) {
      other.x[at * other.in().time * o.channels + i] = batch.x[b * in_row + i];
    }
    const Index c = batch.plan().out.channels;
    for (Index i = 0; i < batch.out_length(b) * c; ++i) {
      other.dy[at * other.plan().out.time * c + i] = batch.dy[b * out_row + i];
    }
  };
  const auto run = [&](LayerRunner<S>& other, Index first) {
    for (Index i = 0; i < batch.params.size(); ++i) other.params[i] = batch.params[i];
    other.poison();
    other.frame.seed = 11;
    other.frame.first_sample = first;
    other.forward();
    other.poison_scratch();
    other.backward();
  };
  if (coupled) {
    LayerRunner<S> longer(layer, {o.batch, o.time + (o.vector_input ? 0 : 4), o.channels}, o.mode, lengths);
    for (Index b = 0; b < o.batch; ++b) copy_in(longer, b, b);
    run(longer, 5);
    for (Index b = 0; b < o.batch; ++b) compare(longer, b, b);
    return;
  }
  AlignedVector<S> sum(batch.grads.size());
  for (Index b = 0; b < o.batch; ++b) {
    const Index n = lengths[static_cast<std::size_t>(b)];
    LayerRunner<S> alone(layer, {1, std::max<Index>(n, 1), o.channels}, o.mode,
                         n == 0 ? std::vector<Index>{0} : std::vector<Index>{});
    copy_in(alone, b, 0);
    run(alone, 5 + b);
    compare(alone, b, 0);
    for (Index i = 0; i < sum.size(); ++i) sum[i] += alone.grads[i];
  }
  const double slack = sizeof(S) == 8 ? 1e-11 : 2e-4;
  for (Index i = 0; i < sum.size(); ++i) {
    const double a = static_cast<double>(batch.grads[i]), e = static_cast<double>(sum[i]);
    if (!(std::abs(a - e) <= slack * (1 + std::abs(e)))) {
      FAIL_CHECK(name << ": gradient " << i << " of the batch is " << a << ", of the samples alone " << e);
      break;
    }
  }
}

// Gradients add up, dx may be absent, and neither pass allocates.
template <class S>
void check_calls(const std::string& name, const Layer<S>& layer, const SuiteOptions& o) {
  LayerRunner<S> run(layer, {o.batch, o.time, o.channels}, o.mode, suite_lengths(o));
  run.randomize(3);
  run.poison();
  const long before = allocations();
  run.forward();
  run.poison_scratch();
  run.backward(false);
  run.commit();
  const long after = allocations();
  CHECK_MESSAGE(after == before, name << ": " << after - before << " allocations");
  bool untouched = true;
  for (Index i = 0; i < run.dx.size(); ++i) untouched = untouched && std::isnan(run.dx[i]);
  CHECK_MESSAGE(untouched, name << ": dx was written though not wanted");

  LayerRunner<S> again(layer, {o.batch, o.time, o.channels}, o.mode, suite_lengths(o));
  again.randomize(3);
  again.poison();
  again.forward();
  again.backward();
  const double slack = sizeof(S) == 8 ? 1e-12 : 1e-4;
  check_same_bits(run.y.data(), again.y.data(), run.y.size(), name + ": y, run twice");
  check_same_bits(run.grads.data(), again.grads.data(), run.grads.size(), name + ": gradients without and with dx");
  again.poison_scratch();
  again.backward();
  for (Index i = 0; i < run.grads.size(); ++i) {
    const double once = static_cast<double>(run.grads[i]), twice = static_cast<double>(again.grads[i]);
    if (!(std::abs(twice - 2 * once) <= slack * (1 + std::abs(once)))) {
      FAIL_CHECK(name << ": gradient " << i << " is " << once << " after one backward, " << twice << " after two");
      break;
    }
  }
}

inline void check_reference(const std::string& name, const Layer<double>& layer, const SuiteOptions& o) {
  for (const Index n : {o.time, Index(1), (o.time + 1) / 2}) {
    LayerRunner<double> run(layer, {1, n, o.channels}, o.mode);
    run.randomize(5);
    run.poison();
    run.forward();
    const std::vector<double> expected = o.reference(run.const_params(), run.x.data(), n, o.channels);
    REQUIRE_MESSAGE(static_cast<Index>(expected.size()) == run.y.size(), name << ": size of the reference");
    for (Index i = 0; i < run.y.size(); ++i) {
      const double e = expected[static_cast<std::size_t>(i)];
      if (!(std::abs(run.y[i] - e) <= 1e-11 * (1 + std::abs(e)))) {
        FAIL_CHECK(name << ", " << n << " frames: y[" << i << "] is " << run.y[i] << ", the loop says " << e);
        break;
      }
    }
  }
}

template <class Make>
void run_layer_suite(const std::string& name, Make&& make, SuiteOptions o = {}) {
  if (o.vector_input) o.time = 1;
  const auto in_double = make(0.0);
  const auto in_float = make(0.0f);
  CHECK(in_double->type() == in_float->type());
  CHECK_FALSE(in_double->summary().empty());
  check_gradients(name, *in_double, o);
  check_padding<double>(name, *in_double, o);
  check_padding<float>(name + " (float)", *in_float, o);
  check_calls<double>(name, *in_double, o);
  check_calls<float>(name + " (float)", *in_float, o);
  if (o.reference) check_reference(name, *in_double, o);
}

}  // namespace serene::test
