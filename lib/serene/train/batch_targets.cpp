#include "serene/train/batch_targets.h"

#include <algorithm>
#include <cmath>

#include "serene/core/error.h"
#include "serene/core/random.h"

namespace serene {

BatchTargets::BatchTargets(const Dataset& dataset, std::span<const std::size_t> train, const TargetConfig& config,
                           std::uint64_t seed, Shape most)
    : config_(config),
      seed_(seed),
      classes_(dataset.label_names().size()),
      labels_(dataset, config.label_sets),
      soft_(config.kind == TargetKind::votes || config.mixes()) {
  const auto rows = static_cast<std::size_t>(most.batch);
  hard_.resize(rows);
  if (labels_.masked()) allowed_.resize(rows * classes_);
  if (soft_) {
    soft_rows_.resize(rows * classes_);
    targets_.resize(dataset.size() * classes_);
    for (std::size_t clip = 0; clip < dataset.size(); ++clip)
      targets_[clip * classes_ + static_cast<std::size_t>(dataset.label(clip))] = 1;
  }
  if (config.mixes()) {
    mixes_.resize(rows);
    plain_.resize(static_cast<std::size_t>(most.size()));
    plain_lengths_.resize(rows);
    plain_labels_.resize(rows);
  }
  if (config.kind == TargetKind::votes) take_votes(dataset, train);
}

void BatchTargets::take_votes(const Dataset& dataset, std::span<const std::size_t> train) {
  const auto& clips = dataset.features().manifest.clips;
  std::vector<bool> voted(dataset.size(), false);
  std::vector<double> votes(classes_);
  for (std::size_t clip = 0; clip < dataset.size(); ++clip) {
    double sum = 0;
    const auto allowed = labels_.allowed(clip);
    for (std::size_t k = 0; k < classes_; ++k) {
      const auto found = clips[clip].votes.find(dataset.label_names()[k]);
      votes[k] = found != clips[clip].votes.end() && allowed[k] != 0 ? found->second : 0.0;
      sum += votes[k];
    }
    voted[clip] = sum > 0;
    float* const target = targets_.data() + clip * classes_;
    for (std::size_t k = 0; voted[clip] && k < classes_; ++k) {
      const double label = static_cast<double>(target[k]);
      target[k] = static_cast<float>(config_.votes_weight * votes[k] / sum + (1 - config_.votes_weight) * label);
    }
  }
  if (std::none_of(train.begin(), train.end(), [&](std::size_t clip) { return voted[clip]; })) {
    throw Error(ErrorCode::input, "train.targets", "no training clip has listeners' votes")
        .hint("CREMA-D has them in tabulatedVotes.csv, beside its clips or named by data.votes");
  }
}

std::size_t BatchTargets::bytes() const noexcept {
  return (targets_.size() + plain_.size() + soft_rows_.size()) * sizeof(float);
}

BatchTargets::Mix BatchTargets::draw(const TrainingBatch& batch, std::size_t row) const noexcept {
  Random random(seed_, Purpose::mixup, batch.epoch, batch.clips[row]);
  if (random.uniform() >= config_.mixup_probability) return {};
  const std::size_t own = labels_.set_of(batch.clips[row]);
  const auto fits = [&](std::size_t other) { return other != row && labels_.set_of(batch.clips[other]) == own; };
  std::uint64_t candidates = 0;
  for (std::size_t other = 0; other < batch.clips.size(); ++other) candidates += fits(other) ? 1 : 0;
  if (candidates == 0) return {};
  Mix mix;
  mix.lambda = random.beta(config_.mixup_alpha, config_.mixup_alpha);
  std::uint64_t skip = random.below(candidates);
  for (mix.partner = 0; !fits(mix.partner) || skip > 0; ++mix.partner) skip -= fits(mix.partner) ? 1 : 0;
  return mix;
}

void BatchTargets::mix_row(const TrainingBatch& batch, std::size_t row) const noexcept {
  const Mix& m = mixes_[row];
  const auto size = static_cast<std::size_t>(batch.shape.time * batch.shape.channels);
  const float* const a = plain_.data() + row * size;
  const float* const b = plain_.data() + m.partner * size;
  const float own = static_cast<float>(m.lambda), other = static_cast<float>(1 - m.lambda);
  const double frames = m.lambda * static_cast<double>(plain_lengths_[row]) +
                        (1 - m.lambda) * static_cast<double>(plain_lengths_[m.partner]);
  const auto length = static_cast<Index>(std::llround(frames));
  const auto filled = static_cast<std::size_t>(length * batch.shape.channels);
  float* const out = batch.input + row * size;
  for (std::size_t i = 0; i < filled; ++i) out[i] = own * a[i] + other * b[i];
  std::fill(out + filled, out + size, 0.0f);
  batch.lengths[row] = length;
  if (m.lambda < 0.5) batch.labels[row] = plain_labels_[m.partner];
}

void BatchTargets::mix(const TrainingBatch& batch, ThreadPool& pool) {
  for (std::size_t row = 0; row < batch.clips.size(); ++row) mixes_[row] = draw(batch, row);
  std::copy_n(batch.input, batch.shape.size(), plain_.begin());
  std::copy_n(batch.lengths, batch.shape.batch, plain_lengths_.begin());
  std::copy_n(batch.labels, batch.shape.batch, plain_labels_.begin());
  pool.run(batch.shape.batch, [&](Index i, int) {
    const auto row = static_cast<std::size_t>(i);
    if (mixes_[row].lambda < 1) mix_row(batch, row);
  });
}

Targets<float> BatchTargets::prepare(const TrainingBatch& batch, ThreadPool& pool) {
  const std::size_t rows = batch.clips.size();
  if (config_.mixes()) mix(batch, pool);
  Targets<float> result;
  if (labels_.masked()) {
    for (std::size_t b = 0; b < rows; ++b) {
      const auto allowed = labels_.allowed(batch.clips[b]);
      std::copy(allowed.begin(), allowed.end(), allowed_.begin() + static_cast<std::ptrdiff_t>(b * classes_));
    }
    result.allowed = allowed_.data();
  }
  if (!soft_) {
    std::copy_n(batch.labels, batch.shape.batch, hard_.begin());
    result.labels = hard_.data();
    return result;
  }
  for (std::size_t b = 0; b < rows; ++b) {
    const Mix m = config_.mixes() ? mixes_[b] : Mix{};
    const auto own = target(batch.clips[b]), other = target(batch.clips[m.lambda < 1 ? m.partner : b]);
    for (std::size_t k = 0; k < classes_; ++k) {
      const double t = m.lambda * static_cast<double>(own[k]) + (1 - m.lambda) * static_cast<double>(other[k]);
      soft_rows_[b * classes_ + k] = static_cast<float>(t);
    }
  }
  result.soft = soft_rows_.data();
  return result;
}

}  // namespace serene
