// serene features: features of audio files, or of a whole corpus, as NumPy arrays.
#include <filesystem>
#include <map>

#include "command.h"
#include "serene/audio/features.h"
#include "serene/call/recognizer.h"
#include "serene/core/thread_pool.h"
#include "serene/data/feature_archive.h"
#include "serene/data/feature_cache.h"
#include "serene/data/locate.h"
#include "serene/io/npy.h"
#include "serene/train/progress.h"
#include "serene/train/run_config.h"
#include "training.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

// The features that a trained model hears.
FeatureConfig config_of_model(const Arguments& args) {
  if (args.has("set")) throw Error(ErrorCode::usage, "--set", "does not go with --model");
  const Ensemble model = read_model(model_file(args.get<std::string>("model")));
  const FeatureConfig config = feature_config_of(model.members.front());
  for (const Checkpoint& member : model.members) {
    if (feature_config_of(member) == config) continue;
    throw Error(ErrorCode::usage, "--model", "the members of the ensemble hear several kinds of features");
  }
  return config;
}

FeatureConfig config_of(const Arguments& args) {
  if (args.has("model")) return config_of_model(args);
  Json json{{"preset", args.get<std::string>("preset")}};
  if (args.has("set")) {
    for (const std::string& assignment : args.get<std::vector<std::string>>("set")) apply_override(json, assignment);
  }
  JsonReader reader(json, "features");
  return feature_config_from_json(reader);
}

std::string stem_of(const std::string& file) { return fs::path(file).stem().string(); }

std::string npy_path(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / (name + ".npy")).string();
}

// Two audio files of one name would write the same .npy, or the same name in an archive.
void refuse_same_names(const std::vector<std::string>& files) {
  std::map<std::string, std::string> taken;
  for (const std::string& file : files) {
    const auto [at, fresh] = taken.emplace(stem_of(file), file);
    if (!fresh) {
      throw Error(ErrorCode::usage, printable(file, 500),
                  "would overwrite the features of " + printable(at->second, 500))
          .hint("write them to different folders with --out");
    }
  }
}

std::string write_one(const std::string& folder, const std::string& name, const FeatureMatrix& m) {
  const std::string path = npy_path(folder, name);
  write_npy(path, {m.frames, m.dim}, std::span<const float>(m.values));
  return path + "  " + std::to_string(m.frames) + " x " + std::to_string(m.dim) + "\n";
}

std::string write_all(const std::string& path, const FeatureArchive& archive) {
  write_feature_archive(path, archive);
  Index frames = 0;
  for (const FeatureMatrix& m : archive.clips) frames += m.frames;
  return path + "  " + std::to_string(archive.clips.size()) + " clips, " + std::to_string(frames) + " x " +
         std::to_string(archive.dim()) + "\n";
}

// Calls take(i, features) for each file, in parallel; a broken file is named, and the others go on. True for none.
template <class F>
bool extract_files(const FeatureConfig& config, const std::vector<std::string>& files, ThreadPool& pool, F&& take) {
  std::vector<std::string> problems(files.size());
  pool.run(static_cast<Index>(files.size()), [&](Index i, int) {
    const auto at = static_cast<std::size_t>(i);
    try {
      take(at, extract_file(config, files[at]));
    } catch (const Error& e) {
      problems[at] = e.what();
    }
  });
  bool good = true;
  for (const std::string& problem : problems) {
    if (problem.empty()) continue;
    remark("serene: " + problem);
    good = false;
  }
  return good;
}

int files_to_folder(const FeatureConfig& config, const std::vector<std::string>& files, const std::string& folder,
                    ThreadPool& pool) {
  make_folder(folder);
  std::vector<std::string> lines(files.size());
  const bool good = extract_files(config, files, pool, [&](std::size_t i, const FeatureMatrix& m) {
    lines[i] = write_one(folder, stem_of(files[i]), m);
  });
  std::string text;
  for (const std::string& line : lines) text += line;
  print(text);
  return good ? 0 : 2;
}

int files_to_archive(const FeatureConfig& config, const std::vector<std::string>& files, const std::string& path,
                     ThreadPool& pool) {
  std::vector<FeatureMatrix> all(files.size());
  const bool good = extract_files(config, files, pool, [&](std::size_t i, FeatureMatrix m) { all[i] = std::move(m); });
  FeatureArchive archive;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (all[i].frames == 0) continue;
    archive.names.push_back(stem_of(files[i]));
    archive.clips.push_back(std::move(all[i]));
  }
  if (!archive.clips.empty()) print(write_all(path, archive));
  return good ? 0 : 2;
}

