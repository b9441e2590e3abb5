#include "serene/train/leaky.h"

#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "serene/audio/features.h"
#include "serene/audio/notebook_augment.h"
#include "serene/audio/wave.h"
#include "serene/core/sha256.h"
#include "serene/data/progress.h"

namespace serene {
namespace {

constexpr std::array<std::pair<NotebookAugment, const char*>, rows_of_a_clip> kCopies{
    {{NotebookAugment::none, ""},
     {NotebookAugment::noise, "#noise"},
     {NotebookAugment::stretch_and_pitch, "#stretch+pitch"}}};

struct Row {
  ClipFeatures features;
  std::string hash;
};

struct ClipRows {
  std::array<Row, kCopies.size()> rows;
  std::string problem;  // why the clip was skipped
};

ClipRows rows_of(const Clip& clip, std::size_t index, std::uint64_t seed, FeatureExtractor& extractor) {
  ClipRows result;
  try {
    const FeatureConfig& config = extractor.config();
    const std::vector<float> mono = load_mono(clip.path, config.rate_hz);
    for (std::size_t k = 0; k < kCopies.size(); ++k) {
      Random random(seed, Purpose::augment, k, index);
      const auto copy = notebook_augment(mono, config.rate_hz, kCopies[k].first, random);
      FeatureMatrix m = extractor.extract(copy);
      result.rows[k] = {{m.frames, std::move(m.values)}, sha256_hex(std::as_bytes(std::span<const float>(copy)))};
    }
  } catch (const Error& e) {
    result.problem = e.what();
  }
  return result;
}

}  // namespace

FeatureSet augmented_rows(const Manifest& manifest, const FeatureConfig& config, std::uint64_t seed, ThreadPool& pool,
                          const DataProgress& progress) {
  std::vector<std::optional<FeatureExtractor>> extractors(static_cast<std::size_t>(pool.threads()));
  for (auto& e : extractors) e.emplace(config);
  std::vector<ClipRows> all(manifest.clips.size());
  for_each_clip(pool, all.size(), progress, [&](std::size_t i, int worker) {
    all[i] = rows_of(manifest.clips[i], i, seed, *extractors[static_cast<std::size_t>(worker)]);
  });
  FeatureSet set;
  set.manifest = manifest;
  set.manifest.clips.clear();
  set.config = config;
  set.dim = dimension(config);
  set.extracted = all.size();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].problem.empty()) {
      set.manifest.skipped.push_back({manifest.clips[i].path, all[i].problem});
      continue;
    }
    for (std::size_t k = 0; k < kCopies.size(); ++k) {
      Clip clip = manifest.clips[i];
      clip.id += kCopies[k].second;
      set.manifest.clips.push_back(std::move(clip));
      set.clips.push_back(std::move(all[i].rows[k].features));
      set.audio_hashes.push_back(std::move(all[i].rows[k].hash));
    }
  }
  if (set.clips.empty()) throw Error(ErrorCode::input, manifest.name, "no usable clip");
  return set;
}

std::vector<std::size_t> plain_rows(const FeatureSet& rows) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < rows.clips.size(); i += rows_of_a_clip) places.push_back(i);
  return places;
}

Split with_training_copies(Split split) {
  std::vector<std::size_t> train;
  for (const std::size_t clip : split.train) {
    for (std::size_t k = 0; k < rows_of_a_clip; ++k) train.push_back(rows_of_a_clip * clip + k);
  }
  split.train = std::move(train);
  for (auto* part : {&split.validation, &split.test}) {
    for (std::size_t& clip : *part) clip *= rows_of_a_clip;
  }
  return split;
}

Split leaky_split(const FeatureSet& rows, double test_fraction, std::uint64_t seed) {
  Split split;
  split.protocol = "kaggle-leaky";
  split.name = "kaggle-leaky (LEAKY) seed " + std::to_string(seed);
  std::tie(split.train, split.test) = random_rows(rows.clips.size(), test_fraction, seed);
  split.validation = split.test;
  return split;
}

}  // namespace serene
