#include "serene/io/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "serene/audio/frame_warp.h"
#include "serene/io/checkpoint_parts.h"
#include "serene/nn/executor.h"
#include "serene/nn/model_builder.h"

namespace serene {
namespace {

constexpr double kReplayTolerance = 1e-4;
// A small file can describe a graph whose passes would fill any machine.
constexpr std::size_t kMaxPassBytes = std::size_t{4} << 30;

// Answers one clip after the other with the same memory.
class Classifier {
 public:
  // frames: of the longest clip.
  Classifier(const Checkpoint& c, const InferenceModel<float>& inference, Index frames)
      : checkpoint_(c), executor_(inference.weights(), options_for(c, frames), pool_) {}

  std::vector<double> answer(Index frames, std::span<const float> features) {
    std::vector<double> sums(checkpoint_.labels.size());
    Index heard = 0;
    for (const ClipView& view : checkpoint_.views.list()) {
      if (view.plain()) {
        heard += add_windows(frames, features, sums);
        continue;
      }
      FeatureMatrix clip(frames, checkpoint_.input_channels);
      clip.values.assign(features.begin(), features.end());
      const FeatureMatrix changed = warp(clip, view.tempo, view.mel_shift);
      heard += add_windows(changed.frames, changed.values, sums);
    }
    std::vector<float> logits;
    for (const double sum : sums) logits.push_back(static_cast<float>(sum / static_cast<double>(heard)));
    auto p = probabilities_of(logits, checkpoint_.temperature);
    if (!std::all_of(p.begin(), p.end(), [](double v) { return std::isfinite(v); })) {
      throw Error(ErrorCode::input, "", "the model's answer is not a number")
          .hint("its weights or the features are too large");
    }
    return p;
  }

 private:
  // Adds the logits of every window to sums; returns how many there are.
  Index add_windows(Index frames, std::span<const float> features, std::span<double> sums) {
    const ClipCut cut = checkpoint_.cut();
    const Index channels = checkpoint_.input_channels, length = cut.length(frames), windows = cut.count(frames);
    for (Index i = 0; i < windows; ++i) {
      const Index first = cut.first(frames, i) * channels;
      const auto logits = forward(
          length, features.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(length * channels)));
      for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += static_cast<double>(logits.data[k]);
    }
    return windows;
  }

  SeqView<const float> forward(Index frames, std::span<const float> features) {
    input_.assign(features.begin(), features.end());
    if (!checkpoint_.normalizer.mean.empty()) checkpoint_.normalizer.apply(input_.data(), frames);
    return executor_.forward({input_.data(), {1, frames, checkpoint_.input_channels}, nullptr});
  }

  static ExecutorOptions options_for(const Checkpoint& c, Index frames) {
    ExecutorOptions options;
    options.max_time = c.cut().length(warped_frames(frames, std::min(1.0, c.views.slowest())));
    options.max_bytes = kMaxPassBytes;
    return options;
  }

  const Checkpoint& checkpoint_;
  ThreadPool pool_{1};
  Executor<float> executor_;
  std::vector<float> input_;
};

}  // namespace

void write_checkpoint(const std::string& path, const Checkpoint& c) {
  CheckpointWriter out;
  out.add(path, "", c);
  for (const auto& [name, values] : c.state) {
    out.add("state." + name, {static_cast<Index>(values.size())}, std::span<const float>(values));
  }
  out.text("format", checkpoint_format);
  if (!c.state_json.is_null()) out.text("state", c.state_json.dump());
  out.write(path);
}

Checkpoint read_checkpoint(const std::string& path, const CheckpointOptions& options) {
  const SafeTensors file = read_safetensors(path, {.allow_nonfinite = options.allow_nonfinite});
  return with_context(path, [&] { return checkpoint_from(file, options); });
}

Checkpoint checkpoint_from(const SafeTensors& file, const CheckpointOptions& options) {
  if (format_of(file) == ensemble_format) {
    throw Error(ErrorCode::input, "", "is an ensemble of models where one model is needed");
  }
  if (format_of(file) != checkpoint_format) {
    throw Error(ErrorCode::input, "", "not a serene checkpoint").expected(std::string("format ") + checkpoint_format);
  }
  check_content_sum(file);
  const auto names = file.names();
  std::set<std::string> unread(names.begin(), names.end());
  Checkpoint c = take_checkpoint(file, "", unread);
  if (file.metadata().contains("state")) c.state_json = parse_json(file.metadata("state"), "state");
  for (const std::string& name : names) {
    if (unread.count(name) != 0 && name.starts_with("state."))
      c.state[name.substr(6)] = file.get<float>(name), unread.erase(name);
  }
  refuse_unread(unread);
  if (options.replay && !c.examples.empty()) {
    replay_examples(c, InferenceModel<float>(build_model_of(c), c.params), c.examples.size());
  }
  return c;
}

void probabilities_of(std::span<const float> logits, double temperature, std::span<double> p) noexcept {
  double most = -HUGE_VAL, sum = 0;
  for (const float z : logits) most = std::max(most, static_cast<double>(z));
  for (std::size_t i = 0; i < p.size(); ++i)
    sum += p[i] = std::exp((static_cast<double>(logits[i]) - most) / temperature);
  for (double& v : p) v /= sum;
}

std::vector<double> probabilities_of(std::span<const float> logits, double temperature) {
  std::vector<double> p(logits.size());
  probabilities_of(logits, temperature, p);
  return p;
}

std::vector<double> classify(const Checkpoint& c, const InferenceModel<float>& inference, Index frames,
                             std::span<const float> features) {
  if (frames < 1 || static_cast<Index>(features.size()) != frames * c.input_channels) {
    throw Error(ErrorCode::usage, "features", "wrong size")
        .expected(std::to_string(c.input_channels) + " values for each of " + std::to_string(frames) + " frames")
        .got(std::to_string(features.size()));
  }
  return Classifier(c, inference, frames).answer(frames, features);
}

std::vector<double> classify(const Checkpoint& c, const Model<float>& model, Index frames,
                             std::span<const float> features) {
  return classify(c, InferenceModel<float>(model, c.params), frames, features);
}

void replay_examples(const Checkpoint& c, const InferenceModel<float>& inference, std::size_t most) {
  Index longest = 1;
  const std::size_t count = std::min(most, c.examples.size());
  for (std::size_t i = 0; i < count; ++i) longest = std::max(longest, c.examples[i].frames);
  Classifier classifier(c, inference, longest);
  for (std::size_t i = 0; i < count; ++i) {
    const CheckpointExample& e = c.examples[i];
    const auto got = classifier.answer(e.frames, e.features);
    for (std::size_t k = 0; k < got.size(); ++k) {
      if (!(std::abs(got[k] - e.probabilities[k]) <= kReplayTolerance)) {
        throw Error(ErrorCode::input, "example " + std::to_string(i),
                    "the model does not give the probabilities stored with it")
            .expected(std::to_string(e.probabilities[k]))
            .got(std::to_string(got[k]));
      }
    }
  }
}

Model<float> build_model_of(const Checkpoint& c) {
  return build_model<float>(c.model, c.input_channels, static_cast<Index>(c.labels.size()), "model");
}

}  // namespace serene
