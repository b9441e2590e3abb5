// Most layer cases have one form: in.x -> out.y with grad_out.y -> grad_in.x and grad_param.NAME.
#pragma once

#include <string>
#include <vector>

#include "golden_case.h"
#include "serene/nn/layer_runner.h"

namespace serene::golden {

template <class S>
void copy_to(const std::vector<S>& from, S* to, Index size, const std::string& what) {
  if (static_cast<Index>(from.size()) != size) {
    throw Error(ErrorCode::input, what, "wrong size").expected(std::to_string(size)).got(std::to_string(from.size()));
  }
  for (Index i = 0; i < size; ++i) to[i] = from[static_cast<std::size_t>(i)];
}

// Runs a layer forward and backward in training mode on the case's tensors and compares everything that the case has.
// Parameters are taken by the layer's own names ("kernel" <- param.kernel) unless `names` gives the case's, in order.
template <class S>
void run_layer_case(const Layer<S>& layer, const GoldenCase& c, GoldenCheck<S>& check, bool masked = true,
                    const std::vector<std::string>& names = {}, const std::string& x = "x",
                    const std::string& y = "y") {
  LayerRunner<S> run(layer, c.shape("in." + x), Mode::training, masked ? c.lengths() : std::vector<Index>{});
  run.poison();
  copy_to(c.get<S>("in." + x), run.x.data(), run.x.size(), c.name + ": in." + x);
  const auto name_of = [&](std::size_t i) { return names.empty() ? run.specs()[i].name : names[i]; };
  for (std::size_t i = 0; i < run.specs().size(); ++i) {
    copy_to(c.get<S>("param." + name_of(i)), run.parameter(i), run.specs()[i].size(), c.name + ": param." + name_of(i));
  }
  run.forward();
  check.equal("out." + y, run.y.data(), run.y.size());
  if (!c.has("grad_out." + y)) return;
  copy_to(c.get<S>("grad_out." + y), run.dy.data(), run.dy.size(), c.name + ": grad_out." + y);
  run.poison_scratch();
  run.backward();
  check.equal("grad_in." + x, run.dx.data(), run.dx.size());
  for (std::size_t i = 0; i < run.specs().size(); ++i) {
    if (run.specs()[i].trainable) check.equal("grad_param." + name_of(i), run.gradient(i), run.specs()[i].size());
  }
}

}  // namespace serene::golden
