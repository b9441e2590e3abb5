// Scatter of scores over the values of one searched key: a linear or logarithmic axis, or a column for each choice.
#pragma once

#include <string>
#include <vector>

namespace serene {

struct SweepScatter {
  std::string title, x_label, y_label;
  std::vector<std::string> choices;  // not empty: x are places in it, and each column shows its mean
  bool log = false;
  std::vector<double> x, y;
  std::vector<int> series;         // of each point: place in `names`
  std::vector<std::string> names;  // of the colours
};

// A self-contained SVG document. Points that are not finite (or not positive on a logarithmic axis) are left out.
std::string sweep_scatter_chart(const SweepScatter& scatter);

}  // namespace serene
