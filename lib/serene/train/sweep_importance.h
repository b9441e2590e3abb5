// Which searched key mattered: how much of the scatter of scores its value explains by itself.
//
// Trials are put into groups by their value: one for each choice, or equally large ones by rank for numbers (as many as
// leave about four trials to each, 2 to 6). The share is the one-way analysis of variance's epsilon squared (Kelley
// 1935), the share of variance between the groups less what chance gives as many groups:
//
//   eta^2 = SS_between / SS_total,   share = max(0, 1 - (1 - eta^2) (n - 1) / (n - groups))
//
// `chance` is how often values dealt out at random explain as much (permutation test, 999 shuffles). Interactions of
// several keys are not seen. Pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "serene/core/types.h"
#include "serene/train/sweep_space.h"

namespace serene {

struct SweepImportance {
  std::string key;
  Index trials = 0;                        // with this key and a score
  int groups = 0;                          // of which the share is made; below 2 nothing can be said
  double share = 0;                        // in [0, 1]
  double chance = 1;                       // in (0, 1]; small: not by chance
  std::optional<double> rank_correlation;  // Spearman's, of numbers: > 0 when larger values scored higher
};

// values and scores stand side by side; trials without a value or with a score that is not finite are left out.
SweepImportance sweep_importance(const SweepDimension& dimension, std::span<const std::optional<Json>> values,
                                 std::span<const double> scores);

// Spearman's rank correlation, equal values sharing the mean of their ranks; nothing when either side does not vary.
std::optional<double> rank_correlation(std::span<const double> x, std::span<const double> y);

}  // namespace serene
