// The folder of a training run, everything in it written atomically:
//
//   config.json        the resolved config           split.json       clip ids of training, validation and test part
//   data.json          clips, labels, skipped files  log.jsonl/.csv   a line an epoch
//   last.safetensors   weights and trainer's state   last-1...        the one before
//   best.safetensors   the model to use              curves.svg, confusion.svg
//   results.json       scores of the test part       predictions.json logits of the test part
//   report.html        all of it in one page         model_card.md    what the model is and is not for
//   events.out.tfevents.serene    the log for TensorBoard (io/tensorboard.h), where it is wanted
//
// Nothing in it depends on times or threads, but for the times in TensorBoard's log: a run that was killed and resumed
// leaves the same bytes as one that was not.
#pragma once

#include <string>
#include <vector>

#include "serene/eval/evaluation.h"
#include "serene/eval/report.h"
#include "serene/train/experiment.h"

namespace serene {

class RunFolder {
 public:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}  // touches no file

  const std::string& path() const noexcept { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }  // path of a file in it
  bool has_config() const;                                                 // a run was begun here
  bool has_state() const;                                                  // a run to resume

  // Makes the folder (and those above) and removes what a killed writer left. Throws Error when the folder holds a run
  // and resume is false.
  void open(bool resume) const;
  void write_start(const RunConfig& config, const Split& split, const FeatureSet& features) const;
  // From now on write_epoch keeps a log for TensorBoard; one that is there already goes on without this.
  void log_to_tensorboard() { tensorboard_ = true; }
  // After an epoch: log, last, and best when this epoch is the best.
  void write_epoch(Experiment& experiment) const;
  // At the end: best with its temperature, scores, pictures, report.
  void write_end(Experiment& experiment, const Checkpoint& best, const Evaluation& evaluation,
                 const std::vector<Prediction>& predictions) const;

  // As write_start left them. Throw Error(input) that names the file.
  RunConfig read_config() const;
  Split read_split(const Manifest& manifest) const;
  // The state to resume from; `remark` tells when last was damaged and the one before was taken.
  Checkpoint read_state(std::string& remark) const;

 private:
  void write_logs(const std::vector<EpochRecord>& history) const;

  std::string path_;
  bool tensorboard_ = false;
};

// Facts about the data for reports.
std::vector<std::pair<std::string, std::string>> data_facts(const FeatureSet& features, const Split& split);
std::vector<std::pair<std::string, std::string>> skipped_clips(const FeatureSet& features);
LearningCurves learning_curves(const std::vector<EpochRecord>& history, Index best_epoch);

// Predictions as JSON and back; reading is strict.
Json predictions_to_json(const std::vector<Prediction>& predictions);
std::vector<Prediction> predictions_from_json(const Json& json, const std::string& where);

}  // namespace serene
