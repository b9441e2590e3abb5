// Times the first training epoch of a config on every clip of its corpus: serene's side of first_epoch.py.
//
//   bench_first_epoch CONFIG [--data DIR] [--cache DIR] [--threads N] [--padded] [--dump DIR]
//
// All clips train, none validate. Counted: planning and touching the memory, initial weights, batches, forward,
// backward, updates. Not counted: start of the program, reading features from the cache, standardising them. --padded
// gives every clip the length of the longest, zeros behind its end, so that padding is computed like speech. --dump
// writes the standardised, padded features (clips, frames, channels), lengths and labels for the other side and ends.
// Prints one line of JSON.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "serene/core/gemm.h"
#include "serene/io/npy.h"
#include "serene/nn/model_builder.h"
#include "serene/train/experiment.h"
#include "support/bench_main.h"
#include "support/machine.h"
#include "support/measure.h"

namespace serene::bench {
namespace {

struct Arguments {
  std::string config, data, cache, dump;
  int threads = 1;
  bool padded = false;
};

Arguments parse(int count, char** words) {
  Arguments a;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= count) throw Error(ErrorCode::usage, word, "needs a value");
      return words[++i];
    };
    if (word == "--data") a.data = value();
    else if (word == "--cache") a.cache = value();
    else if (word == "--dump") a.dump = value();
    else if (word == "--threads") a.threads = std::atoi(value().c_str());
    else if (word == "--padded") a.padded = true;
    else if (a.config.empty() && word[0] != '-') a.config = word;
    else throw Error(ErrorCode::usage, word, "unknown argument");
  }
  if (a.config.empty()) throw Error(ErrorCode::usage, "bench_first_epoch", "a config is needed");
  return a;
}

Index used_frames(const RunConfig& config, Index frames) {
  return config.data.max_frames > 0 ? std::min<Index>(frames, config.data.max_frames) : frames;
}

// Both sides train on these very values: standardised, cut in the middle to max_frames.
std::vector<ClipFeatures> prepared_clips(const RunConfig& config, const FeatureSet& features, const Dataset& dataset) {
  std::vector<ClipFeatures> clips;
  for (std::size_t i = 0; i < features.clips.size(); ++i) {
    const Index frames = dataset.frames(i), used = used_frames(config, frames);
    std::vector<float> values(static_cast<std::size_t>(used * features.dim));
    dataset.copy_frames(i, (frames - used) / 2, used, values.data());
    clips.emplace_back(used, std::move(values));
  }
  return clips;
}

void pad(std::vector<ClipFeatures>& clips, Index frames) {
  for (ClipFeatures& clip : clips) {
    clip.values.resize(static_cast<std::size_t>(frames * clip.dim), 0.0f);
    clip.frames = frames;
  }
}

void dump(const std::string& folder, const std::vector<ClipFeatures>& clips, const Dataset& dataset, Index frames) {
  std::filesystem::create_directories(folder);
  const Index dim = dataset.dim(), count = static_cast<Index>(clips.size());
  std::vector<float> x(static_cast<std::size_t>(count * frames * dim)), lengths, labels;
  for (std::size_t i = 0; i < clips.size(); ++i) {
    std::copy(clips[i].values.begin(), clips[i].values.end(), x.begin() + static_cast<Index>(i) * frames * dim);
    lengths.push_back(static_cast<float>(clips[i].frames));
    labels.push_back(static_cast<float>(dataset.label(i)));
  }
  write_npy(folder + "/x.npy", {count, frames, dim}, std::span<const float>(x));
  write_npy(folder + "/lengths.npy", {count}, std::span<const float>(lengths));
  write_npy(folder + "/labels.npy", {count}, std::span<const float>(labels));
}

int run(int count, char** words) {
  const Arguments a = parse(count, words);
  ThreadPool pool(a.threads);
  RunConfig config = load_run_config(a.config);
  config.train.epochs = 1;
  FeatureSet features = load_corpus_features(config, a.data, a.cache, pool);
  Split split;
  split.protocol = split.name = "all";
  split.train.resize(features.clips.size());
  std::iota(split.train.begin(), split.train.end(), std::size_t{0});
  {
    const Dataset raw(features, split.train, standardise_of(config.normalize));
    features.clips = prepared_clips(config, features, raw);
  }
  const Index longest = features.longest();
  Index frames = 0;
  for (const ClipFeatures& clip : features.clips) frames += clip.frames;
  const Dataset dataset(features, split.train, Standardise::none);
  if (!a.dump.empty()) dump(a.dump, features.clips, dataset, longest);
  if (a.padded) pad(features.clips, longest);
  Json report = {{"engine", "serene"},
                 {"kernels", cpu_kernels()},
                 {"threads", a.threads},
                 {"padded", a.padded},
                 {"samples", features.clips.size()},
                 {"frames", longest},
                 {"features", features.dim},
                 {"mean_frames", static_cast<double>(frames) / static_cast<double>(features.clips.size())},
                 {"batch", config.train.batch_size}};
  if (a.dump.empty()) {
    const Model<float> model =
        build_model<float>(config.model, features.dim, static_cast<Index>(dataset.label_names().size()));
    const Clock::time_point start = Clock::now();
    Trainer trainer(model, dataset, split, config, pool);
    const EpochRecord& record = trainer.run_epoch();
    const double seconds = seconds_since(start);
    report["first_epoch_seconds"] = seconds;
    report["samples_per_second"] = static_cast<double>(features.clips.size()) / seconds;
    report["loss"] = record.train_loss;
    report["planned_mb"] = static_cast<double>(trainer.bytes()) * 1e-6;
  }
  report["peak_rss_mb"] = peak_memory() / (1024.0 * 1024.0);
  report["machine"] = machine();
  std::cout << report.dump() << "\n";
  return 0;
}

}  // namespace
}  // namespace serene::bench

int main(int count, char** words) {
  return serene::bench::bench_main("bench_first_epoch", count, words, serene::bench::run);
}
