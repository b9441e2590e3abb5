// serene ensemble: several trained models in one file that answers with the mean of their probabilities.
#include <algorithm>
#include <filesystem>

#include "evaluation_job.h"
#include "serene/eval/calibration.h"
#include "serene/eval/coverage.h"
#include "serene/eval/mixture.h"
#include "serene/eval/text_table.h"
#include "serene/version.h"
#include "training.h"

namespace serene::cli {
namespace {

namespace fs = std::filesystem;

// Answers of every run to its validation part, labels in the ensemble's order.
std::vector<std::vector<Prediction>> validation_answers(const std::vector<std::string>& runs,
                                                        const std::vector<std::string>& labels, const Arguments& args,
                                                        ThreadPool& pool) {
  std::vector<std::vector<Prediction>> answers;
  for (const std::string& run : runs) {
    const EvaluationJob job = open_run(run, "validation", args, pool);
    if (job.clips.empty()) return {};
    answers.push_back(job_predictions(job, Standardise::global, Precision::full, pool));
    reorder_labels(answers.back(), label_places(job.model.labels, labels));
  }
  return answers;
}

std::vector<std::string> row_of(const std::string& name, const std::vector<Prediction>& predictions, Index classes) {
  const ProbabilityScores s = probability_scores(predictions, Calibrated::yes);
  const ConfusionMatrix matrix = confusion_matrix(predictions, classes);
  return {printable(name, 60),       percent(unweighted_average_recall(matrix)),
          percent(accuracy(matrix)), percent(s.ece),
          fixed(s.nll, 4),           fixed(coverage_curve(predictions, classes).area, 4)};
}

// Fits temperature and threshold on the validation clips that all runs have in common; "" or why that cannot be.
std::string calibrate(Ensemble& e, const std::vector<std::string>& files, const Arguments& args, ThreadPool& pool,
                      std::string& table_text) {
  if (args.has("no-calibrate")) return "not wanted";
  if (!std::all_of(files.begin(), files.end(), [](const std::string& f) { return is_folder(f); })) {
    return "not all members are run folders";
  }
  const auto answers = validation_answers(files, e.labels, args, pool);
  if (answers.empty()) return "a run has no validation part";
  if (!same_clips(answers)) return "the runs validated on different clips";
  const auto classes = static_cast<Index>(e.labels.size());
  TextTable table({"validation part", "UAR %", "WAR %", "ECE %", "NLL", "risk-coverage"});
  for (std::size_t i = 0; i < files.size(); ++i) table.row(row_of(files[i], answers[i], classes));
  std::vector<Prediction> mixed = mix_predictions(answers, e.weights);
  table.row(row_of("mean of probabilities", mixed, classes));
  e.temperature = fit_temperature(mixed).temperature;
  for (Prediction& p : mixed) p.temperature = e.temperature;
  table.row(row_of("at temperature " + fixed(e.temperature, 3), mixed, classes));
  const double share = args.get<double>("uncertain-share");
  if (share > 0) e.uncertain_below = threshold_for_coverage(mixed, 1 - share);
  table_text = table.str();
  return "";
}

}  // namespace

int ensemble_command(int argc, char** argv) {
  Arguments args("ensemble", "Join trained models into one file that answers with the mean of their probabilities.",
                 "RUN|MODEL.safetensors... --out FILE");
  args.add()("out", "The model to write", cxxopts::value<std::string>(), "FILE")(
      "weights", "Weights of the members, such as 2,1,1 (default: equal)", cxxopts::value<std::string>(), "LIST")(
      "name", "Name of the model (default: that of the file)", cxxopts::value<std::string>(), "TEXT")(
      "no-calibrate",
      "Leave temperature and threshold alone, though all members are runs with the same validation part")(
      "uncertain-share", "Share of the validation clips that the ensemble may call uncertain",
      cxxopts::value<double>()->default_value("0.1"), "X");
  args.add_common();
  args.example("serene ensemble runs/seed1 runs/seed2 runs/seed3 --out models/strong.safetensors");
  args.example("serene predict models/strong.safetensors clip.wav");
  if (!args.parse(argc, argv)) return 0;
  const auto files = args.positional();
  if (files.size() < 2)
    throw Error(ErrorCode::usage, "serene ensemble", "two or more models are needed")
        .hint("see serene ensemble --help");
  if (!args.has("out")) throw Error(ErrorCode::usage, "--out", "is needed: the file to write");
  const double share = args.get<double>("uncertain-share");
  if (!(share >= 0 && share <= 0.9))
    throw Error(ErrorCode::usage, "--uncertain-share", "out of range").expected("0 to 0.9");
  const auto weights =
      args.has("weights") ? number_list("--weights", args.get<std::string>("weights")) : std::vector<double>{};
  const std::string out = args.get<std::string>("out");

  std::vector<Checkpoint> members;
  for (const std::string& file : files) members.push_back(read_checkpoint(model_file(file)));
  Ensemble e = make_ensemble(std::move(members), weights);
  e.notes["name"] = args.has("name") ? args.get<std::string>("name") : fs::path(out).stem().string();
  e.notes["version"] = SERENE_VERSION;
  ThreadPool pool(args.threads());
  std::string table;
  const std::string why_not = calibrate(e, files, args, pool, table);
  if (!why_not.empty()) remark("temperature 1, no threshold: " + why_not);
  write_ensemble(out, e);
  print(table + (table.empty() ? "" : "\n") + "model " + out + ": " + std::to_string(e.members.size()) +
        " members, temperature " + fixed(e.temperature, 4) +
        (e.uncertain_below > 0 ? ", uncertain below " + fixed(e.uncertain_below, 4) : "") + "\n");
  return 0;
}

}  // namespace serene::cli
