#include "serene/data/wave_augment.h"

#include <algorithm>
#include <optional>

#include "serene/core/error.h"
#include "serene/core/random.h"
#include "serene/data/babble.h"

namespace serene {
namespace {

constexpr std::uint64_t kFewestVoices = 3, kMostVoices = 6;

}  // namespace

WaveAugment::WaveAugment(const WaveAugmentConfig& config, WaveStore store, std::span<const std::size_t> train)
    : config_(config), store_(std::move(store)), train_(train.begin(), train.end()) {
  check(config_, store_.features);
  std::vector<Index> most(store_.clips.size(), 0);
  for (const std::size_t clip : train_) {
    if (clip >= store_.clips.size() || store_.clips[clip].empty()) {
      throw Error(ErrorCode::internal, "data.augment.wave", "a training clip has no samples");
    }
    most[clip] = most_frames(store_.features, static_cast<Index>(store_.clips[clip].size()));
  }
  overlay_ = FeatureOverlay(std::move(most));
}

// Some people of the training part, each as loud as the others. Never of another part: a test speaker is not heard in
// training, not even as noise.
std::vector<std::vector<float>> WaveAugment::voices_for(std::size_t clip, const WaveDraw& draw) const {
  if (!draw.noise || draw.noise_kind != NoiseKind::babble) return {};
  const auto pick = [&](Random& random) -> std::optional<std::size_t> {
    const std::size_t other = train_[static_cast<std::size_t>(random.below(train_.size()))];
    return other == clip ? std::nullopt : std::optional(other);
  };
  return babble_voices(store_, kFewestVoices, kMostVoices, Random(draw.seed, Purpose::wave, 1), pick);
}

std::vector<float> WaveAugment::changed(std::size_t clip, const WaveDraw& draw) const {
  std::vector<float> plain;
  store_.copy(clip, plain);
  return change_wave(plain, store_.features.rate_hz, draw, voices_for(clip, draw));
}

void WaveAugment::render_epoch(std::uint64_t seed, std::uint64_t epoch, std::span<const std::size_t> clips,
                               ThreadPool& pool) {
  overlay_.clear();
  std::vector<std::size_t> drawn(clips.begin(), clips.end());
  std::sort(drawn.begin(), drawn.end());
  drawn.erase(std::unique(drawn.begin(), drawn.end()), drawn.end());
  tasks_.clear();
  for (const std::size_t clip : drawn) {
    const WaveDraw draw = draw_wave(config_, seed, epoch, clip);
    if (draw.changes() && overlay_.most_frames(clip) > 0) tasks_.push_back({clip, draw});
  }
  while (extractors_.size() < static_cast<std::size_t>(pool.threads())) {
    extractors_.push_back(std::make_unique<FeatureExtractor>(store_.features));
  }
  pool.run(static_cast<Index>(tasks_.size()), [&](Index i, int worker) {
    const Task& task = tasks_[static_cast<std::size_t>(i)];
    const std::vector<float> wave = changed(task.clip, task.draw);
    overlay_.at(task.clip) = extractors_[static_cast<std::size_t>(worker)]->extract(wave);
  });
}

std::size_t WaveAugment::bytes() const noexcept {
  const auto width = static_cast<std::size_t>(dimension(store_.features));
  std::size_t frames = 0;
  for (const std::size_t clip : train_) frames += static_cast<std::size_t>(overlay_.most_frames(clip));
  return store_.bytes() + frames * width * sizeof(float);
}

}  // namespace serene
