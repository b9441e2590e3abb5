// Training: epochs of shuffled batches, validation, learning-rate schedule, early stopping, the best weights kept.
//
// Everything is a function of (config, seed, data): the same bytes of weights for any number of threads and of ranks
// (processes that share each batch, core/communicator.h), and after stopping at any epoch and resuming. Nothing here
// touches the disk; see run_folder.h.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serene/core/thread_pool.h"
#include "serene/data/batcher.h"
#include "serene/data/splits.h"
#include "serene/data/wave_augment.h"
#include "serene/io/checkpoint.h"
#include "serene/nn/executor.h"
#include "serene/nn/loss.h"
#include "serene/train/batch_targets.h"
#include "serene/train/optimizer.h"
#include "serene/train/predictor.h"
#include "serene/train/run_config.h"
#include "serene/train/schedule.h"
#include "serene/train/transfer.h"
#include "serene/train/weight_average.h"

namespace serene {

// One line of the log. Losses are means over clips; validation loss is the cross-entropy of the true class, without
// smoothing or class weights, over the labels that the clip may have (train.label_sets); training figures are those of
// the passes that trained (dropout on, weights moving). Without a validation part the val_ figures are NaN, written as
// null.
struct EpochRecord {
  Index epoch = 0;           // from 0
  double learning_rate = 0;  // of the epoch's last step
  double train_loss = 0, train_accuracy = 0;
  double val_loss = 0, val_accuracy = 0, val_uar = 0;
  double gradient_norm = 0;  // mean over the epoch's steps, before clipping
  bool best = false;         // the best epoch so far
};

// One line of the log, and back. Reading throws Error(input) that names `where`.
Json to_json(const EpochRecord& record);
EpochRecord epoch_record_from_json(const Json& json, const std::string& where);

class Trainer {
 public:
  // Everything referred to must outlive the trainer. Initialises the weights from config.seed. Throws Error when the
  // training part is empty or the config does not fit. wave: changes the recordings of the training part before each
  // epoch; may be null. communicator: of the ranks that train together, each with the same model, data and config;
  // null: this process alone.
  Trainer(const Model<float>& model, const Dataset& dataset, const Split& split, const RunConfig& config,
          ThreadPool& pool, WaveAugment* wave = nullptr, Communicator* communicator = nullptr);

  // Takes the source's weights where they fit; before the first epoch or restore(). Returns take_weights' line. Throws
  // Error when nothing fits.
  std::string start_from(const SourceModel& source);

  // done of total steps of the epoch, mean loss and accuracy so far.
  using OnStep = std::function<void(Index done, Index total, double loss, double accuracy)>;

  // Trains one epoch and validates. Throws Error(divergence) that names epoch and step when loss or gradient are not
  // finite; the weights are then those before the step. Must not be called when finished().
  const EpochRecord& run_epoch(const OnStep& on_step = {});
  bool finished() const;

  const std::vector<EpochRecord>& history() const noexcept { return history_; }
  std::span<const float> params() const noexcept { return params_; }
  // What is validated and kept: the average of the weights where the config asks for one, else params().
  std::span<const float> current_params() const noexcept { return average_.active() ? average_.values() : params(); }
  // current_params() of the best epoch (or the last, when the config does not restore the best).
  std::span<const float> final_params() const noexcept;
  // Makes these, params().size() of them, the final_params(), as if the training had ended with them.
  void take_final(std::span<const float> params);
  // -1 before the first epoch.
  Index best_epoch() const noexcept { return static_cast<Index>(best_.best_epoch()); }
  Index steps_per_epoch() const noexcept { return batches_.batches(); }
  std::size_t bytes() const noexcept;  // memory planned for passes, weights and optimizer

  // The state between two epochs, into and out of a checkpoint. restore throws Error when it does not fit.
  void save(Checkpoint& checkpoint) const;
  void restore(const Checkpoint& checkpoint);

 private:
  struct StepResult {
    double loss_sum = 0;
    Index correct = 0, clips = 0;
    double gradient_norm = 0;
  };
  StepResult step(Index batch, double learning_rate);
  Shape fill_batch(Index batch);
  std::vector<float> validation_logits();
  void take_from_first_rank(EpochRecord& record) const;
  void commit_statistics();
  void validate(EpochRecord& record);
  double monitored(const EpochRecord& record, Monitor monitor) const;

  const Model<float>& model_;
  const Dataset& dataset_;
  const Split& split_;
  const RunConfig& config_;
  ThreadPool& pool_;
  WaveAugment* wave_;
  Communicator* communicator_;  // nullptr: one process
  Batcher batches_;
  BatchTargets batch_targets_;
  std::unique_ptr<Executor<float>> executor_;
  Predictor predictor_;
  ClassificationLoss loss_;
  FrozenStatistics frozen_;
  Optimizer<float> optimizer_;
  Schedule schedule_;
  EarlyStopping stopping_;
  EarlyStopping best_;  // never stops: finds the epoch whose weights are kept
  WeightAverage average_;
  std::vector<float> params_, best_params_;
  std::vector<EpochRecord> history_;

  std::vector<float> input_, dlogits_;
  std::vector<Index> lengths_;
  std::vector<int> labels_;
  std::string source_sha256_;  // of the model that the weights come from, or ""
};

}  // namespace serene
