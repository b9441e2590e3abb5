// The folds of serene crossval: what is in the folder already is read, the rest is trained, several at a time.
#pragma once

#include <string>
#include <vector>

#include "crossval_store.h"

namespace serene::cli {

// Which models stay: of the folds that are trained, of all folds (those without one are trained again), or none.
enum class KeepModels { trained, all, none };

struct FoldPlan {
  std::string folder;
  std::vector<std::uint64_t> seeds;
  std::vector<int> folds;  // empty: all
  Part part = Part::test;
  KeepModels models = KeepModels::trained;
  int jobs = 1, threads = 1;  // folds at once, and the threads that they share
  bool quiet = false;
};

// The answers of every seed and fold, in that order; empty when the protocol has none of the folds. They do not depend
// on jobs and threads. A fold that ends is kept at once, so that a run that is stopped goes on with the others. Throws
// Error.
std::vector<FoldResult> run_folds(const RunConfig& config, const FeatureSet& features, const FoldPlan& plan);

}  // namespace serene::cli
