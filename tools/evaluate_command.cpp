// serene evaluate: scores of a trained model on its own test part, on a manifest, or on a protocol's fold.
#include "evaluation_job.h"
#include "serene/io/atomic_file.h"
#include "training.h"

namespace serene::cli {
namespace {

Evaluation score(const EvaluationJob& job, const std::vector<Prediction>& predictions, const std::string& title) {
  EvaluationOptions options;
  options.title = title, options.protocol = job.protocol, options.leaky = job.leaky;
  return evaluate(predictions, job.checkpoint.labels, options);
}

}  // namespace

int evaluate_command(int argc, char** argv) {
  Arguments args("evaluate", "Score a trained model on clips it never heard.", "RUN|MODEL.safetensors");
  add_job_options(args);
  args.add()("per-speaker",
             "Also with features standardised per speaker, from unlabelled test audio, in a column of its own")(
      "json", "JSON instead of the table")("report", "Write an HTML report to this file", cxxopts::value<std::string>(),
                                           "FILE")("predictions", "Write logits of every clip to this JSON file",
                                                   cxxopts::value<std::string>(), "FILE");
  args.add_precision();
  args.add_common();
  args.example("serene evaluate runs/first");
  args.example("serene evaluate runs/first/best.safetensors --corpus cremad");
  if (!args.parse(argc, argv)) return 0;
  const auto files = args.positional();
  if (files.size() != 1)
    throw Error(ErrorCode::usage, "serene evaluate", "one run folder or model is needed")
        .hint("see serene evaluate --help");
  const Precision precision = precision_option(args);

  ThreadPool pool(args.threads());
  const EvaluationJob job = open_job(files[0], args, pool);
  const Dataset dataset(job.features, job.checkpoint.normalizer);
  const auto predictions = job_predictions(job, dataset, precision, pool);
  const Evaluation e = score(job, predictions, job.title);
  ReportContext context;
  if (args.has("per-speaker")) {
    const Dataset per_speaker(job.features, job.clips, Standardise::per_speaker);
    context.variants.push_back(score(job, job_predictions(job, per_speaker, precision, pool), "per speaker"));
  }
  if (args.has("report")) {
    context.data = {{"corpus", job.features.manifest.name}, {"clips", std::to_string(job.clips.size())}};
    context.skipped = skipped_clips(job.features);
    write_file_atomic(args.get<std::string>("report"), evaluation_report(e, context));
  }
  if (args.has("predictions"))
    write_file_atomic(args.get<std::string>("predictions"), predictions_to_json(predictions).dump() + "\n");
  if (args.has("json")) {
    Json json = to_json(e);
    if (!context.variants.empty()) json["per_speaker"] = to_json(context.variants[0]);
    print(json.dump(2) + "\n");
    return 0;
  }
  print(to_table(e));
  if (!context.variants.empty()) print("\n" + to_comparison(std::vector<Evaluation>{e, context.variants[0]}));
  return 0;
}

}  // namespace serene::cli
