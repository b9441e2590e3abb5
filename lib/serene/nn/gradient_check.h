// Gradients against central differences, in double: (L(v + h) - L(v - h)) / 2h for every input and trainable parameter.
//
// The relative error of an element is |a - n| / max(|a|, |n|, 1e-2 max|tensor|, 1e-4 max(1, |L|)): free of the scale of
// the gradients, down to where the rounding of L itself (about 1e-16 |L| / h) is all that a difference shows.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serene/nn/layer_runner.h"

namespace serene {

struct GradientReport {
  double worst = 0;      // largest relative error
  std::string worst_at;  // "kernel[17]"
  double analytic = 0;   // the two values there
  double numeric = 0;
  Index checked = 0;

  bool below(double tolerance) const { return checked > 0 && worst < tolerance; }  // and something was checked
};

// Compares `analytic` with the differences of loss() in every `stride`-th element of `values`, which loss() reads; the
// values are put back. loss: double(). Adds what it finds to `report`.
template <class Loss>
void check_gradient(const std::string& name, std::span<double> values, std::span<const double> analytic, Loss&& loss,
                    GradientReport& report, double h = 1e-5, std::size_t stride = 1) {
  double largest = 0;
  for (double a : analytic) largest = std::max(largest, std::abs(a));
  const double floor = std::max(1e-2 * largest, 1e-4 * std::max(1.0, std::abs(loss())));
  for (std::size_t i = 0; i < values.size(); i += stride) {
    const double kept = values[i];
    values[i] = kept + h;
    const double up = loss();
    values[i] = kept - h;
    const double down = loss();
    values[i] = kept;
    const double numeric = (up - down) / (2 * h);
    const double scale = std::max({std::abs(analytic[i]), std::abs(numeric), floor});
    double error = std::abs(analytic[i] - numeric) / scale;
    if (!std::isfinite(error)) error = HUGE_VAL;
    ++report.checked;
    if (error > report.worst || report.worst_at.empty()) {
      report.worst = error;
      report.worst_at = name + "[" + std::to_string(i) + "]";
      report.analytic = analytic[i];
      report.numeric = numeric;
    }
  }
}

struct GradientCheckOptions {
  Mode mode = Mode::training;
  std::uint64_t seed = 1;
  double h = 1e-5;
  // Padded frames of x and dy hold NaN while checking, to prove that they are not read; false: 0.
  bool poison_padding = true;
};

// One layer with random parameters, inputs (normal) and upstream gradients g; L = sum of y g over the valid frames.
inline GradientReport check_layer_gradient(const Layer<double>& layer, Shape in, std::vector<Index> lengths = {},
                                           const GradientCheckOptions& options = {}) {
  LayerRunner<double> run(layer, in, options.mode, std::move(lengths));
  run.randomize(options.seed);
  const double padding = options.poison_padding ? std::numeric_limits<double>::quiet_NaN() : 0.0;
  run.fill_padding(padding, padding);
  run.poison();
  run.forward();
  run.poison_scratch();
  run.backward();
  const std::vector<double> dx(run.dx.data(), run.dx.data() + run.dx.size());

  const auto loss = [&] {
    run.forward();
    const Index row = run.plan().out.time * run.plan().out.channels;
    double sum = 0;
    for (Index b = 0; b < in.batch; ++b) {
      const Index valid = run.out_length(b) * run.plan().out.channels;
      for (Index i = b * row; i < b * row + valid; ++i) sum += run.y[i] * run.dy[i];
    }
    return sum;
  };
  GradientReport report;
  const Index row = in.time * in.channels;
  for (Index b = 0; b < in.batch; ++b) {
    const auto valid = static_cast<std::size_t>(run.length(b) * in.channels);
    check_gradient("x of sample " + std::to_string(b), {run.x.data() + b * row, valid}, {dx.data() + b * row, valid},
                   loss, report, options.h);
  }
  for (std::size_t i = 0; i < run.specs().size(); ++i) {
    if (!run.specs()[i].trainable) continue;
    const auto size = static_cast<std::size_t>(run.specs()[i].size());
    check_gradient(run.specs()[i].name, {run.parameter(i), size}, {run.gradient(i), size}, loss, report, options.h);
  }
  return report;
}

}  // namespace serene
