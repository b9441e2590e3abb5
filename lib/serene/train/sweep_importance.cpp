#include "serene/train/sweep_importance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "serene/core/random.h"

namespace serene {
namespace {

constexpr int shuffles = 999;

double mean_of(std::span<const double> v) {
  return v.empty() ? 0 : std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
}

// Ranks from 0; equal values share the mean of theirs.
std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0, end; begin < order.size(); begin = end) {
    for (end = begin + 1; end < order.size() && values[order[end]] == values[order[begin]];) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = 0.5 * static_cast<double>(begin + end - 1);
  }
  return ranks;
}

// Group of each value by its rank, numbered without gaps.
std::vector<int> groups_by_rank(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double wanted = std::clamp(std::floor(n / 4), 2.0, 6.0);
  const std::vector<double> ranks = ranks_of(values);
  std::vector<int> groups;
  for (const double rank : ranks) groups.push_back(static_cast<int>(wanted * (rank + 0.5) / n));
  std::vector<int> used(groups);
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  for (int& group : groups) group = static_cast<int>(std::lower_bound(used.begin(), used.end(), group) - used.begin());
  return groups;
}

std::vector<int> groups_by_choice(const std::vector<const Json*>& values) {
  std::vector<const Json*> seen;
  std::vector<int> groups;
  for (const Json* value : values) {
    const auto found = std::find_if(seen.begin(), seen.end(), [&](const Json* other) { return *other == *value; });
    groups.push_back(static_cast<int>(found - seen.begin()));
    if (found == seen.end()) seen.push_back(value);
  }
  return groups;
}

double sum_between(std::span<const int> groups, std::span<const double> scores, int count) {
  const double mean = mean_of(scores);
  std::vector<double> sums(static_cast<std::size_t>(count)), sizes(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < scores.size(); ++i) {
    sums[static_cast<std::size_t>(groups[i])] += scores[i] - mean;
    sizes[static_cast<std::size_t>(groups[i])] += 1;
  }
  double between = 0;
  for (std::size_t g = 0; g < sums.size(); ++g) between += sizes[g] > 0 ? sums[g] * sums[g] / sizes[g] : 0;
  return between;
}

double sum_of_squares(std::span<const double> scores) {
  const double mean = mean_of(scores);
  double sum = 0;
  for (const double s : scores) sum += (s - mean) * (s - mean);
  return sum;
}

void explain(SweepImportance& result, std::span<const int> groups, std::vector<double> scores) {
  result.groups = 1 + *std::max_element(groups.begin(), groups.end());
  const double total = sum_of_squares(scores), n = static_cast<double>(scores.size());
  if (result.groups < 2 || n <= result.groups || !(total > 1e-18 * n)) return;
  const double between = sum_between(groups, scores, result.groups);
  const double within = std::max(0.0, 1 - between / total);
  result.share = std::clamp(1 - within * (n - 1) / (n - result.groups), 0.0, 1.0);
  Random random(0, Purpose::sweep, static_cast<std::uint64_t>(scores.size()));
  int as_much = 0;
  for (int i = 0; i < shuffles; ++i) {
    random.shuffle(std::span<double>(scores));
    as_much += sum_between(groups, scores, result.groups) >= between * (1 - 1e-12);
  }
  result.chance = (1.0 + as_much) / (1.0 + shuffles);
}

}  // namespace

std::optional<double> rank_correlation(std::span<const double> x, std::span<const double> y) {
  const std::vector<double> a = ranks_of(x), b = ranks_of(y);
  const double mean_a = mean_of(a), mean_b = mean_of(b);
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a), bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  if (!(aa > 0 && bb > 0)) return std::nullopt;
  return std::clamp(ab / std::sqrt(aa * bb), -1.0, 1.0);
}

SweepImportance sweep_importance(const SweepDimension& dimension, std::span<const std::optional<Json>> values,
                                 std::span<const double> scores) {
  SweepImportance result;
  result.key = dimension.key;
  std::vector<const Json*> present;
  std::vector<double> y, x;
  for (std::size_t i = 0; i < std::min(values.size(), scores.size()); ++i) {
    if (!values[i] || !std::isfinite(scores[i])) continue;
    present.push_back(&*values[i]);
    y.push_back(scores[i]);
    if (!dimension.is_choice()) x.push_back(values[i]->get<double>());
  }
  result.trials = static_cast<Index>(y.size());
  if (y.empty()) return result;
  if (!dimension.is_choice()) result.rank_correlation = rank_correlation(x, y);
  explain(result, dimension.is_choice() ? groups_by_choice(present) : groups_by_rank(x), y);
  return result;
}

}  // namespace serene
