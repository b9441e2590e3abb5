// serene crossval: one config over all folds of a protocol and several seeds, resumable fold by fold.
#include <algorithm>
#include <filesystem>

#include "command.h"
#include "crossval_combine.h"
#include "crossval_store.h"
#include "serene/core/sha256.h"
#include "serene/eval/cross_validation.h"
#include "serene/io/atomic_file.h"
#include "serene/io/checkpoint.h"
#include "training.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

std::string key_of(const RunConfig& config, const FeatureSet& features) {
  Sha256 sum;
  sum.update(to_json(config).dump());
  for (const std::string& hash : features.audio_hashes) sum.update(hash);
  sum.update(source_sha256(config.train.transfer));
  for (const Clip& clip : features.manifest.clips) {
    if (config.train.targets.kind == TargetKind::votes) sum.update(Json(clip.votes).dump());
  }
  return sum.hex();
}

// Which models stay: of the folds that are trained, of all folds (those without one are trained again), or none.
enum class KeepModels { trained, all, none };

KeepModels models_to_keep(const Arguments& args) {
  if (args.has("models") && args.has("no-models"))
    throw Error(ErrorCode::usage, "--models", "does not fit with --no-models");
  return args.has("models") ? KeepModels::all : args.has("no-models") ? KeepModels::none : KeepModels::trained;
}

