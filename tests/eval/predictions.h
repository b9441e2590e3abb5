// Made-up predictions for the tests of eval/.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "serene/core/random.h"
#include "serene/eval/prediction.h"

namespace serene::test {

// A prediction of `predicted` with certainty enough.
inline Prediction prediction(int truth, int predicted, int classes, const std::string& speaker = "s",
                             const std::string& sex = "") {
  Prediction p;
  p.clip = speaker + "-" + std::to_string(truth);
  p.speaker = speaker;
  p.sex = sex;
  p.truth = truth;
  p.logits.assign(static_cast<std::size_t>(classes), 0);
  p.logits[static_cast<std::size_t>(predicted)] = 2;
  return p;
}

// One whose probabilities are given.
inline Prediction with_probabilities(int truth, const std::vector<double>& probabilities) {
  Prediction p;
  p.clip = "clip";
  p.speaker = "s";
  p.truth = truth;
  for (const double value : probabilities) p.logits.push_back(std::log(value));
  return p;
}

// Clips of `speakers` voices, alternately male and female, right more often for some voices than for others.
inline std::vector<Prediction> crowd(int speakers, int clips_each, int classes, std::uint64_t seed = 1) {
  std::vector<Prediction> list;
  for (int s = 0; s < speakers; ++s) {
    Random random(seed, Purpose::test, static_cast<std::uint64_t>(s));
    const double skill = random.uniform(0.3, 0.9);
    for (int i = 0; i < clips_each; ++i) {
      const int truth = i % classes;
      const bool right = random.uniform() < skill;
      const int other = static_cast<int>(random.below(static_cast<std::uint64_t>(classes)));
      list.push_back(
          prediction(truth, right ? truth : other, classes, "s" + std::to_string(s), s % 2 ? "female" : "male"));
      list.back().clip += "-" + std::to_string(i);
    }
  }
  return list;
}

}  // namespace serene::test
