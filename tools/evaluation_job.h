// What a trained model is tested on: its own test part, a corpus, a manifest or a protocol's fold; shared by `serene
// evaluate` and `serene inspect --compare`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "command.h"
#include "serene/core/thread_pool.h"
#include "serene/data/dataset.h"
#include "serene/eval/prediction.h"
#include "serene/io/ensemble.h"
#include "serene/train/target_config.h"

namespace serene::cli {

struct EvaluationJob {
  Ensemble model;
  std::vector<FeatureSet> streams;         // for each of the members' feature configs; the same clips in the same order
  std::vector<std::size_t> member_stream;  // which of them a member hears
  std::vector<std::size_t> clips;          // of the streams
  std::string title, protocol;
  bool leaky = false;
  bool copies = false;  // the clips are rows made in memory and not recordings

  const FeatureSet& features() const { return streams.front(); }
  LabelSets label_sets = LabelSets::united;  // of the run
};

// --corpus, --manifest, --protocol, --fold, --seed and --part.
void add_job_options(Arguments& args);

// path: a run folder or a model. Needs the options above and the common ones. Throws Error(usage) for options that do
// not fit together, and Error for files and corpora that cannot be used.
EvaluationJob open_job(const std::string& path, const Arguments& args, ThreadPool& pool);

// A run on its own "test" or "validation" part.
EvaluationJob open_run(const std::string& path, const std::string& part, const Arguments& args, ThreadPool& pool);

// Clips as a model hears them: features in the order of a job's streams, and places in them.
struct HeardClips {
  std::span<const FeatureSet> streams;
  std::span<const std::size_t> clips;
};

// Answers of the job's model in this precision. how: per_speaker or per_corpus; any other is the way it was trained
// with.
std::vector<Prediction> job_predictions(const EvaluationJob& job, Standardise how, Precision precision,
                                        ThreadPool& pool);
// The same for other clips than the job's own, such as its recordings with noise.
std::vector<Prediction> job_predictions(const EvaluationJob& job, HeardClips heard, Standardise how,
                                        Precision precision, ThreadPool& pool);

}  // namespace serene::cli
