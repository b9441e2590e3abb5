// The training loop with its lines on the terminal, shared by `serene train` and `serene crossval`.
#pragma once

#include <string>

#include "serene/train/outcome.h"
#include "serene/train/progress.h"
#include "serene/train/run_folder.h"

namespace serene::cli {

// Features of the config's corpus with a progress bar, and a remark on every skipped clip.
FeatureSet load_features_with_progress(const RunConfig& config, const std::string& data, const std::string& cache,
                                       ThreadPool& pool, bool quiet);
// load_run_config whose feature settings are checked too.
RunConfig open_config(const std::string& path, const std::vector<std::string>& overrides = {});

// Throws Error naming the config's file when its model does not fit the features or classes. Quick: before any
// training.
void check_model(const RunConfig& config, const FeatureSet& features, const std::string& file);
void remark_skipped(const Manifest& manifest);

// Runs epochs until the trainer has finished. folder: where each epoch is written, or nullptr. prefix stands before
// every line
// ("fold 2 seed 1 "). epoch_lines: keep a line for every epoch.
void run_epochs(Experiment& experiment, const RunFolder* folder, const std::string& prefix, bool quiet,
                bool epoch_lines);

}  // namespace serene::cli
