#include "serene/train/sweep_halving.h"

#include <algorithm>
#include <cmath>

namespace serene {

std::vector<std::int64_t> halving_budgets(std::int64_t epochs, std::int64_t eta, std::int64_t first) {
  if (first == 0) {
    const std::int64_t thirds = (epochs + eta - 1) / eta;
    first = (thirds + eta - 1) / eta;
  }
  std::vector<std::int64_t> budgets;
  for (std::int64_t budget = first; budget<epochs; budget = budget> epochs / eta ? epochs : budget * eta) {
    budgets.push_back(budget);
  }
  budgets.push_back(epochs);
  return budgets;
}

std::size_t rung_size(std::size_t trials, std::int64_t eta, std::size_t rung) {
  for (; rung > 0 && trials > 1; --rung) trials /= static_cast<std::size_t>(eta);
  return std::max<std::size_t>(trials, 1);
}

std::vector<std::size_t> rung_survivors(std::span<const std::size_t> members, std::span<const double> scores,
                                        std::size_t keep) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (std::isfinite(scores[i])) places.push_back(i);
  }
  std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : members[a] < members[b];
  });
  places.resize(std::min(places.size(), keep));
  std::vector<std::size_t> survivors;
  for (const std::size_t place : places) survivors.push_back(members[place]);
  return survivors;
}

}  // namespace serene
