// Synchronous successive halving (Jamieson & Talwalkar: Non-stochastic best arm identification and hyperparameter
// optimization, AISTATS 2016): all trials train for a few epochs, the best 1/eta of them go on to eta times as many,
// and so on to the full number. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace serene {

// Epochs at the end of each rung: first, first eta, first eta^2, ... and, last, `epochs` itself. first = 0 takes
// epochs / eta^2, rounded up. Requires epochs >= 1, eta >= 2, first >= 0; a first above `epochs` is cut to it.
std::vector<std::int64_t> halving_budgets(std::int64_t epochs, std::int64_t eta, std::int64_t first);

// Trials that enter a rung of a search over `trials`: trials / eta^rung, rounded down, at least 1.
std::size_t rung_size(std::size_t trials, std::int64_t eta, std::size_t rung);

// The `keep` members with the highest scores (beside members), the best first; of equal ones the lower number. A trial
// without a score (NaN: it failed) never goes on.
std::vector<std::size_t> rung_survivors(std::span<const std::size_t> members, std::span<const double> scores,
                                        std::size_t keep);

}  // namespace serene
