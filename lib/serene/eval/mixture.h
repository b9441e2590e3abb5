// The answers of several models to the same clips as one: the mean of their calibrated probabilities (io/ensemble.h
// says why the mean of probabilities).
#pragma once

#include <span>
#include <vector>

#include "serene/eval/prediction.h"

namespace serene {

// members: predictions of each model, for the same clips in any order. Result: in the order of the first member;
// logits = log of sum_m w_m softmax(z_m / T_m), temperature 1. weights: empty for equal ones, else one above 0 for
// each; only their ratios count. A single member comes back as it is. Throws Error(input) when there is none, a clip
// is missing, comes twice or has another truth, or predictions are unusable.
std::vector<Prediction> mix_predictions(std::span<const std::vector<Prediction>> members,
                                        std::span<const double> weights = {});

// Class k becomes places[k] in logits and truths: a permutation of the classes.
void reorder_labels(std::vector<Prediction>& predictions, std::span<const int> places);

// Whether all members answer the same clips with the same truths, in any order.
bool same_clips(std::span<const std::vector<Prediction>> members);

}  // namespace serene
