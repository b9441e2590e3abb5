#include "training.h"

#include <chrono>
#include <cstdio>

#include "command.h"
#include "serene/nn/model_builder.h"

namespace serene::cli {
namespace {

std::string figures(const EpochRecord& r) {
  char text[160];
  std::snprintf(text, sizeof text, "train loss %.4f acc %5.1f %%  val loss %.4f acc %5.1f %% UAR %5.1f %%  lr %.2g%s",
                r.train_loss, 100 * r.train_accuracy, r.val_loss, 100 * r.val_accuracy, 100 * r.val_uar,
                r.learning_rate, r.best ? "  best" : "");
  return text;
}

}  // namespace

void remark_skipped(const Manifest& manifest) {
  constexpr std::size_t most = 20;
  for (std::size_t i = 0; i < manifest.skipped.size() && i < most; ++i) {
    remark("skipped " + printable(manifest.skipped[i].path, 300) + ": " + manifest.skipped[i].reason);
  }
  if (manifest.skipped.size() > most) remark("and " + std::to_string(manifest.skipped.size() - most) + " more");
}

FeatureSet load_features_with_progress(const RunConfig& config, const std::string& data, const std::string& cache,
                                       ThreadPool& pool, bool quiet) {
  Progress bar("features", quiet);
  FeatureSet features = load_corpus_features(config, data, cache, pool,
                                             [&](std::size_t done, std::size_t total) { bar.update(done, total); });
  bar.finish(
      "features: " + std::to_string(features.clips.size()) + " clips of " + features.manifest.name + ", " +
      std::to_string(features.extracted) + " extracted, " + std::to_string(features.from_cache) + " from the cache" +
      (features.manifest.skipped.empty() ? "" : ", " + std::to_string(features.manifest.skipped.size()) + " skipped"));
  remark_skipped(features.manifest);
  return features;
}

RunConfig open_config(const std::string& path, const std::vector<std::string>& overrides) {
  RunConfig config = load_run_config(path, overrides);
  with_context(path, [&] { feature_config_of(config); });
  return config;
}

void check_model(const RunConfig& config, const FeatureSet& features, const std::string& file) {
  with_context(file, [&] {
    return build_model<float>(config.model, features.dim, static_cast<Index>(features.manifest.labels.size()));
  });
}

void run_epochs(Experiment& experiment, const RunFolder* folder, const std::string& prefix, bool quiet,
                bool epoch_lines) {
  for (const std::string& line : experiment.remarks()) remark(prefix + line);
  Trainer& trainer = experiment.trainer();
  const std::int64_t epochs = experiment.config().train.epochs;
  const auto start = std::chrono::steady_clock::now();
  Progress bar(prefix + "training", quiet);
  const auto steps = static_cast<std::size_t>(trainer.steps_per_epoch());
  while (!trainer.finished()) {
    const auto before = std::chrono::steady_clock::now();
    const auto epoch = trainer.history().size();
    const EpochRecord& r = trainer.run_epoch([&](Index done, Index, double loss, double accuracy) {
      if (!Progress::terminal()) return;
      char note[96];
      std::snprintf(note, sizeof note, "epoch %zu, loss %.4f, acc %.1f %%", epoch + 1, loss, 100 * accuracy);
      bar.update(epoch * steps + static_cast<std::size_t>(done), static_cast<std::size_t>(epochs) * steps, note);
    });
    if (folder != nullptr) folder->write_epoch(experiment);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
    char time[32];
    std::snprintf(time, sizeof time, "  %.1f s", took.count());
    if (epoch_lines) {
      bar.finish(prefix + "epoch " + std::to_string(epoch + 1) + "/" + std::to_string(epochs) + "  " + figures(r) +
                 time);
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  bar.finish(prefix + std::to_string(trainer.history().size()) + " epochs, best " +
             std::to_string(trainer.best_epoch() + 1) + ", " + clock_text(took.count()));
}

}  // namespace serene::cli
