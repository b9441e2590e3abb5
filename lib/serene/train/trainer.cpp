#include "serene/train/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "serene/nn/init.h"

namespace serene {
namespace {

BatcherConfig training_batches(const RunConfig& c, const WaveAugment* wave) {
  BatcherConfig b;
  b.batch_size = c.train.batch_size;
  b.max_frames = c.data.max_frames;
  b.random_crop = c.data.random_crop;
  b.shuffle = true;
  b.bucket = c.train.bucket_by_length;
  b.seed = c.seed;
  b.augment = c.data.augment;
  b.balance = c.data.balance;
  b.epoch_clips = c.data.epoch_clips;
  b.overlay = wave != nullptr ? &wave->overlay() : nullptr;
  return b;
}

EarlyStoppingConfig best_rule(const TrainConfig& c) {
  EarlyStoppingConfig rule = c.early_stopping;
  rule.enabled = false;
  rule.monitor = c.select_best_by;
  rule.min_delta = 0;
  return rule;
}

ClassificationLoss make_loss(const LossConfig& c, const Dataset& dataset, const Split& split) {
  LossOptions o;
  o.kind = c.type == LossType::focal ? LossOptions::Kind::focal : LossOptions::Kind::cross_entropy;
  o.label_smoothing = c.label_smoothing;
  o.gamma = c.gamma;
  const std::size_t classes = dataset.label_names().size();
  if (c.type == LossType::focal) o.alpha.assign(classes, c.alpha);
  if (c.class_weights == ClassWeights::balanced) o.class_weights = dataset.balanced_class_weights(split.train);
  if (c.class_weights == ClassWeights::given) o.class_weights = c.weights;
  return ClassificationLoss(std::move(o), static_cast<Index>(classes));
}

// The first of the largest allowed values.
std::size_t largest(std::span<const float> row, std::span<const std::uint8_t> allowed) {
  std::size_t best = row.size();
  for (std::size_t k = 0; k < row.size(); ++k) {
    if (allowed[k] != 0 && (best == row.size() || row[k] > row[best])) best = k;
  }
  return best;
}

void take(const Checkpoint& c, const std::string& name, std::span<float> into) {
  const auto found = c.state.find(name);
  if (found == c.state.end() || found->second.size() != into.size()) {
    throw Error(ErrorCode::input, "state." + name, "missing or of the wrong size")
        .hint("the checkpoint is of another run");
  }
  std::copy(found->second.begin(), found->second.end(), into.begin());
}

Json number_or_null(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }
double number_of(const Json& v) { return v.is_null() ? std::numeric_limits<double>::quiet_NaN() : v.get<double>(); }

}  // namespace

Json to_json(const EpochRecord& r) {
  return {{"epoch", r.epoch},
          {"learning_rate", r.learning_rate},
          {"train_loss", number_or_null(r.train_loss)},
          {"train_accuracy", number_or_null(r.train_accuracy)},
          {"val_loss", number_or_null(r.val_loss)},
          {"val_accuracy", number_or_null(r.val_accuracy)},
          {"val_uar", number_or_null(r.val_uar)},
          {"gradient_norm", number_or_null(r.gradient_norm)},
          {"best", r.best}};
}

EpochRecord epoch_record_from_json(const Json& json, const std::string& where) {
  JsonReader r(json, where);
  EpochRecord e;
  const auto figure = [&](const char* key) {
    const Json& v = r.raw(key);
    if (!v.is_null() && !v.is_number()) throw r.error(key, "not a number");
    return number_of(v);
  };
  e.epoch = r.integer("epoch");
  e.learning_rate = r.number("learning_rate");
  e.train_loss = figure("train_loss"), e.train_accuracy = figure("train_accuracy");
  e.val_loss = figure("val_loss"), e.val_accuracy = figure("val_accuracy"), e.val_uar = figure("val_uar");
  e.gradient_norm = figure("gradient_norm");
  e.best = r.boolean("best");
  r.finish();
  return e;
}

Trainer::Trainer(const Model<float>& model, const Dataset& dataset, const Split& split, const RunConfig& config,
                 ThreadPool& pool, WaveAugment* wave, Communicator* communicator)
    : model_(model),
      dataset_(dataset),
      split_(split),
      config_(config),
      pool_(pool),
      wave_(wave),
      communicator_(communicator != nullptr && communicator->size() > 1 ? communicator : nullptr),
      batches_(dataset, split.train, training_batches(config, wave)),
      batch_targets_(dataset, split.train, config.train.targets, config.seed, batches_.max_shape()),
      predictor_(model, dataset, {config.data.max_frames, config.data.long_clips}, {}, pool),
      loss_(make_loss(config.train.loss, dataset, split)),
      frozen_(model, config.train.transfer.freeze),
      optimizer_(config.train.optimizer, layout_with_frozen(model, config.train.transfer.freeze)),
      schedule_(config.train.schedule, config.train.optimizer.learning_rate, batches_.batches(), config.train.epochs),
      stopping_(config.train.early_stopping),
      best_(best_rule(config.train)),
      average_(config.train.averaging, static_cast<std::size_t>(model.layout().size),
               batches_.batches() * config.train.epochs) {
  const Shape most = batches_.max_shape();
  ExecutorOptions options;
  options.mode = Mode::training;
  options.max_batch = most.batch, options.max_time = most.time;
  options.shard = config.train.shard_size;
  options.precision = config.train.precision;
  options.communicator = communicator_;
  executor_ = std::make_unique<Executor<float>>(model, options, pool);
  input_.resize(static_cast<std::size_t>(most.size()));
  dlogits_.resize(static_cast<std::size_t>(most.batch * model.output_channels()));
  lengths_.resize(static_cast<std::size_t>(most.batch));
  labels_.resize(static_cast<std::size_t>(most.batch));
  params_.assign(static_cast<std::size_t>(model.layout().size), 0.0f);
  initialize<float>(model.layout(), config.seed, params_.data());
}

std::string Trainer::start_from(const SourceModel& source) {
  source_sha256_ = source.sha256;
  return take_weights(source, model_, dataset_.label_names(), params_.data());
}

void Trainer::commit_statistics() {
  frozen_.keep(params_.data());
  executor_->commit(params_);
  frozen_.put_back(params_.data());
}

// The samples that this rank runs; all of them where clips are mixed with others of the batch.
Shape Trainer::fill_batch(Index batch) {
  const Shape shape = batches_.shape(batch);
  batches_.describe(batch, lengths_.data(), labels_.data());
  const bool mixes = config_.train.targets.mixes();
  const auto [first, last] = mixes ? std::pair<Index, Index>(0, shape.batch) : executor_->own_samples(shape.batch);
  pool_.run(last - first, [&, begin = first](Index i, int) {
    const Index b = begin + i;
    batches_.fill_sample(batch, b, shape, input_.data() + b * shape.time * shape.channels);
  });
  return shape;
}

Trainer::StepResult Trainer::step(Index batch, double learning_rate) {
  const Shape shape = fill_batch(batch);
  const auto targets = batch_targets_.prepare({batches_.batch_clips(batch), static_cast<std::uint64_t>(history_.size()),
                                               shape, input_.data(), lengths_.data(), labels_.data()},
                                              pool_);
  const auto step_number = static_cast<std::uint64_t>(optimizer_.steps());
  const auto logits = executor_->forward(params_, {input_.data(), shape, lengths_.data()}, config_.seed, step_number);
  StepResult r;
  r.clips = shape.batch;
  const double divisor = loss_.divisor(shape.batch, targets);
  r.loss_sum =
      divisor * loss_.run(shape.batch, logits.data, targets, divisor, LossOutputs<float>{.gradient = dlogits_.data()});
  const Index classes = model_.output_channels();
  for (Index b = 0; b < shape.batch; ++b) {
    const std::size_t clip = batches_.batch_clips(batch)[static_cast<std::size_t>(b)];
    const auto allowed = batch_targets_.corpus_labels().allowed(clip);
    const std::span<const float> row(logits.data + b * classes, allowed.size());
    r.correct += static_cast<int>(largest(row, allowed)) == labels_[static_cast<std::size_t>(b)];
  }
  const std::string place = "epoch " + std::to_string(history_.size() + 1) + ", step " + std::to_string(batch + 1);
  if (!std::isfinite(r.loss_sum)) {
    throw Error(ErrorCode::divergence, place, "the loss is not finite")
        .hint("lower train.optimizer.learning_rate or set clip_norm");
  }
  const auto grads = executor_->backward(dlogits_.data());
  r.gradient_norm = optimizer_.step(params_.data(), grads.data(), learning_rate, pool_);
  if (!std::isfinite(r.gradient_norm)) {
    throw Error(ErrorCode::divergence, place, "the gradient is not finite")
        .hint("lower train.optimizer.learning_rate or set clip_norm");
  }
  commit_statistics();
  average_.update(static_cast<std::int64_t>(step_number), params_, pool_);
  return r;
}

const EpochRecord& Trainer::run_epoch(const OnStep& on_step) {
  EpochRecord record;
  record.epoch = static_cast<Index>(history_.size());
  const auto epoch = static_cast<std::uint64_t>(record.epoch);
  if (wave_ != nullptr) wave_->render_epoch(config_.seed, epoch, batches_.clips_of_epoch(epoch), pool_);
  batches_.start_epoch(epoch);
  const Index steps = batches_.batches();
  double loss = 0, norm = 0;
  Index correct = 0, clips = 0;
  for (Index b = 0; b < steps; ++b) {
    record.learning_rate = schedule_.rate(optimizer_.steps());
    const StepResult r = step(b, record.learning_rate);
    loss += r.loss_sum, correct += r.correct, clips += r.clips, norm += r.gradient_norm;
    if (on_step)
      on_step(b + 1, steps, loss / static_cast<double>(clips),
              static_cast<double>(correct) / static_cast<double>(clips));
  }
  record.train_loss = loss / static_cast<double>(clips);
  record.train_accuracy = static_cast<double>(correct) / static_cast<double>(clips);
  record.gradient_norm = norm / static_cast<double>(steps);
  validate(record);
  take_from_first_rank(record);
  record.best = best_.update(record.epoch, monitored(record, config_.train.select_best_by));
  if (record.best) best_params_.assign(current_params().begin(), current_params().end());
  schedule_.end_epoch(monitored(record, schedule_.monitor()));
  stopping_.update(record.epoch, monitored(record, config_.train.early_stopping.monitor));
  history_.push_back(record);
  return history_.back();
}

bool Trainer::finished() const {
  return static_cast<std::int64_t>(history_.size()) >= config_.train.epochs || stopping_.should_stop();
}

// Each rank answers for a part of the clips.
std::vector<float> Trainer::validation_logits() {
  const std::span<const std::size_t> clips = split_.validation;
  if (communicator_ == nullptr) return predictor_.logits(current_params(), clips);
  std::vector<Index> bounds(static_cast<std::size_t>(communicator_->size()) + 1);
  share_out(static_cast<Index>(clips.size()), bounds);
  const auto rank = static_cast<std::size_t>(communicator_->rank());
  const auto first = static_cast<std::size_t>(bounds[rank]), last = static_cast<std::size_t>(bounds[rank + 1]);
  const auto classes = static_cast<std::size_t>(model_.output_channels());
  const std::vector<float> own = predictor_.logits(current_params(), clips.subspan(first, last - first));
  std::vector<float> all(clips.size() * classes);
  std::copy(own.begin(), own.end(), all.begin() + static_cast<std::ptrdiff_t>(first * classes));
  communicator_->gather_rows(all.data(), classes * sizeof(float), bounds);
  return all;
}

// Decisions hang on these figures: where machines differ in a last bit of exp(), all ranks follow the first.
void Trainer::take_from_first_rank(EpochRecord& r) const {
  if (communicator_ == nullptr) return;
  double* const figures[] = {&r.train_loss,   &r.train_accuracy, &r.val_loss,
                             &r.val_accuracy, &r.val_uar,        &r.gradient_norm};
  std::array<double, std::size(figures)> values;
  std::transform(std::begin(figures), std::end(figures), values.begin(), [](const double* v) { return *v; });
  std::vector<Index> bounds(static_cast<std::size_t>(communicator_->size()) + 1, 1);
  bounds[0] = 0;
  communicator_->gather_rows(values.data(), sizeof values, bounds);
  for (std::size_t i = 0; i < values.size(); ++i) *figures[i] = values[i];
}

void Trainer::validate(EpochRecord& record) {
  record.val_loss = record.val_accuracy = record.val_uar = std::numeric_limits<double>::quiet_NaN();
  if (split_.validation.empty()) return;
  const std::vector<float> logits = validation_logits();
  const auto classes = static_cast<std::size_t>(model_.output_channels());
  std::vector<double> right(classes), seen(classes);
  double loss = 0;
  for (std::size_t i = 0; i < split_.validation.size(); ++i) {
    const std::span<const float> row(logits.data() + i * classes, classes);
    const auto truth = static_cast<std::size_t>(dataset_.label(split_.validation[i]));
    const auto allowed = batch_targets_.corpus_labels().allowed(split_.validation[i]);
    const std::size_t answer = largest(row, allowed);
    const double top = row[answer];
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k)
      sum += allowed[k] != 0 ? std::exp(static_cast<double>(row[k]) - top) : 0.0;
    loss -= static_cast<double>(row[truth]) - top - std::log(sum);
    seen[truth] += 1;
    right[truth] += answer == truth;
  }
  double recalls = 0, present = 0, correct = 0;
  for (std::size_t k = 0; k < classes; ++k) {
    correct += right[k];
    if (seen[k] > 0) recalls += right[k] / seen[k], present += 1;
  }
  const auto n = static_cast<double>(split_.validation.size());
  record.val_loss = loss / n, record.val_accuracy = correct / n, record.val_uar = recalls / present;
}

