// The folder that serene crossval leaves: answers and model of every fold and seed, and the summary of all.
//
//   config.json            the resolved config, with the first seed
//   seed<S>-fold<F>.json   the fold's answers, for its test part; -validation.json for its validation part
//   seed<S>-fold<F>.safetensors   its model, as `serene train` would have left it
//   results.json, report.html     the summary; validation_results.json and validation_report.html
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "serene/data/splits.h"
#include "serene/eval/cross_validation.h"
#include "serene/train/run_config.h"
#include "training.h"

namespace serene::cli {

// The result of one fold on disk, and the key of what made it: a result of another config or corpus is made again.
class FoldStore {
 public:
  FoldStore(const std::string& folder, const std::string& key, Part part);

  bool load(std::uint64_t seed, const Split& split, FoldResult& result) const;
  void save(std::uint64_t seed, const Split& split, const FoldResult& result) const;

 private:
  std::string path_of(std::uint64_t seed, const Split& split) const;
  std::string folder_, key_, ending_;
};

std::string fold_model_file(const std::string& folder, std::uint64_t seed, Index fold);
// The model of a fold. Throws Error naming the file: missing, broken, or made by another config than this one (of the
// fold's seed).
Checkpoint read_fold_model(const std::string& path, const RunConfig& config);

// Seeds and folds that a summary names, in order of seed, then fold.
std::vector<std::pair<std::uint64_t, Index>> folds_of(JsonReader& summary);

// Whether serene crossval has left a summary in this folder.
bool is_crossval(const std::string& folder);

}  // namespace serene::cli
