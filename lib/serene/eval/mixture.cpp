#include "serene/eval/mixture.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "serene/core/error.h"

namespace serene {
namespace {

using ByClip = std::map<std::string, const Prediction*>;

ByClip by_clip(const std::vector<Prediction>& predictions) {
  ByClip places;
  for (const Prediction& p : predictions) {
    if (!places.emplace(p.clip, &p).second) {
      throw Error(ErrorCode::input, "predictions", "clip '" + printable(p.clip) + "' comes twice");
    }
  }
  return places;
}

void add_probabilities(const Prediction& p, double weight, std::vector<double>& sums) {
  const std::vector<double> logs = log_probabilities(p.logits, p.temperature);
  for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += weight * std::exp(logs[k]);
}

}  // namespace

bool same_clips(std::span<const std::vector<Prediction>> members) {
  if (members.empty()) return false;
  const auto keys = [](const std::vector<Prediction>& predictions) {
    std::vector<std::pair<std::string, int>> list;
    for (const Prediction& p : predictions) list.emplace_back(p.clip, p.truth);
    std::sort(list.begin(), list.end());
    return list;
  };
  const auto first = keys(members.front());
  const auto twice = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (std::adjacent_find(first.begin(), first.end(), twice) != first.end()) return false;
  return std::all_of(members.begin(), members.end(),
                     [&](const std::vector<Prediction>& m) { return keys(m) == first; });
}

void reorder_labels(std::vector<Prediction>& predictions, std::span<const int> places) {
  for (Prediction& p : predictions) {
    check_predictions(std::span<const Prediction>(&p, 1), static_cast<Index>(places.size()));
    std::vector<double> logits(p.logits.size());
    for (std::size_t k = 0; k < logits.size(); ++k) logits[static_cast<std::size_t>(places[k])] = p.logits[k];
    p.logits = std::move(logits);
    p.truth = places[static_cast<std::size_t>(p.truth)];
  }
}

std::vector<Prediction> mix_predictions(std::span<const std::vector<Prediction>> members,
                                        std::span<const double> weights) {
  if (members.empty()) throw Error(ErrorCode::input, "predictions", "there is nothing to mix");
  if (!weights.empty() && weights.size() != members.size()) {
    throw Error(ErrorCode::internal, "weights", "not one for each member");
  }
  if (members.size() == 1) return members.front();
  double total = 0;
  for (std::size_t m = 0; m < members.size(); ++m) total += weights.empty() ? 1 : weights[m];
  std::vector<ByClip> places;
  for (const auto& predictions : members) {
    check_predictions(predictions, static_cast<Index>(members.front().front().logits.size()));
    places.push_back(by_clip(predictions));
  }
  std::vector<Prediction> mixed = members.front();
  for (Prediction& p : mixed) {
    std::vector<double> sums(p.logits.size());
    for (std::size_t m = 0; m < members.size(); ++m) {
      const auto found = places[m].find(p.clip);
      if (found == places[m].end() || found->second->truth != p.truth || places[m].size() != mixed.size()) {
        throw Error(ErrorCode::input, "predictions", "clip '" + printable(p.clip) + "' differs between the models");
      }
      add_probabilities(*found->second, (weights.empty() ? 1 : weights[m]) / total, sums);
    }
    for (std::size_t k = 0; k < sums.size(); ++k) p.logits[k] = std::log(std::max(sums[k], 1e-300));
    p.temperature = 1;
  }
  return mixed;
}

}  // namespace serene
