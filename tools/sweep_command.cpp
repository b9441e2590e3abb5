// serene sweep: hyper-parameter search by the validation part, resumable, in one process or in many.
#include "command.h"
#include "serene/io/atomic_file.h"
#include "serene/train/sweep_report.h"
#include "training.h"

namespace serene::cli {
namespace {

struct Request {
  std::string config, space, folder, command;
  std::vector<std::string> overrides;
  SweepOptions options;
  int jobs = 1;
};

void add_options(Arguments& args) {
  args.add()("space", "What varies, and over which values (JSON; see configs/README.md)", cxxopts::value<std::string>(),
             "FILE")("trials", "Number of trials; more of them later keep the first ones",
                     cxxopts::value<std::int64_t>()->default_value("20"),
                     "N")("method", "random: every trial trains to its end; halving: the best go on, rung by rung",
                          cxxopts::value<std::string>()->default_value("random"),
                          "NAME")("eta", "halving: one of so many goes on, for so many times the epochs",
                                  cxxopts::value<std::int64_t>()->default_value("3"), "N")(
      "min-epochs", "halving: epochs of the first rung (default: train.epochs / eta^2)", cxxopts::value<std::int64_t>(),
      "N")("seed", "Seed of the draws; that of the weights is the config's",
           cxxopts::value<std::uint64_t>()->default_value("0"),
           "N")("seeds", "Runs of each trial and fold, with the config's seed and those after it",
                cxxopts::value<std::int64_t>()->default_value("1"), "N")(
      "protocol", "Protocol of the folds (default: the space's, else the config's)", cxxopts::value<std::string>(),
      "NAME")("folds", "Folds whose validation parts score, such as 0,1 (default: the space's, else the config's fold)",
              cxxopts::value<std::string>(),
              "LIST")("jobs", "Trials at once; each gets its share of the threads, results do not depend on it",
                      cxxopts::value<int>()->default_value("1"), "J")(
      "trial",
      "Train this trial alone, as far as the others' results let it, and write no report (one of many "
      "processes)",
      cxxopts::value<std::uint64_t>(), "K")("gather", "Train nothing; report what the folder holds")(
      "run", "Folder of the search; trials found there are not trained again",
      cxxopts::value<std::string>()->default_value("runs/<config>-sweep"),
      "DIR")("set", "Set a key of the config; may be repeated", cxxopts::value<std::vector<std::string>>(),
             "KEY=VALUE")("json", "The results as JSON on stdout");
  args.add_common();
  args.example("serene sweep configs/model_strong.json --space configs/sweeps/small_space.json --trials 20");
  args.example("serene sweep C.json --space S.json --trials 27 --method halving --jobs 2 --run runs/search");
  args.example("serene sweep C.json --space S.json --trials 27 --run runs/search --trial 5   (one job of an array)");
  args.example("serene sweep C.json --space S.json --trials 27 --run runs/search --gather");
}

SweepMethod method_named(const std::string& name) {
  if (name == "random") return SweepMethod::random;
  if (name == "halving") return SweepMethod::halving;
  throw Error(ErrorCode::usage, "--method", "unknown").expected("random or halving").got(printable(name, 40));
}

SweepOptions sweep_options(const Arguments& args) {
  SweepOptions o;
  const auto trials = args.get<std::int64_t>("trials");
  if (trials < 1 || trials > static_cast<std::int64_t>(most_sweep_trials)) {
    throw Error(ErrorCode::usage, "--trials", "out of range")
        .expected("1.." + std::to_string(most_sweep_trials))
        .got(std::to_string(trials));
  }
  o.trials = static_cast<std::size_t>(trials);
  o.method = method_named(args.get<std::string>("method"));
  o.eta = args.get<std::int64_t>("eta");
  if (args.has("min-epochs")) {
    o.min_epochs = args.get<std::int64_t>("min-epochs");
    if (o.min_epochs < 1) throw Error(ErrorCode::usage, "--min-epochs", "out of range").expected("1 or more");
  }
  o.seed = args.get<std::uint64_t>("seed");
  o.seeds = args.get<std::int64_t>("seeds");
  return o;
}

Request request_of(const Arguments& args) {
  const auto files = args.positional();
  if (files.size() != 1 || !args.has("space")) {
    throw Error(ErrorCode::usage, "serene sweep", "one config and a --space are needed")
        .hint("see serene sweep --help");
  }
  if (args.has("trial") && args.has("gather")) {
    throw Error(ErrorCode::usage, "--trial", "and --gather are two steps: first the trials, then the report");
  }
  Request r;
  r.config = files[0];
  r.space = args.get<std::string>("space");
  r.options = sweep_options(args);
  r.overrides = args.has("set") ? args.get<std::vector<std::string>>("set") : std::vector<std::string>{};
  r.jobs = args.get<int>("jobs");
  if (r.jobs < 1 || r.jobs > 1024)
    throw Error(ErrorCode::usage, "--jobs", "out of range").expected("1..1024").got(std::to_string(r.jobs));
  r.command = "serene sweep " + r.config + " --space " + r.space + " --trials " + std::to_string(r.options.trials) +
              " --method " + args.get<std::string>("method") + " --seed " + std::to_string(r.options.seed) +
              " --seeds " + std::to_string(r.options.seeds);
  if (r.options.method == SweepMethod::halving) r.command += " --eta " + std::to_string(r.options.eta);
  for (const char* option : {"protocol", "folds"}) {
    if (args.has(option)) r.command += std::string(" --") + option + " " + args.get<std::string>(option);
  }
  if (args.has("min-epochs")) r.command += " --min-epochs " + std::to_string(r.options.min_epochs);
  for (const std::string& assignment : r.overrides) r.command += " --set '" + assignment + "'";
  return r;
}

SweepPlan plan_of(const Request& r, const Arguments& args) {
  SweepChoice choice;
  if (args.has("protocol")) choice.protocol = args.get<std::string>("protocol");
  if (args.has("folds")) choice.folds = int_list("--folds", args.get<std::string>("folds"));
  return plan_sweep(r.config, r.overrides, r.space, r.options, choice);
}

void write_results(const SweepPlan& plan, const SweepResults& results, const Request& r) {
  write_file_atomic(r.folder + "/config.json", to_json(plan.base).dump(2) + "\n");
  write_file_atomic(r.folder + "/results.json", sweep_to_json(plan, results).dump(2) + "\n");
  if (results.best() != nullptr) {
    write_file_atomic(r.folder + "/best.json", to_json(best_config(plan, results)).dump(2) + "\n");
  }
  write_file_atomic(r.folder + "/report.html", sweep_report(plan, results, r.command));
}

}  // namespace

int sweep_command(int argc, char** argv) {
  Arguments args("sweep", "Search hyper-parameters by validation speakers alone; the test part is never touched.",
                 "CONFIG.json");
  add_options(args);
  if (!args.parse(argc, argv)) return 0;
  Request request = request_of(args);
  SweepPlan plan = plan_of(request, args);
  request.folder = args.has("run") ? args.get<std::string>("run") : "runs/" + plan.base.name + "-sweep";
  make_folder(request.folder);
  {
    ThreadPool pool(args.threads());
    load_sweep_data(
        plan,
        [&](const RunConfig& config) {
          return load_features_with_progress(config, args.data(), args.cache(), pool, args.quiet());
        },
        request.space);
  }
  Sweep sweep(plan, request.folder);
  const auto tell = [&](const SweepTrial& trial, const SweepStanding& standing) {
    if (!args.quiet()) remark(trial_line(plan, trial, standing));
  };
  if (args.has("trial")) {
    ThreadPool pool(args.threads());
    sweep.run_one(args.get<std::uint64_t>("trial"), pool, tell);
    return 0;
  }
  if (!args.has("gather")) sweep.run(request.jobs, args.threads(), tell);
  const SweepResults results = sweep.results();
  write_results(plan, results, request);
  print(args.has("json") ? sweep_to_json(plan, results).dump(2) + "\n" : sweep_table(plan, results));
  remark("report " + request.folder + "/report.html");
  return 0;
}

}  // namespace serene::cli