// The clips of a corpus or manifest with what is known about them.
FeatureArchive archive_of(const FeatureConfig& config, const Arguments& args, ThreadPool& pool) {
  const bool named = args.has("corpus");
  const Manifest manifest = open_corpus(args.get<std::string>(named ? "corpus" : "manifest"), args.data());
  Progress bar("features", args.quiet());
  FeatureSet set = load_features(manifest, config, args.cache(), pool,
                                 [&](std::size_t done, std::size_t total) { bar.update(done, total); });
  bar.finish();
  remark_skipped(set.manifest);
  FeatureArchive archive;
  archive.classes = set.manifest.labels;
  for (std::size_t i = 0; i < set.clips.size(); ++i) {
    const Clip& clip = set.manifest.clips[i];
    archive.names.push_back(clip.id), archive.labels.push_back(clip.label);
    archive.speakers.push_back(clip.speaker), archive.sexes.push_back(clip.sex);
    archive.corpora.push_back(clip.corpus);
    archive.clips.push_back(std::move(set.clips[i]));
  }
  return archive;
}

int corpus_features(const FeatureConfig& config, const Arguments& args, const std::string& out, ThreadPool& pool) {
  const FeatureArchive archive = archive_of(config, args, pool);
  if (is_feature_archive(out)) return print(write_all(out, archive)), 0;
  make_folder(out);
  std::string text;
  for (std::size_t i = 0; i < archive.names.size(); ++i) {
    make_folder(fs::path(npy_path(out, archive.names[i])).parent_path().string());
    text += write_one(out, archive.names[i], archive.clips[i]);
  }
  print(text);
  return 0;
}

}  // namespace

int features_command(int argc, char** argv) {
  Arguments args("features",
                 "Write the features of audio files, or of a corpus, as .npy (float32, frames x values) or one .npz.",
                 "FILE...");
  args.add()("preset", "mfcc-40, logmel-64, kaggle-162, kaggle-2376 or kaggle-frames",
             cxxopts::value<std::string>()->default_value("mfcc-40"),
             "NAME")("set", "Change a setting of the preset, such as n_mels=80 or trim_top_db=null; may be repeated",
                     cxxopts::value<std::vector<std::string>>(), "KEY=VALUE")(
      "model", "The features of this model instead of a preset", cxxopts::value<std::string>(), "RUN|MODEL")(
      "corpus", "All clips of a known corpus instead of files", cxxopts::value<std::string>(), "NAME")(
      "manifest", "All clips of a JSONL or CSV manifest instead of files", cxxopts::value<std::string>(), "FILE")(
      "out",
      "Folder for the .npy files, named after the audio files; or one file .npz with the features of all, their names, "
      "and the labels and speakers of a corpus or manifest",
      cxxopts::value<std::string>()->default_value("."),
      "DIR|FILE.npz")("print-config", "Print every setting and stop");
  args.add_common();
  args.example("serene features clip.wav --preset logmel-64 --out features");
  args.example("serene features *.wav --model runs/first --out features.npz    (then: serene predict --features)");
  args.example("serene features --corpus ravdess --out ravdess.npz    (then: serene train --set data.features=FILE)");
  if (!args.parse(argc, argv)) return 0;
  const FeatureConfig config = config_of(args);
  if (args.has("print-config")) return print(to_json(config).dump(2) + "\n"), 0;
  check_computable(config);
  const auto files = args.positional();
  const bool corpus = args.has("corpus") || args.has("manifest");
  if (corpus && (!files.empty() || (args.has("corpus") && args.has("manifest"))))
    throw Error(ErrorCode::usage, "serene features", "takes files, or --corpus, or --manifest: one of them");
  if (files.empty() && !corpus)
    throw Error(ErrorCode::usage, "serene features", "at least one audio file is needed")
        .hint("see serene features --help");
  refuse_same_names(files);
  const std::string out = args.get<std::string>("out");
  ThreadPool pool(args.threads());
  if (corpus) return corpus_features(config, args, out, pool);
  return is_feature_archive(out) ? files_to_archive(config, files, out, pool)
                                 : files_to_folder(config, files, out, pool);
}

}  // namespace serene::cli