// Whether a model of this very config lies there; a broken one does not count.
bool has_model(const std::string& path, const RunConfig& config) {
  try {
    read_fold_model(path, config);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// model: where the fold's model goes; with keep off one that lies there goes, for it may be another config's.
FoldResult run_fold(const RunConfig& config, const FeatureSet& features, const Split& split, ThreadPool& pool,
                    Part part, const std::string& model, bool keep, bool quiet) {
  Experiment experiment(config, features, split, pool);
  run_epochs(experiment, nullptr, "seed " + std::to_string(config.seed) + " fold " + std::to_string(split.fold) + "  ",
             quiet, false);
  const Outcome o = finish(experiment, part);
  char line[120];
  std::snprintf(line, sizeof line, "seed %llu fold %d  %sUAR %.1f %%  WAR %.1f %%  (%zu clips)%s",
                static_cast<unsigned long long>(config.seed), split.fold, part == Part::validation ? "validation " : "",
                100 * o.evaluation.scores.uar, 100 * o.evaluation.scores.war, o.predictions.size(),
                experiment.leaky() ? "  LEAKY" : "");
  remark(line);
  std::error_code ignored;
  if (keep) write_checkpoint(model, experiment.checkpoint(o.temperature, o.uncertain_below));
  if (!keep) fs::remove(model, ignored);
  return {config.seed, split.fold, o.predictions};
}

bool wanted(const std::vector<int>& folds, int fold) {
  return folds.empty() || std::find(folds.begin(), folds.end(), fold) != folds.end();
}

void report(const CrossValidation& summary, const RunConfig& config, const FeatureSet& features,
            const std::string& folder, const std::string& command, Part part) {
  ReportContext context;
  context.command = command;
  context.config = to_json(config).dump(2);
  context.data = {{"corpus", features.manifest.name},
                  {"clips", std::to_string(features.clips.size())},
                  {"speakers", std::to_string(speakers_of(features.manifest).size())}};
  context.skipped = skipped_clips(features);
  write_file_atomic(folder + "/config.json", to_json(config).dump(2) + "\n");
  const std::string place = folder + (part == Part::test ? "/" : "/validation_");
  write_file_atomic(place + "results.json", to_json(summary).dump(2) + "\n");
  write_file_atomic(place + "report.html", cross_validation_report(summary, context));
  remark("report " + place + "report.html");
}

}  // namespace

int crossval_command(int argc, char** argv) {
  Arguments args("crossval", "Cross-validate a config: train and test every fold of a protocol with several seeds.",
                 "CONFIG.json");
  args.add()("protocol",
             "ravdess-luna5, ravdess-emobox6, cremad-hicmae5, random10, kaggle-leaky, holdout (default: the config's)",
             cxxopts::value<std::string>(), "NAME")("seeds", "Number of seeds; a figure to quote needs three",
                                                    cxxopts::value<int>()->default_value("3"), "N")(
      "first-seed", "The first seed", cxxopts::value<std::uint64_t>()->default_value("1"), "N")(
      "folds", "Only these folds, such as 0,2 (default: all)", cxxopts::value<std::string>(), "LIST")(
      "run", "Folder of results; folds found there are not trained again",
      cxxopts::value<std::string>()->default_value("runs/<config>-<protocol>"), "DIR")(
      "part", "test, or validation: how recipes are compared, for what is chosen on test speakers counts for nothing",
      cxxopts::value<std::string>()->default_value("test"),
      "PART")("set", "Set a key of the config; may be repeated", cxxopts::value<std::vector<std::string>>(),
              "KEY=VALUE")("combine",
                          "The arguments are folders of earlier cross-validations of one protocol: their models as an "
                          "ensemble, without training")("json", "The summary as JSON on stdout")(
      "models", "Train folds again whose answers are there but not their model; models of folds that are trained are "
                "kept anyway, for serene evaluate DIR")("no-models", "Keep no models");
  args.add_common();
  args.example("serene crossval configs/model_strong.json --protocol ravdess-luna5 --seeds 3");
  args.example("serene crossval configs/model_strong.json --protocol cremad-hicmae5 --seeds 1");
  args.example("serene crossval --combine runs/a-ravdess-luna5 runs/b-ravdess-luna5 --run runs/together");
  if (!args.parse(argc, argv)) return 0;
  const auto files = args.positional();
  if (args.has("combine")) return combine_crossvals(files, args);
  if (files.size() != 1)
    throw Error(ErrorCode::usage, "serene crossval", "one config is needed").hint("see serene crossval --help");
  auto overrides = args.has("set") ? args.get<std::vector<std::string>>("set") : std::vector<std::string>{};
  if (args.has("protocol")) {
    const std::string protocol = args.get<std::string>("protocol");
    overrides.push_back("split.protocol=\"" + protocol + "\"");
    // The corpus of a protocol that is bound to one, unless the config has it among others that help to train.
    const std::string named = "+" + open_config(files[0], overrides).data.corpus + "+";
    for (const std::string corpus : {"ravdess", "cremad"}) {
      const bool bound = protocol.starts_with(corpus + "-");
      if (bound && named.find("+" + corpus + "+") == std::string::npos) overrides.push_back("data.corpus=" + corpus);
    }
  }
  RunConfig config = open_config(files[0], overrides);
  const int seeds = args.get<int>("seeds");
  if (seeds < 1 || seeds > 1000)
    throw Error(ErrorCode::usage, "--seeds", "out of range").expected("1..1000").got(std::to_string(seeds));
  const std::string folder =
      args.has("run") ? args.get<std::string>("run") : "runs/" + config.name + "-" + config.split.protocol;
  const std::vector<int> folds =
      args.has("folds") ? int_list("--folds", args.get<std::string>("folds")) : std::vector<int>{};

  const std::string part_name = args.get<std::string>("part");
  if (part_name != "test" && part_name != "validation")
    throw Error(ErrorCode::usage, "--part", "unknown").expected("test or validation").got(printable(part_name));
  const Part part = part_name == "test" ? Part::test : Part::validation;
  const KeepModels models = models_to_keep(args);
  make_folder(folder);

  ThreadPool pool(args.threads());
  const FeatureSet features = load_features_with_progress(config, args.data(), args.cache(), pool, args.quiet());
  check_model(config, features, files[0]);
  std::vector<FoldResult> results;
  for (int s = 0; s < seeds; ++s) {
    config.seed = config.split.seed = args.get<std::uint64_t>("first-seed") + static_cast<std::uint64_t>(s);
    const FoldStore store(folder, key_of(config, features), part);
    for (const Split& split : splits_of(config, features)) {
      if (!wanted(folds, split.fold)) continue;
      FoldResult result{config.seed, split.fold, {}};
      const std::string model = fold_model_file(folder, config.seed, split.fold);
      const bool known = store.load(config.seed, split, result);
      if (!known || (models == KeepModels::all && !has_model(model, config))) {
        result = run_fold(config, features, split, pool, part, model, models != KeepModels::none, args.quiet());
        store.save(config.seed, split, result);
      }
      results.push_back(std::move(result));
    }
  }
  if (results.empty()) throw Error(ErrorCode::usage, "--folds", "names no fold of " + config.split.protocol);
  EvaluationOptions options;
  options.title = title_of(config);
  options.protocol = config.split.protocol + (part == Part::validation ? validation_title : "");
  options.leaky = is_leaky(config);
  const CrossValidation summary = summarize(results, features.manifest.labels, options);
  config.seed = config.split.seed = args.get<std::uint64_t>("first-seed");
  report(summary, config, features, folder,
         "serene crossval " + files[0] + " --protocol " + config.split.protocol + " --seeds " + std::to_string(seeds) +
             (part == Part::test ? "" : " --part validation"),
         part);
  print(args.has("json") ? to_json(summary).dump(2) + "\n" : to_table(summary));
  return 0;
}

}  // namespace serene::cli
