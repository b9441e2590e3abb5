#include "serene/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace serene {

namespace {

constexpr std::int64_t most_epochs = 1000000;
const std::vector<std::string> type_names = {"constant", "reduce_on_plateau", "cosine", "one_cycle"};

double worst(bool higher_is_better) {
  const double infinity = std::numeric_limits<double>::infinity();
  return higher_is_better ? -infinity : infinity;
}

// False for NaN.
bool improves(double metric, double best, double min_delta, bool higher_is_better) noexcept {
  return higher_is_better ? metric > best + min_delta : metric < best - min_delta;
}

// JSON has no infinity: "nothing seen yet" is null.
Json best_to_json(double best) { return std::isfinite(best) ? Json(best) : Json(nullptr); }

double best_from_json(JsonReader& reader, bool higher_is_better) {
  return reader.raw("best").is_null() ? worst(higher_is_better) : reader.number("best");
}

// Half a cosine from `from` (at = 0) to `to` (at = 1).
double half_cosine(double from, double to, double at) noexcept {
  return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * std::clamp(at, 0.0, 1.0)));
}

double one_cycle(std::int64_t step, double top, std::int64_t total_steps, const ScheduleConfig& c) noexcept {
  const double last = static_cast<double>(std::max<std::int64_t>(total_steps - 1, 1));
  const double peak = std::max(c.warmup_fraction * last, 1e-9);
  const double start = top / c.div_factor, at = static_cast<double>(step);
  if (at < peak) return half_cosine(start, top, at / peak);
  return half_cosine(top, start / c.final_div_factor, (at - peak) / std::max(last - peak, 1e-9));
}

}  // namespace

const std::vector<std::string>& monitor_names() {
  static const std::vector<std::string> names = {"val_loss", "val_accuracy", "val_uar"};
  return names;
}

std::string to_string(Monitor monitor) { return monitor_names()[static_cast<std::size_t>(monitor)]; }

Monitor monitor_from_string(const std::string& name) {
  const auto& names = monitor_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) throw Error(ErrorCode::usage, "monitor", "unknown name").got(name);
  return static_cast<Monitor>(found - names.begin());
}

ScheduleConfig schedule_from_json(JsonReader r) {
  ScheduleConfig c;
  const std::string type = r.choice("type", type_names, type_names[static_cast<std::size_t>(c.type)]);
  c.type = static_cast<ScheduleType>(std::find(type_names.begin(), type_names.end(), type) - type_names.begin());
  c.monitor = monitor_from_string(r.choice("monitor", monitor_names(), to_string(c.monitor)));
  c.factor = r.number_in("factor", 1e-6, 0.999999, c.factor);
  c.patience = r.integer_in("patience", 0, most_epochs, c.patience);
  c.min_delta = r.number_in("min_delta", 0, 1e6, c.min_delta);
  c.cooldown = r.integer_in("cooldown", 0, most_epochs, c.cooldown);
  c.min_learning_rate = r.number_in("min_learning_rate", 0, 1000, c.min_learning_rate);
  c.warmup_epochs = r.number_in("warmup_epochs", 0, 1e6, c.warmup_epochs);
  c.initial_fraction = r.number_in("initial_fraction", 0, 1, c.initial_fraction);
  c.final_fraction = r.number_in("final_fraction", 0, 1, c.final_fraction);
  c.warmup_fraction = r.number_in("warmup_fraction", 0, 1, c.warmup_fraction);
  c.div_factor = r.number_in("div_factor", 1, 1e12, c.div_factor);
  c.final_div_factor = r.number_in("final_div_factor", 1, 1e12, c.final_div_factor);
  r.finish();
  return c;
}

Json to_json(const ScheduleConfig& c) {
  Json j;
  j["type"] = type_names[static_cast<std::size_t>(c.type)];
  switch (c.type) {
    case ScheduleType::constant:
      break;
    case ScheduleType::reduce_on_plateau:
      j["monitor"] = to_string(c.monitor);
      j["factor"] = c.factor;
      j["patience"] = c.patience;
      j["min_delta"] = c.min_delta;
      j["cooldown"] = c.cooldown;
      j["min_learning_rate"] = c.min_learning_rate;
      break;
    case ScheduleType::cosine:
      j["warmup_epochs"] = c.warmup_epochs;
      j["initial_fraction"] = c.initial_fraction;
      j["final_fraction"] = c.final_fraction;
      break;
    case ScheduleType::one_cycle:
      j["warmup_fraction"] = c.warmup_fraction;
      j["div_factor"] = c.div_factor;
      j["final_div_factor"] = c.final_div_factor;
      break;
  }
  return j;
}

double cosine_warmup(std::int64_t step, double initial, double target, std::int64_t warmup_steps,
                     std::int64_t decay_steps, double alpha) noexcept {
  if (step < warmup_steps) {
    return initial + (target - initial) * (static_cast<double>(step) / static_cast<double>(warmup_steps));
  }
  const std::int64_t decayed = std::min(step - warmup_steps, decay_steps);
  const double at = decay_steps > 0 ? static_cast<double>(decayed) / static_cast<double>(decay_steps) : 1.0;
  return target * ((1 - alpha) * 0.5 * (1 + std::cos(std::numbers::pi * at)) + alpha);
}

ReduceOnPlateau::ReduceOnPlateau(double learning_rate, double factor, std::int64_t patience, double min_delta,
                                 std::int64_t cooldown, double min_learning_rate, bool higher_is_better)
    : learning_rate_(learning_rate),
      factor_(factor),
      min_delta_(min_delta),
      min_learning_rate_(min_learning_rate),
      patience_(patience),
      cooldown_(cooldown),
      higher_is_better_(higher_is_better),
      best_(worst(higher_is_better)) {}

