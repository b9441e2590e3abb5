#include "evaluation_job.h"

#include <algorithm>
#include <filesystem>

#include "serene/call/recognizer.h"
#include "serene/data/locate.h"
#include "training.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

// Brings a corpus to the model's labels: clips of labels it does not know are left out and counted.
Manifest with_labels_of(const Checkpoint& c, Manifest manifest) {
  std::vector<std::size_t> keep;
  for (std::size_t i = 0; i < manifest.clips.size(); ++i) {
    if (std::find(c.labels.begin(), c.labels.end(), manifest.clips[i].label) != c.labels.end()) keep.push_back(i);
  }
  const std::size_t unknown = manifest.clips.size() - keep.size();
  if (keep.empty()) throw Error(ErrorCode::input, manifest.name, "has no clip of a label that the model knows");
  Manifest known = subset(manifest, keep);
  known.labels = c.labels;
  if (unknown > 0) {
    known.left_out["label the model does not know"] = unknown;
    remark(std::to_string(unknown) + " clips left out: the model does not know their labels");
  }
  return known;
}

FeatureSet features_for(const FeatureConfig& config, const Manifest& manifest, const Arguments& args,
                        ThreadPool& pool) {
  Progress bar("features", args.quiet());
  FeatureSet set = load_features(manifest, config, args.cache(), pool,
                                 [&](std::size_t done, std::size_t total) { bar.update(done, total); });
  bar.finish();
  remark_skipped(set.manifest);
  return set;
}

EvaluationJob job_of_run(const std::string& path, const Arguments& args, ThreadPool& pool) {
  for (const char* option : {"protocol", "fold", "seed"}) {
    if (args.has(option)) {
      throw Error(ErrorCode::usage, std::string("--") + option, "a run is tested on its own split")
          .hint("add --corpus NAME or --manifest FILE");
    }
  }
  const RunFolder folder(path);
  const RunConfig config = folder.read_config();
  EvaluationJob job;
  job.checkpoint = read_checkpoint(model_file(path));
  job.features = load_features_with_progress(config, args.data(), args.cache(), pool, args.quiet());
  const Split split = folder.read_split(job.features.manifest);
  job.leaky = split.protocol == kaggle_leaky;
  const std::string part = args.get<std::string>("part");
  if (part == "all")
    throw Error(ErrorCode::usage, "--part all", "would test a run on its own training clips")
        .expected("test or validation");
  job.clips = part == "validation" ? split.validation : split.test;
  job.title = config.name, job.protocol = split.name + (part == "validation" ? ", validation part" : "");
  return job;
}

EvaluationJob job_of_model(const std::string& path, const Arguments& args, ThreadPool& pool) {
  EvaluationJob job;
  job.checkpoint = read_checkpoint(path);
  const FeatureConfig features = with_context(path, [&] { return feature_config_of(job.checkpoint); });
  if (!args.has("corpus") && !args.has("manifest")) {
    throw Error(ErrorCode::usage, path, "a model alone does not say what to test it on")
        .hint("add --corpus NAME or --manifest FILE, or give the run folder");
  }
  const std::string& source =
      args.has("manifest") ? args.get<std::string>("manifest") : args.get<std::string>("corpus");
  const Manifest manifest = with_labels_of(job.checkpoint, open_corpus(source, args.data()));
  const auto trained_by = job.checkpoint.notes.find("protocol");
  job.leaky = trained_by != job.checkpoint.notes.end() && trained_by->second.starts_with(kaggle_leaky);
  job.features = features_for(features, manifest, args, pool);
  job.title = fs::path(path).filename().string(), job.protocol = job.features.manifest.name;
  for (std::size_t i = 0; i < job.features.clips.size(); ++i) job.clips.push_back(i);
  if (args.has("protocol")) {
    SplitOptions options;
    options.seed = args.get<std::uint64_t>("seed");
    const int fold = args.get<int>("fold");
    const auto splits =
        make_splits(args.get<std::string>("protocol"), job.features.manifest, options, job.features.audio_hashes);
    const auto found = std::find_if(splits.begin(), splits.end(), [&](const Split& s) { return s.fold == fold; });
    if (found == splits.end()) throw Error(ErrorCode::usage, "--fold", "no such fold").got(std::to_string(fold));
    job.clips = args.get<std::string>("part") == "validation" ? found->validation : found->test;
    job.protocol = found->name;
  }
  remark("make sure that no speaker of these clips trained the model: the file cannot tell");
  return job;
}

}  // namespace

void add_job_options(Arguments& args) {
  args.add()("corpus", "A known corpus to test a model on: ravdess, cremad, tess, savee, emodb",
             cxxopts::value<std::string>(),
             "NAME")("manifest", "A JSONL or CSV manifest to test a model on", cxxopts::value<std::string>(), "FILE")(
      "protocol", "Only the test part of a fold of this protocol", cxxopts::value<std::string>(), "NAME")(
      "fold", "Fold of --protocol", cxxopts::value<int>()->default_value("0"), "N")(
      "seed", "Seed of --protocol", cxxopts::value<std::uint64_t>()->default_value("0"), "N")(
      "part", "test, validation, or (a model's corpus) all", cxxopts::value<std::string>()->default_value("test"),
      "PART");
}

EvaluationJob open_job(const std::string& path, const Arguments& args, ThreadPool& pool) {
  const std::string part = args.get<std::string>("part");
  if (part != "test" && part != "validation" && part != "all")
    throw Error(ErrorCode::usage, "--part", "unknown").expected("test, validation or all").got(printable(part));
  const bool own = is_folder(path) && !args.has("corpus") && !args.has("manifest");
  return own ? job_of_run(path, args, pool) : job_of_model(model_file(path), args, pool);
}

std::vector<Prediction> job_predictions(const EvaluationJob& job, const Dataset& dataset, Precision precision,
                                        ThreadPool& pool) {
  const Model<float> model = build_model_of(job.checkpoint);
  Predictor predictor(model, dataset, job.checkpoint.max_frames, pool);
  const InferenceModel<float> inference(model, job.checkpoint.params, precision);
  return make_predictions(dataset, job.clips, predictor.logits(inference, job.clips), job.checkpoint.temperature);
}

}  // namespace serene::cli
