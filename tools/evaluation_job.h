// What a trained model is tested on: its own test part, a corpus, a manifest or a protocol's fold; shared by `serene
// evaluate` and `serene inspect --compare`.
#pragma once

#include <string>
#include <vector>

#include "command.h"
#include "serene/core/thread_pool.h"
#include "serene/data/dataset.h"
#include "serene/eval/prediction.h"
#include "serene/io/checkpoint.h"

namespace serene::cli {

struct EvaluationJob {
  Checkpoint checkpoint;
  FeatureSet features;
  std::vector<std::size_t> clips;  // of features
  std::string title, protocol;
  bool leaky = false;
};

// --corpus, --manifest, --protocol, --fold, --seed and --part.
void add_job_options(Arguments& args);

// path: a run folder or a model. Needs the options above and the common ones. Throws Error(usage) for options that do
// not fit together, and Error for files and corpora that cannot be used.
EvaluationJob open_job(const std::string& path, const Arguments& args, ThreadPool& pool);

// Answers of the job's model in this precision. dataset: the job's features, standardised.
std::vector<Prediction> job_predictions(const EvaluationJob& job, const Dataset& dataset, Precision precision,
                                        ThreadPool& pool);

}  // namespace serene::cli