// Without a validation part the training loss and accuracy are all there is to watch.
double Trainer::monitored(const EpochRecord& r, Monitor monitor) const {
  const bool blind = split_.validation.empty();
  if (monitor == Monitor::val_loss) return blind ? r.train_loss : r.val_loss;
  if (monitor == Monitor::val_accuracy) return blind ? r.train_accuracy : r.val_accuracy;
  return blind ? r.train_accuracy : r.val_uar;
}

std::span<const float> Trainer::final_params() const noexcept {
  if (config_.train.early_stopping.restore_best && !best_params_.empty()) return best_params_;
  return current_params();
}

void Trainer::take_final(std::span<const float> params) {
  params_.assign(params.begin(), params.end());
  if (average_.active()) average_.values() = params_;
  best_params_ = params_;
}

std::size_t Trainer::bytes() const noexcept {
  const std::size_t waves = wave_ != nullptr ? wave_->bytes() : 0;
  return waves + batch_targets_.bytes() + executor_->bytes() + predictor_.bytes() +
         (params_.size() * 4 + input_.size()) * sizeof(float);
}

void Trainer::save(Checkpoint& c) const {
  c.params = params_;
  c.state.clear();
  for (const auto& slot : optimizer_.slots())
    c.state["optimizer." + slot.name].assign(slot.values.begin(), slot.values.end());
  c.state["best_params"] = best_params_;
  if (average_.active()) c.state["average"].assign(average_.values().begin(), average_.values().end());
  Json history = Json::array();
  for (const EpochRecord& r : history_) history.push_back(to_json(r));
  c.state_json = {{"steps", optimizer_.steps()},
                  {"schedule", schedule_.state()},
                  {"early_stopping", stopping_.state()},
                  {"best", best_.state()},
                  {"history", history}};
  if (!source_sha256_.empty()) c.state_json["init_sha256"] = source_sha256_;
}

