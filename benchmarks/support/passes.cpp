#include "support/passes.h"

#include <cmath>

#include "serene/io/checkpoint.h"

namespace serene::bench {
namespace {

ExecutorOptions options_of(Mode mode, Index batch, Index frames, Precision precision) {
  ExecutorOptions options;
  options.mode = mode, options.max_batch = batch, options.max_time = frames, options.precision = precision;
  return options;
}

}  // namespace

Precision precision_of(const std::string& name) {
  if (name == "full") return Precision::full;
  if (name == "bf16") return Precision::bf16;
  if (name == "int8") return Precision::int8;
  throw Error(ErrorCode::usage, "--precision", "unknown").expected("full, bf16 or int8").got(name);
}

TrainingPass::TrainingPass(const Model<float>& model, std::vector<float> params, Index batch, Index frames, int threads,
                           Precision precision)
    : params_(std::move(params)),
      x_(strong_input(batch, frames)),
      dlogits_(static_cast<std::size_t>(batch * kClasses)),
      labels_(strong_labels(batch)),
      batch_(batch),
      frames_(frames),
      pool_(threads),
      loss_(LossOptions{}, kClasses),
      executor_(model, options_of(Mode::training, batch, frames, precision), pool_),
      optimizer_(OptimizerConfig{}, model.layout()) {}

double TrainingPass::gradients() {
  const auto logits = executor_.forward(params_, {x_.data(), {batch_, frames_, kFeatures}, nullptr}, 1, steps_++);
  Targets<float> targets;
  targets.labels = labels_.data();
  LossOutputs<float> out;
  out.gradient = dlogits_.data();
  const double loss = loss_.run(batch_, logits.data, targets, static_cast<double>(batch_), out);
  gradient_ = executor_.backward(dlogits_.data());
  return loss;
}

double TrainingPass::step() {
  const double loss = gradients();
  if (!std::isfinite(loss)) throw Error(ErrorCode::internal, "training", "the loss is not finite");
  optimizer_.step(params_.data(), gradient_.data(), 1e-4, pool_);
  executor_.commit(params_);
  return loss;
}

InferencePass::InferencePass(const Model<float>& model, std::vector<float> params, std::vector<float> x, Index batch,
                             Index frames, int threads, Precision precision)
    : params_(std::move(params)),
      x_(std::move(x)),
      batch_(batch),
      frames_(frames),
      pool_(threads),
      weights_(model, {Mode::inference, precision}),
      executor_(weights_, options_of(Mode::inference, batch, frames, precision), pool_),
      probabilities_(static_cast<std::size_t>(batch * kClasses)) {
  weights_.pack(params_, pool_);
}

void InferencePass::run() {
  const auto logits = executor_.forward({x_.data(), {batch_, frames_, kFeatures}, nullptr});
  for (Index b = 0; b < batch_; ++b) {
    probabilities_of({logits.data + b * kClasses, static_cast<std::size_t>(kClasses)}, 1.0,
                     std::span<double>(probabilities_)
                         .subspan(static_cast<std::size_t>(b * kClasses), static_cast<std::size_t>(kClasses)));
  }
}

}  // namespace serene::bench