double ReduceOnPlateau::update(double metric) noexcept {
  if (cooldown_left_ > 0) {
    --cooldown_left_;
    wait_ = 0;
  }
  if (improves(metric, best_, min_delta_, higher_is_better_)) {
    best_ = metric;
    wait_ = 0;
  } else if (cooldown_left_ == 0) {
    ++wait_;
    if (wait_ >= patience_ && learning_rate_ > min_learning_rate_) {
      learning_rate_ = std::max(learning_rate_ * factor_, min_learning_rate_);
      cooldown_left_ = cooldown_;
      wait_ = 0;
    }
  }
  return learning_rate_;
}

Json ReduceOnPlateau::state() const {
  Json j;
  j["learning_rate"] = learning_rate_;
  j["best"] = best_to_json(best_);
  j["wait"] = wait_;
  j["cooldown_left"] = cooldown_left_;
  return j;
}

void ReduceOnPlateau::restore(JsonReader r) {
  const double learning_rate = r.number("learning_rate");
  if (!(learning_rate >= 0)) throw r.error("learning_rate", "negative");
  const double best = best_from_json(r, higher_is_better_);
  const std::int64_t wait = r.integer_in("wait", 0, most_epochs);
  const std::int64_t cooldown_left = r.integer_in("cooldown_left", 0, most_epochs);
  r.finish();
  learning_rate_ = learning_rate;
  best_ = best;
  wait_ = wait;
  cooldown_left_ = cooldown_left;
}

Schedule::Schedule(const ScheduleConfig& config, double base_rate, std::int64_t steps_per_epoch, std::int64_t epochs)
    : config_(config),
      base_rate_(base_rate),
      warmup_steps_(0),
      total_steps_(0),
      plateau_(base_rate, config.factor, config.patience, config.min_delta, config.cooldown, config.min_learning_rate,
               higher_is_better(config.monitor)) {
  if (steps_per_epoch < 1 || epochs < 1) throw Error(ErrorCode::usage, "schedule", "needs at least one step");
  total_steps_ = steps_per_epoch * epochs;
  const double warmup = std::round(config.warmup_epochs * static_cast<double>(steps_per_epoch));
  warmup_steps_ = static_cast<std::int64_t>(std::min(warmup, static_cast<double>(total_steps_)));
}

double Schedule::rate(std::int64_t step) const noexcept {
  switch (config_.type) {
    case ScheduleType::constant:
      break;
    case ScheduleType::reduce_on_plateau:
      return plateau_.learning_rate();
    case ScheduleType::cosine:
      return cosine_warmup(step, base_rate_ * config_.initial_fraction, base_rate_, warmup_steps_,
                           total_steps_ - warmup_steps_, config_.final_fraction);
    case ScheduleType::one_cycle:
      return one_cycle(step, base_rate_, total_steps_, config_);
  }
  return base_rate_;
}

bool Schedule::end_epoch(double metric) noexcept {
  if (config_.type != ScheduleType::reduce_on_plateau) return false;
  const double before = plateau_.learning_rate();
  return plateau_.update(metric) < before;
}

Json Schedule::state() const {
  return config_.type == ScheduleType::reduce_on_plateau ? plateau_.state() : Json::object();
}

void Schedule::restore(JsonReader r) {
  if (config_.type == ScheduleType::reduce_on_plateau) return plateau_.restore(std::move(r));
  r.finish();
}

EarlyStoppingConfig early_stopping_from_json(JsonReader r) {
  EarlyStoppingConfig c;
  c.enabled = r.boolean("enabled", c.enabled);
  c.monitor = monitor_from_string(r.choice("monitor", monitor_names(), to_string(c.monitor)));
  c.patience = r.integer_in("patience", 0, most_epochs, c.patience);
  c.min_delta = r.number_in("min_delta", 0, 1e6, c.min_delta);
  c.restore_best = r.boolean("restore_best", c.restore_best);
  r.finish();
  return c;
}

Json to_json(const EarlyStoppingConfig& c) {
  Json j;
  j["enabled"] = c.enabled;
  j["monitor"] = to_string(c.monitor);
  j["patience"] = c.patience;
  j["min_delta"] = c.min_delta;
  j["restore_best"] = c.restore_best;
  return j;
}

EarlyStopping::EarlyStopping(const EarlyStoppingConfig& config)
    : config_(config), best_(worst(higher_is_better(config.monitor))) {}

bool EarlyStopping::update(std::int64_t epoch, double metric) noexcept {
  if (improves(metric, best_, config_.min_delta, higher_is_better(config_.monitor))) {
    best_ = metric;
    best_epoch_ = epoch;
    wait_ = 0;
    return true;
  }
  ++wait_;
  if (wait_ >= config_.patience && epoch > 0) stopped_ = true;
  return false;
}

Json EarlyStopping::state() const {
  Json j;
  j["best"] = best_to_json(best_);
  j["best_epoch"] = best_epoch_;
  j["wait"] = wait_;
  j["stopped"] = stopped_;
  return j;
}

void EarlyStopping::restore(JsonReader r) {
  const double best = best_from_json(r, higher_is_better(config_.monitor));
  const std::int64_t best_epoch = r.integer_in("best_epoch", -1, most_epochs);
  const std::int64_t wait = r.integer_in("wait", 0, most_epochs);
  const bool stopped = r.boolean("stopped");
  r.finish();
  best_ = best;
  best_epoch_ = best_epoch;
  wait_ = wait;
  stopped_ = stopped;
}

}  // namespace serene
