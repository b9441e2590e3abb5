// Several trained models that answer as one, in one file; a single model is an ensemble of one.
//
//   p = sum over members w_m softmax(z_m / T_m)     the weighted mean of the members' calibrated probabilities
//   answer = p^(1/T) / sum of p^(1/T)               T: the ensemble's own temperature, fitted on common validation
//   clips
//
// The mean of probabilities and not of their logarithms: one member that is sure of a wrong answer cannot veto the
// others, and the mean's negative log-likelihood is never above the mean of the members' (Jensen). What the mean loses
// in sureness the temperature gives back (Rahaman, Thiery: Uncertainty quantification and deep ensembles, 2021).
//
// Members may differ in graph, features, normaliser, longest clip and temperature; their labels are the same set, in
// any order. Form: as a checkpoint, each member's tensors and texts behind "member.<i>.", and the texts format
// ("serene-ensemble-1"), sha256, head (members, labels, weights, temperature, uncertain_below) and notes.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "serene/io/checkpoint.h"

namespace serene {

struct Ensemble {
  std::vector<Checkpoint> members;  // at least one
  std::vector<double> weights;      // one for each, above 0; they sum to 1
  std::vector<std::string> labels;  // of the answer; each member's are these in some order
  double temperature = 1;           // of the mixture; 1 for a single model, which has its own
  double uncertain_below = 0;       // as in Checkpoint
  std::map<std::string, std::string> notes;

  bool single() const noexcept { return members.size() == 1; }  // a checkpoint, no mixture
};

inline constexpr std::size_t most_members = 64;  // of an ensemble

// A checkpoint as an ensemble of one, with its labels, threshold and notes; the answers are the checkpoint's, bit for
// bit.
Ensemble ensemble_of(Checkpoint checkpoint);

// weights: empty for equal ones, otherwise one above 0 for each; scaled to sum 1. Labels in the order of the first
// member. Notes: what all members say alike, and the speakers: heard by any in training or validation, and held out by
// all. Throws Error(usage) for fewer than two members, more than most_members, or weights that do not fit, and
// Error(input) naming the member whose labels differ.
Ensemble make_ensemble(std::vector<Checkpoint> members, std::vector<double> weights = {});

// Throws Error naming the file on failure; the old file stays.
void write_ensemble(const std::string& path, const Ensemble& ensemble);

// A file of one model or of several. Throws Error(input) naming the file and the reason, as read_checkpoint does; with
// replay every member's examples are run.
Ensemble read_model(const std::string& path, const CheckpointOptions& options = {});

// Place in `labels` of each of the member's labels. Throws Error(input) naming a label that only one of them has.
std::vector<int> label_places(const std::vector<std::string>& member, const std::vector<std::string>& labels);

// p[places[k]] += weight * q[k]. Nothing allocates.
void add_answer(std::span<const double> q, std::span<const int> places, double weight, std::span<double> p) noexcept;
// p^(1/temperature), scaled to sum 1, in place; p unchanged at temperature 1. Nothing allocates.
void apply_temperature(std::span<double> p, double temperature) noexcept;

}  // namespace serene
