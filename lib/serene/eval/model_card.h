// The model card: what a trained model is, how well it did, on whom, and what it must not be used for, as Markdown
// (Mitchell et al., Model Cards for Model Reporting, 2019).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "serene/eval/evaluation.h"

namespace serene {

struct ModelCard {
  std::string name;
  std::map<std::string, std::string> notes;               // of the checkpoint: version, seed, licence of the data, ...
  std::vector<std::pair<std::string, std::string>> data;  // facts about the data: name, value
  std::string architecture;                               // in one line, such as "13 layers, 564,872 parameters"
  std::string features;                                   // likewise
};

// evaluation: of the test part. Deterministic; every text from outside is made harmless for Markdown.
std::string model_card(const ModelCard& card, const Evaluation& evaluation);

}  // namespace serene
