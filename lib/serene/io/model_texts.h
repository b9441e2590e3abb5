// What else there is to know about a model, as texts that other formats carry beside the weights:
//
//   labels           JSON list, in the order of the classes
//   features         JSON, the complete feature config
//   normalizer       JSON with mean and scale, the model wants (x - mean) * scale; or "none"
//   temperature      probabilities = softmax(logits / temperature)
//   max_frames       longer clips are cut to windows of so many frames; 0: never.  long_clips: "middle" or "vote"
//   uncertain_below  an answer whose best probability is less is better called uncertain
//   notes            JSON object of texts: name, licence of the data, intended use, ...
//
// Of an ensemble: features, normaliser and windows are those of its first member.
#pragma once

#include <map>
#include <string>

#include "serene/io/ensemble.h"

namespace serene {

// Thread-safe.
std::map<std::string, std::string> model_texts(const Ensemble& ensemble);

}  // namespace serene
