#include "evaluation_job.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "serene/call/recognizer.h"
#include "serene/data/locate.h"
#include "serene/data/outside_features.h"
#include "serene/eval/mixture.h"
#include "training.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

// Brings a corpus to the model's labels: clips of labels it does not know are left out and counted.
Manifest with_labels_of(const Ensemble& c, Manifest manifest) {
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

// Every member hears the same clips, each in its own features.
void load_streams(EvaluationJob& job, const Manifest& manifest, const std::string& path, const Arguments& args,
                  ThreadPool& pool) {
  std::vector<FeatureConfig> configs;
  for (const Checkpoint& member : job.model.members) {
    FeatureConfig config = with_context(path, [&] { return feature_config_of(member); });
    const auto same = std::find_if(configs.begin(), configs.end(),
                                   [&](const FeatureConfig& c) { return fingerprint(c) == fingerprint(config); });
    job.member_stream.push_back(static_cast<std::size_t>(same - configs.begin()));
    if (same == configs.end()) configs.push_back(std::move(config));
  }
  for (const FeatureConfig& config : configs) with_context(path, [&] { check_computable(config); });
  for (const FeatureConfig& config : configs) job.streams.push_back(features_for(config, manifest, args, pool));
  const auto& clips = job.features().manifest.clips;
  for (const FeatureSet& stream : job.streams) {
    const auto& others = stream.manifest.clips;
    const auto same = [](const Clip& a, const Clip& b) { return a.id == b.id; };
    if (std::equal(clips.begin(), clips.end(), others.begin(), others.end(), same)) continue;
    throw Error(ErrorCode::input, path, "clips that one member can hear another cannot")
        .hint("leave the skipped clips out with --manifest");
  }
}

}  // namespace

EvaluationJob open_run(const std::string& path, const std::string& part, const Arguments& args, ThreadPool& pool) {
  const RunFolder folder(path);
  const RunConfig config = folder.read_config();
  EvaluationJob job;
  job.model = ensemble_of(read_checkpoint(model_file(path)));
  job.member_stream = {0};
  job.streams.push_back(load_features_with_progress(config, args.data(), args.cache(), pool, args.quiet()));
  const Split split = folder.read_split(job.features().manifest);
  job.leaky = is_leaky(config), job.copies = has_copies(config);
  job.label_sets = config.train.targets.label_sets;
  if (part == "all")
    throw Error(ErrorCode::usage, "--part all", "would test a run on its own training clips")
        .expected("test or validation");
  job.clips = part == "validation" ? split.validation : split.test;
  job.title = title_of(config), job.protocol = split.name + (part == "validation" ? validation_title : "");
  return job;
}