void Trainer::restore(const Checkpoint& c) {
  if (c.params.size() != params_.size()) throw Error(ErrorCode::input, "weights", "are of another model");
  JsonReader r(c.state_json, "state");
  if (!source_sha256_.empty() && r.text("init_sha256") != source_sha256_) {
    throw Error(ErrorCode::usage, "train.init_from", "is not the file that the run started from")
        .expected("sha256 " + printable(r.text("init_sha256"), 64))
        .got(source_sha256_);
  }
  const Json& history = r.raw("history");
  if (!history.is_array()) throw r.error("history", "not a list");
  std::vector<EpochRecord> records;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const std::string place = "state.history[" + std::to_string(i) + "]";
    records.push_back(epoch_record_from_json(history[i], place));
    if (records.back().epoch != static_cast<Index>(i))
      throw Error(ErrorCode::input, place + ".epoch", "is not the next epoch");
  }
  schedule_.restore(r.object("schedule"));
  stopping_.restore(r.object("early_stopping"));
  best_.restore(r.object("best"));
  const std::int64_t steps = r.integer_in("steps", 0, std::int64_t{1} << 53);
  r.finish();
  if (steps != static_cast<std::int64_t>(records.size()) * batches_.batches()) {
    throw Error(ErrorCode::input, "state.steps", "are not those of the epochs done")
        .hint("the checkpoint is of another run");
  }
  for (const auto& slot : optimizer_.slots()) take(c, "optimizer." + slot.name, slot.values);
  best_params_.assign(best_.best_epoch() < 0 ? 0 : params_.size(), 0.0f);
  take(c, "best_params", best_params_);
  if (average_.active()) take(c, "average", average_.values());
  optimizer_.set_steps(steps);
  params_ = c.params;
  history_ = std::move(records);
}

}  // namespace serene
