// serene train: one training run from a config into a run folder.
#include <algorithm>
#include <optional>

#include "command.h"
#include "inspect.h"
#include "ranks.h"
#include "serene/core/random.h"
#include "training.h"

namespace serene::cli {
namespace {

// Only the number of epochs may differ from the run that is resumed.
void refuse_differences(RunConfig wanted, const RunConfig& stored, const std::string& config_path,
                        const std::string& folder) {
  wanted.train.epochs = stored.train.epochs;
  const Json ours = to_json(wanted), theirs = to_json(stored);
  const Json changes = Json::diff(Json(theirs), Json(ours));
  if (changes.empty()) return;
  std::string key = changes[0].at("path").get<std::string>().substr(1);
  std::replace(key.begin(), key.end(), '/', '.');
  throw Error(ErrorCode::usage, config_path, printable(key) + " differs from the run in " + folder)
      .hint("leave the config out to resume with the run's own");
}

// What the command line asks for, resolved. A resumed run is its folder's: only more epochs may be asked for.
RunConfig resolve(const Arguments& args, const RunFolder& folder, const std::string& config_path) {
  auto overrides = args.has("set") ? args.get<std::vector<std::string>>("set") : std::vector<std::string>{};
  if (args.has("seed")) overrides.push_back("seed=" + std::to_string(args.get<std::uint64_t>("seed")));
  if (!args.has("resume")) return open_config(config_path, overrides);
  if (!folder.has_config()) {
    throw Error(ErrorCode::not_found, folder.path(), "no run to resume: there is no config.json");
  }
  const RunConfig stored = folder.read_config();
  if (!config_path.empty()) {
    refuse_differences(open_config(config_path, overrides), stored, config_path, folder.path());
  }
  Json json = to_json(stored);
  for (const std::string& assignment : overrides) {
    if (!assignment.starts_with("train.epochs=")) {
      throw Error(ErrorCode::usage, "--set " + printable(assignment), "cannot change a run that is resumed")
          .hint("only train.epochs may grow");
    }
    apply_override(json, assignment);
  }
  return run_config_from_json(json);
}

// Trains on one batch until it is learnt by heart: the quickest sign that graph and data are sound.
int overfit_batch(RunConfig config, const FeatureSet& features, Split split, ThreadPool& pool, Ranks& ranks,
                  bool quiet) {
  Random random(config.seed, Purpose::shuffle, 0, 1);
  random.shuffle(std::span<std::size_t>(split.train));
  split.train.resize(std::min(split.train.size(), static_cast<std::size_t>(config.train.batch_size)));
  std::sort(split.train.begin(), split.train.end());
  split.validation.clear();
  split.test = split.train;
  config.train.early_stopping.enabled = false;
  config.train.schedule.type = ScheduleType::constant;
  Experiment experiment(config, features, split, pool, ranks.communicator());
  run_epochs(experiment, nullptr, "overfit ", quiet, false);
  const auto& history = experiment.trainer().history();
  const Outcome o = finish(experiment);
  char text[200];
  std::snprintf(text, sizeof text, "%zu clips, %zu steps: loss %.4f -> %.4f, accuracy without dropout %.1f %%\n",
                split.train.size(), history.size(), history.front().train_loss, history.back().train_loss,
                100 * o.evaluation.scores.war);
  print(text);
  return 0;
}

// Rank 0 alone writes the folder; a resumed run is read from it by all.
int train(const RunConfig& config, const RunFolder& folder, const FeatureSet& features, const Split& split,
          ThreadPool& pool, const Arguments& args, Ranks& ranks) {
  const bool resume = args.has("resume");
  std::optional<Experiment> started;
  ranks.together([&] { started.emplace(config, features, split, pool, ranks.communicator()); });
  Experiment& experiment = *started;
  ranks.together([&] {
    if (ranks.first()) {
      folder.open(resume);
      folder.write_start(config, split, features);
    }
    if (resume && folder.has_state()) {
      std::string note;
      experiment.trainer().restore(folder.read_state(note));
      if (!note.empty()) remark(note);
      remark("resuming after epoch " + std::to_string(experiment.trainer().history().size()));
    }
  });
  run_epochs(experiment, ranks.first() ? &folder : nullptr, "", args.quiet() || !ranks.first(), true);
  if (!ranks.first()) return 0;
  const Outcome o = finish(experiment);
  folder.write_end(experiment, experiment.checkpoint(o.temperature, o.uncertain_below), o.evaluation, o.predictions);
  print(to_table(o.evaluation));
  print("\nmodel  " + folder.file("best.safetensors") + "\nreport " + folder.file("report.html") + "\n");
  return 0;
}

// What a run would take.
int plan(const RunConfig& config, const FeatureSet& features, const Split& split, ThreadPool& pool) {
  const Experiment experiment(config, features, split, pool);
  const Trainer& t = experiment.trainer();
  print(describe_model(experiment.model(), config.data.max_frames > 0 ? config.data.max_frames : features.longest()) +
        "\n" + std::to_string(t.steps_per_epoch()) + " steps an epoch, at most " + std::to_string(config.train.epochs) +
        " epochs, " + std::to_string((t.bytes() + features.bytes()) >> 20) + " MiB\n");
  return 0;
}

Split split_of(const RunConfig& config, const RunFolder& folder, const FeatureSet& features, bool resume) {
  if (resume && folder.has_state()) return folder.read_split(features.manifest);
  return chosen_split(config, features);
}

// False when only help was wanted.
bool parse(Arguments& args, int argc, char** argv) {
  if (!args.parse(argc, argv)) return false;
  const std::size_t files = args.positional().size();
  if (files > 1 || (files == 0 && !args.has("resume"))) {
    throw Error(ErrorCode::usage, "serene train", "one config is needed").hint("see serene train --help");
  }
  if (args.has("resume") && !args.has("run")) throw Error(ErrorCode::usage, "--resume", "needs --run DIR");
  return true;
}

int run(const Arguments& args, Ranks& ranks) {
  const std::string config_path = args.positional().empty() ? "" : args.positional()[0];
  const bool resume = args.has("resume"), quiet = args.quiet() || !ranks.first();
  RunFolder folder(args.has("run") ? args.get<std::string>("run") : "");
  RunConfig config;
  ranks.together([&] { config = resolve(args, folder, config_path); });
  if (args.has("print-config")) return print(to_json(config).dump(2) + "\n"), 0;
  if (folder.path().empty()) folder = RunFolder("runs/" + config.name);
  if (args.has("tensorboard")) folder.log_to_tensorboard();
  const bool writes = !args.has("dry-run") && !args.has("overfit-batch");
  ranks.together([&] {
    if (ranks.first() && writes && !resume && folder.has_config()) folder.open(false);  // refuse before the long work
  });

  ThreadPool pool(args.threads());
  FeatureSet features;
  Split split;
  ranks.first_then_others([&] {
    features = load_features_with_progress(config, args.data(), args.cache(), pool, quiet);
    split = split_of(config, folder, features, resume);
    check_model(config, features, config_path.empty() ? folder.file("config.json") : config_path);
  });
  remark("split " + split.name + ": " + std::to_string(split.train.size()) + " training, " +
         std::to_string(split.validation.size()) + " validation, " + std::to_string(split.test.size()) + " test clips");
  if (args.has("overfit-batch")) return overfit_batch(config, features, split, pool, ranks, quiet);
  if (args.has("dry-run")) return plan(config, features, split, pool);
  return train(config, folder, features, split, pool, args, ranks);
}

}  // namespace

int train_command(int argc, char** argv) {
  Arguments args("train", "Train a model from a config and test it on held-out speakers.", "CONFIG.json");
  args.add()("run", "Run folder", cxxopts::value<std::string>()->default_value("runs/<name of the config>"), "DIR")(
      "set", "Set a key of the config, such as train.epochs=5; may be repeated",
      cxxopts::value<std::vector<std::string>>(),
      "KEY=VALUE")("seed", "The same as --set seed=N", cxxopts::value<std::uint64_t>(), "N")(
      "resume", "Go on with the run in --run, bit for bit as if it had not been stopped")(
      "tensorboard", "Also log every epoch for TensorBoard, in the run folder; a resumed run goes on with its log")(
      "print-config", "Print the resolved config and stop")(
      "dry-run", "Read the data and plan everything, train and write nothing")(
      "overfit-batch", "Learn one batch by heart (train.epochs steps) and stop: a check of graph and data");
  args.add_common();
  args.example("serene train configs/model_strong.json --data ../shared/data --run runs/first");
  args.example("serene train configs/model_strong.json --set data.corpus=cremad --set train.epochs=20");
  args.example("serene train --resume --run runs/first");
  args.example("mpirun -n 4 serene train configs/small.json --run runs/small");
  Ranks ranks;
  return ranks.run([&] {
    bool asked = false;
    ranks.together([&] { asked = parse(args, argc, argv); });
    return asked ? run(args, ranks) : 0;
  });
}

}  // namespace serene::cli