namespace {

EvaluationJob job_of_run(const std::string& path, const Arguments& args, ThreadPool& pool) {
  for (const char* option : {"protocol", "fold", "seed"}) {
    if (args.has(option)) {
      throw Error(ErrorCode::usage, std::string("--") + option, "a run is tested on its own split")
          .hint("add --corpus NAME or --manifest FILE");
    }
  }
  return open_run(path, args.get<std::string>("part"), args, pool);
}

// Features from outside are the same for every member.
void take_outside_features(EvaluationJob& job, OutsideFeatures outside, const Manifest& manifest,
                           const std::string& path, ThreadPool& pool) {
  job.streams.push_back(std::move(outside).of(manifest, pool));
  remark_skipped(job.features().manifest);
  job.member_stream.assign(job.model.members.size(), 0);
  for (const Checkpoint& member : job.model.members) {
    if (member.input_channels == job.features().dim) continue;
    throw Error(ErrorCode::input, path, "the features do not fit the model")
        .expected(std::to_string(member.input_channels) + " channels")
        .got(std::to_string(job.features().dim));
  }
}

// Reads the clips to test on, and their features.
void take_clips(EvaluationJob& job, const std::string& path, const Arguments& args, ThreadPool& pool) {
  std::optional<Manifest> named;
  for (const char* option : {"corpus", "manifest"}) {
    if (args.has(option)) named = open_corpus(args.get<std::string>(option), args.data());
  }
  if (!args.has("features")) {
    load_streams(job, with_labels_of(job.model, std::move(*named)), path, args, pool);
    return;
  }
  OutsideFeatures outside(args.get<std::string>("features"));
  const Manifest manifest = with_labels_of(job.model, named ? std::move(*named) : outside.manifest());
  take_outside_features(job, std::move(outside), manifest, path, pool);
}

EvaluationJob job_of_model(const std::string& path, const Arguments& args, ThreadPool& pool) {
  EvaluationJob job;
  job.model = read_model(path);
  if (!args.has("corpus") && !args.has("manifest") && !args.has("features")) {
    throw Error(ErrorCode::usage, path, "a model alone does not say what to test it on")
        .hint("add --corpus NAME, --manifest FILE or --features FILE, or give the run folder");
  }
  for (const Checkpoint& member : job.model.members) {
    const auto trained_by = member.notes.find("protocol");
    job.leaky = job.leaky || (trained_by != member.notes.end() && trained_by->second.ends_with("(LEAKY)"));
  }
  take_clips(job, path, args, pool);
  job.title = fs::path(path).filename().string(), job.protocol = job.features().manifest.name;
  const auto& members = job.model.members;
  if (std::any_of(members.begin(), members.end(), [](const Checkpoint& m) { return m.per_speaker; })) {
    job.title += per_speaker_title;
  }
  for (std::size_t i = 0; i < job.features().clips.size(); ++i) job.clips.push_back(i);
  if (args.has("protocol")) {
    SplitOptions options;
    options.seed = args.get<std::uint64_t>("seed");
    const int fold = args.get<int>("fold");
    const auto splits =
        make_splits(args.get<std::string>("protocol"), job.features().manifest, options, job.features().audio_hashes);
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
      "features",
      "Features of the clips from outside: an .npz with labels, or an .npz or a folder of .npy beside --manifest or "
      "--corpus",
      cxxopts::value<std::string>(),
      "FILE|DIR")("protocol", "Only the test part of a fold of this protocol", cxxopts::value<std::string>(), "NAME")(
      "fold", "Fold of --protocol", cxxopts::value<int>()->default_value("0"), "N")(
      "seed", "Seed of --protocol", cxxopts::value<std::uint64_t>()->default_value("0"), "N")(
      "part", "test, validation, or (a model's corpus) all", cxxopts::value<std::string>()->default_value("test"),
      "PART");
}

EvaluationJob open_job(const std::string& path, const Arguments& args, ThreadPool& pool) {
  const std::string part = args.get<std::string>("part");
  if (part != "test" && part != "validation" && part != "all")
    throw Error(ErrorCode::usage, "--part", "unknown").expected("test, validation or all").got(printable(part));
  const bool own = is_folder(path) && !args.has("corpus") && !args.has("manifest") && !args.has("features");
  return own ? job_of_run(path, args, pool) : job_of_model(model_file(path), args, pool);
}

namespace {

Dataset dataset_of(const EvaluationJob& job, std::size_t member, HeardClips heard, Standardise how) {
  const Checkpoint& m = job.model.members[member];
  const FeatureSet& features = heard.streams[job.member_stream[member]];
  if (how == Standardise::per_corpus) return Dataset(features, heard.clips, how);
  if (how == Standardise::per_speaker || m.per_speaker) return Dataset(features, heard.clips, Standardise::per_speaker);
  return Dataset(features, m.normalizer);
}

}  // namespace

std::vector<Prediction> job_predictions(const EvaluationJob& job, Standardise how, Precision precision,
                                        ThreadPool& pool) {
  return job_predictions(job, {job.streams, job.clips}, how, precision, pool);
}

std::vector<Prediction> job_predictions(const EvaluationJob& job, HeardClips heard, Standardise how,
                                        Precision precision, ThreadPool& pool) {
  std::vector<std::vector<Prediction>> answers;
  for (std::size_t i = 0; i < job.model.members.size(); ++i) {
    const Checkpoint& m = job.model.members[i];
    const Dataset dataset = dataset_of(job, i, heard, how);
    const Model<float> model = build_model_of(m);
    Predictor predictor(model, dataset, m.cut(), m.views, pool);
    const InferenceModel<float> inference(model, m.params, precision);
    const std::vector<float> own = predictor.logits(inference, heard.clips);
    const std::vector<int> places = label_places(m.labels, job.model.labels);
    std::vector<float> logits(own.size());
    for (std::size_t k = 0; k < own.size(); ++k) {
      const std::size_t column = k % places.size();
      logits[k - column + static_cast<std::size_t>(places[column])] = own[k];
    }
    answers.push_back(make_predictions(dataset, heard.clips, logits, m.temperature));
    restrict_to_corpus(answers.back(), heard.clips, CorpusLabels(dataset, job.label_sets));
  }
  if (job.model.single()) return answers.front();
  std::vector<Prediction> mixed = mix_predictions(answers, job.model.weights);
  for (Prediction& p : mixed) p.temperature = job.model.temperature;
  return mixed;
}

}  // namespace serene::cli
