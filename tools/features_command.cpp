// serene features: features of audio files as NumPy arrays.
#include <filesystem>
#include <map>

#include "command.h"
#include "serene/audio/features.h"
#include "serene/call/recognizer.h"
#include "serene/core/thread_pool.h"
#include "serene/io/npy.h"
#include "serene/train/run_config.h"

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

std::string npy_path(const std::string& folder, const std::string& file) {
  return (fs::path(folder) / fs::path(file).stem()).string() + ".npy";
}

// Two audio files of one name would write the same .npy.
void refuse_same_names(const std::string& folder, const std::vector<std::string>& files) {
  std::map<std::string, std::string> taken;
  for (const std::string& file : files) {
    const auto [at, fresh] = taken.emplace(npy_path(folder, file), file);
    if (!fresh) {
      throw Error(ErrorCode::usage, printable(file, 500),
                  "would overwrite the features of " + printable(at->second, 500))
          .hint("write them to different folders with --out");
    }
  }
}

}  // namespace

int features_command(int argc, char** argv) {
  Arguments args("features", "Write the features of audio files as .npy (float32, frames x values).", "FILE...");
  args.add()("preset", "mfcc-40, logmel-64, kaggle-162, kaggle-2376 or kaggle-frames",
             cxxopts::value<std::string>()->default_value("mfcc-40"),
             "NAME")("set", "Change a setting of the preset, such as n_mels=80 or trim_top_db=null; may be repeated",
                     cxxopts::value<std::vector<std::string>>(), "KEY=VALUE")(
      "model", "The features of this model instead of a preset", cxxopts::value<std::string>(), "RUN|MODEL")(
      "out", "Folder for the .npy files, named after the audio files",
      cxxopts::value<std::string>()->default_value("."), "DIR")("print-config", "Print every setting and stop")(
      "threads", "Threads", cxxopts::value<int>()->default_value(std::to_string(available_threads())), "N");
  args.example("serene features clip.wav --preset logmel-64 --out features");
  args.example("serene features *.wav --model runs/first --out features    (then: serene predict --features)");
  if (!args.parse(argc, argv)) return 0;
  const FeatureConfig config = config_of(args);
  if (args.has("print-config")) return print(to_json(config).dump(2) + "\n"), 0;
  const auto files = args.positional();
  if (files.empty())
    throw Error(ErrorCode::usage, "serene features", "at least one audio file is needed")
        .hint("see serene features --help");
  const std::string folder = args.get<std::string>("out");
  refuse_same_names(folder, files);
  make_folder(folder);
  std::vector<std::string> lines(files.size()), problems(files.size());
  ThreadPool pool(args.threads());
  pool.run(static_cast<Index>(files.size()), [&](Index i, int) {
    const auto at = static_cast<std::size_t>(i);
    try {
      const FeatureMatrix m = extract_file(config, files[at]);
      const std::string path = npy_path(folder, files[at]);
      write_npy(path, {m.frames, m.dim}, std::span<const float>(m.values));
      lines[at] = path + "  " + std::to_string(m.frames) + " x " + std::to_string(m.dim) + "\n";
    } catch (const Error& e) {
      problems[at] = e.what();
    }
  });
  std::string text;
  for (const std::string& line : lines) text += line;
  print(text);
  bool bad = false;
  for (const std::string& problem : problems) {
    if (problem.empty()) continue;
    remark("serene: " + problem);
    bad = true;
  }
  return bad ? 2 : 0;
}

}  // namespace serene::cli
