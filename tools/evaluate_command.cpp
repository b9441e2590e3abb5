// serene evaluate: scores of a trained model on its own test part, on a manifest, or on a protocol's fold.
#include "evaluation_job.h"
#include "serene/io/atomic_file.h"
#include "training.h"

namespace serene::cli {
namespace {

Evaluation score(const EvaluationJob& job, const std::vector<Prediction>& predictions, const std::string& title) {
  EvaluationOptions options;
  options.title = title, options.protocol = job.protocol, options.leaky = job.leaky;
  options.uncertain_below = job.model.uncertain_below;
  return evaluate(predictions, job.model.labels, options);
}

// Test speech without labels used as well: never the main result.
struct Variant {
  Standardise how;
  const char *title, *key;
};

std::vector<Variant> variants_of(const Arguments& args) {
  std::vector<Variant> list;
  if (!args.has("standardise")) return list;
  for (const std::string& name : args.get<std::vector<std::string>>("standardise")) {
    if (name == "speaker") {
      list.push_back({Standardise::per_speaker, "per speaker", "per_speaker"});
    } else if (name == "corpus") {
      list.push_back({Standardise::per_corpus, "per corpus", "per_corpus"});
    } else {
      throw Error(ErrorCode::usage, "--standardise", "unknown").expected("speaker or corpus").got(printable(name, 40));
    }
  }
  return list;
}

}  // namespace

int evaluate_command(int argc, char** argv) {
  Arguments args("evaluate", "Score a trained model on clips it never heard.", "RUN|MODEL.safetensors");
  add_job_options(args);
  args.add()("standardise",
             "Also with features standardised per speaker or per corpus, from unlabelled test audio, in a column of "
             "its own; may be repeated",
             cxxopts::value<std::vector<std::string>>(), "speaker|corpus")("json", "JSON instead of the table")(
      "report", "Write an HTML report to this file", cxxopts::value<std::string>(), "FILE")(
      "predictions", "Write logits of every clip to this JSON file", cxxopts::value<std::string>(), "FILE");
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
  const std::vector<Variant> variants = variants_of(args);

  ThreadPool pool(args.threads());
  const EvaluationJob job = open_job(files[0], args, pool);
  const auto predictions = job_predictions(job, Standardise::global, precision, pool);
  const Evaluation e = score(job, predictions, job.title);
  ReportContext context;
  for (const Variant& v : variants) {
    context.variants.push_back(score(job, job_predictions(job, v.how, precision, pool), v.title));
  }
  if (args.has("report")) {
    context.data = {{"corpus", job.features().manifest.name}, {"clips", std::to_string(job.clips.size())}};
    context.skipped = skipped_clips(job.features());
    write_file_atomic(args.get<std::string>("report"), evaluation_report(e, context));
  }
  if (args.has("predictions"))
    write_file_atomic(args.get<std::string>("predictions"), predictions_to_json(predictions).dump() + "\n");
  if (args.has("json")) {
    Json json = to_json(e);
    for (std::size_t i = 0; i < variants.size(); ++i) json[variants[i].key] = to_json(context.variants[i]);
    print(json.dump(2) + "\n");
    return 0;
  }
  print(to_table(e));
  if (variants.empty()) return 0;
  std::vector<Evaluation> columns{e};
  columns.insert(columns.end(), context.variants.begin(), context.variants.end());
  print("\n" + to_comparison(columns));
  return 0;
}

}  // namespace serene::cli
