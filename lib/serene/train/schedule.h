// Learning-rate schedules and early stopping. Everything is plain arithmetic in double over a small state that goes to
// JSON and back without loss, so that a resumed run continues exactly.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "serene/core/json.h"

namespace serene {

// The number of an epoch that a rule watches.
enum class Monitor { val_loss, val_accuracy, val_uar };
const std::vector<std::string>& monitor_names();
std::string to_string(Monitor monitor);
Monitor monitor_from_string(const std::string& name);  // one of monitor_names()
inline bool higher_is_better(Monitor monitor) { return monitor != Monitor::val_loss; }

enum class ScheduleType { constant, reduce_on_plateau, cosine, one_cycle };

// The section train.schedule of a config. Keys that the type does not use are read and ignored.
struct ScheduleConfig {
  ScheduleType type = ScheduleType::reduce_on_plateau;
  // reduce_on_plateau
  Monitor monitor = Monitor::val_loss;
  double factor = 0.5;
  std::int64_t patience = 5;
  double min_delta = 1e-4;
  std::int64_t cooldown = 0;
  double min_learning_rate = 1e-6;
  // cosine: linear from initial_fraction to 1 over warmup_epochs, then half a cosine down to final_fraction
  double warmup_epochs = 5;
  double initial_fraction = 0;
  double final_fraction = 0;
  // one_cycle: half a cosine from 1 / div_factor up to 1 over warmup_fraction of the steps, then down to
  // 1 / (div_factor final_div_factor)                                                     (Smith & Topin 2018)
  double warmup_fraction = 0.3;
  double div_factor = 25;
  double final_div_factor = 1e4;
};

// Strict; an error names the key. to_json gives every key with its value.
ScheduleConfig schedule_from_json(JsonReader reader);
Json to_json(const ScheduleConfig& config);

// Keras' CosineDecay with warm-up: step s < warmup_steps: initial + (target - initial) s / warmup_steps; later
// target ((1 - alpha) (1 + cos(pi (s - warmup_steps) / decay_steps)) / 2 + alpha), constant after the end. step >= 0.
double cosine_warmup(std::int64_t step, double initial, double target, std::int64_t warmup_steps,
                     std::int64_t decay_steps, double alpha) noexcept;

// Keras' ReduceLROnPlateau, in its order of operations. A metric that is not a number counts as no improvement.
class ReduceOnPlateau {
 public:
  // patience, cooldown: epochs; min_delta: what an improvement must exceed.
  ReduceOnPlateau(double learning_rate, double factor, std::int64_t patience, double min_delta, std::int64_t cooldown,
                  double min_learning_rate, bool higher_is_better);

  // At the end of an epoch; returns the rate for the next one.
  double update(double metric) noexcept;
  double learning_rate() const noexcept { return learning_rate_; }

  // What a resumed run needs. restore() throws Error(input) when keys are missing or of a wrong type.
  Json state() const;
  void restore(JsonReader reader);

 private:
  double learning_rate_, factor_, min_delta_, min_learning_rate_;
  std::int64_t patience_, cooldown_;
  bool higher_is_better_;
  double best_;
  std::int64_t wait_ = 0, cooldown_left_ = 0;
};

// The schedule of a run.
class Schedule {
 public:
  // base_rate: optimizer's learning rate, the top of every curve. steps_per_epoch >= 1, epochs >= 1.
  Schedule(const ScheduleConfig& config, double base_rate, std::int64_t steps_per_epoch, std::int64_t epochs);

  // Rate of an update; step = number of updates made before it. Never NaN, never negative.
  double rate(std::int64_t step) const noexcept;
  // Takes the monitored number of the epoch that ended; true when the rate was reduced.
  bool end_epoch(double metric) noexcept;
  Monitor monitor() const noexcept { return config_.monitor; }

  // As ReduceOnPlateau.
  Json state() const;
  void restore(JsonReader reader);

 private:
  ScheduleConfig config_;
  double base_rate_;
  std::int64_t warmup_steps_, total_steps_;
  ReduceOnPlateau plateau_;
};

// The section train.early_stopping of a config.
struct EarlyStoppingConfig {
  bool enabled = true;
  Monitor monitor = Monitor::val_loss;
  std::int64_t patience = 10;  // epochs without improvement before the run stops
  double min_delta = 0;        // an improvement must be larger than this
  bool restore_best = true;    // end with the weights of the best epoch
};

// Strict; an error names the key. to_json gives every key with its value.
EarlyStoppingConfig early_stopping_from_json(JsonReader reader);
Json to_json(const EarlyStoppingConfig& config);

// Keras' EarlyStopping.
class EarlyStopping {
 public:
  explicit EarlyStopping(const EarlyStoppingConfig& config);  // nothing seen yet

  // Takes the monitored number of the epoch that ended (epochs count from 0); true when it is the best so far.
  bool update(std::int64_t epoch, double metric) noexcept;
  bool should_stop() const noexcept { return config_.enabled && stopped_; }
  double best() const noexcept { return best_; }                    // infinite before the first number
  std::int64_t best_epoch() const noexcept { return best_epoch_; }  // -1 before the first number
  const EarlyStoppingConfig& config() const noexcept { return config_; }

  // As ReduceOnPlateau.
  Json state() const;
  void restore(JsonReader reader);

 private:
  EarlyStoppingConfig config_;
  double best_;
  std::int64_t best_epoch_ = -1, wait_ = 0;
  bool stopped_ = false;
};

}  // namespace serene
