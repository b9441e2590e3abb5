// serene crossval: one config over all folds of a protocol and several seeds, resumable fold by fold.
#include "command.h"
#include "crossval_combine.h"
#include "crossval_folds.h"
#include "serene/core/thread_pool.h"
#include "serene/eval/cross_validation.h"
#include "serene/io/atomic_file.h"

namespace serene::cli {
namespace {

KeepModels models_to_keep(const Arguments& args) {
  if (args.has("models") && args.has("no-models"))
    throw Error(ErrorCode::usage, "--models", "does not fit with --no-models");
  return args.has("models") ? KeepModels::all : args.has("no-models") ? KeepModels::none : KeepModels::trained;
}

// With the corpus of a protocol that is bound to one, unless the config has it among others that help to train.
RunConfig config_of(const std::string& file, const Arguments& args) {
  auto overrides = args.has("set") ? args.get<std::vector<std::string>>("set") : std::vector<std::string>{};
  if (!args.has("protocol")) return open_config(file, overrides);
  const std::string protocol = args.get<std::string>("protocol");
  overrides.push_back("split.protocol=\"" + protocol + "\"");
  const DataConfig data = open_config(file, overrides).data;
  if (!data.features.empty() && data.corpus.empty()) return open_config(file, overrides);  // the file's own clips
  const std::string named = "+" + data.corpus + "+";
  for (const std::string corpus : {"ravdess", "cremad"}) {
    const bool bound = protocol.starts_with(corpus + "-");
    if (bound && named.find("+" + corpus + "+") == std::string::npos) overrides.push_back("data.corpus=" + corpus);
  }
  return open_config(file, overrides);
}

int within(const Arguments& args, const std::string& name, int most) {
  const int value = args.get<int>(name);
  if (value < 1 || value > most)
    throw Error(ErrorCode::usage, "--" + name, "out of range")
        .expected("1.." + std::to_string(most))
        .got(std::to_string(value));
  return value;
}

FoldPlan plan_of(const Arguments& args, const RunConfig& config) {
  FoldPlan plan;
  plan.folder = args.has("run") ? args.get<std::string>("run") : "runs/" + config.name + "-" + config.split.protocol;
  const auto first = args.get<std::uint64_t>("first-seed");
  for (int s = 0; s < within(args, "seeds", 1000); ++s) plan.seeds.push_back(first + static_cast<std::uint64_t>(s));
  if (args.has("folds")) plan.folds = int_list("--folds", args.get<std::string>("folds"));
  const std::string part = args.get<std::string>("part");
  if (part != "test" && part != "validation")
    throw Error(ErrorCode::usage, "--part", "unknown").expected("test or validation").got(printable(part));
  plan.part = part == "test" ? Part::test : Part::validation;
  plan.models = models_to_keep(args);
  plan.jobs = within(args, "jobs", 1024), plan.threads = args.threads(), plan.quiet = args.quiet();
  return plan;
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
      "jobs", "Folds at once; each gets its share of the threads, results do not depend on it",
      cxxopts::value<int>()->default_value("1"),
      "N")("run", "Folder of results; folds found there are not trained again",
           cxxopts::value<std::string>()->default_value("runs/<config>-<protocol>"), "DIR")(
      "part", "test, or validation: how recipes are compared, for what is chosen on test speakers counts for nothing",
      cxxopts::value<std::string>()->default_value("test"),
      "PART")("set", "Set a key of the config; may be repeated", cxxopts::value<std::vector<std::string>>(),
              "KEY=VALUE")("combine",
                           "The arguments are folders of earlier cross-validations of one protocol: their models as an "
                           "ensemble, without training")("json", "The summary as JSON on stdout")(
      "models",
      "Train folds again whose answers are there but not their model; models of folds that are trained are "
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
  RunConfig config = config_of(files[0], args);
  const FoldPlan plan = plan_of(args, config);
  make_folder(plan.folder);

  ThreadPool pool(args.threads());
  const FeatureSet features = load_features_with_progress(config, args.data(), args.cache(), pool, args.quiet());
  check_model(config, features, files[0]);
  const std::vector<FoldResult> results = run_folds(config, features, plan);
  if (results.empty()) throw Error(ErrorCode::usage, "--folds", "names no fold of " + config.split.protocol);
  EvaluationOptions options;
  options.title = title_of(config);
  options.protocol = config.split.protocol + (plan.part == Part::validation ? validation_title : "");
  options.leaky = is_leaky(config);
  const CrossValidation summary = summarize(results, features.manifest.labels, options);
  config.seed = config.split.seed = plan.seeds.front();
  report(summary, config, features, plan.folder,
         "serene crossval " + files[0] + " --protocol " + config.split.protocol + " --seeds " +
             std::to_string(plan.seeds.size()) + (plan.part == Part::test ? "" : " --part validation"),
         plan.part);
  print(args.has("json") ? to_json(summary).dump(2) + "\n" : to_table(summary));
  return 0;
}

}  // namespace serene::cli
