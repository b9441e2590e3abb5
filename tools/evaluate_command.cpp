// serene evaluate: scores of a trained model on its own test part, on a manifest, or on a protocol's fold, or of all
// models of a cross-validation; with standardised test speech and in other conditions beside it.
#include "evaluation_columns.h"
#include "evaluation_subject.h"
#include "serene/io/atomic_file.h"
#include "training.h"

namespace serene::cli {
namespace {

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

std::vector<TestCondition> conditions_of(const Arguments& args) {
  std::vector<TestCondition> list;
  if (!args.has("condition")) return list;
  for (const std::string& text : args.get<std::vector<std::string>>("condition")) {
    TestCondition condition = with_context("--condition", [&] { return parse_condition(text); });
    for (const TestCondition& other : list) {
      if (other.name == condition.name)
        throw Error(ErrorCode::usage, "--condition", condition.name + " comes twice");
    }
    list.push_back(std::move(condition));
  }
  return list;
}

struct Columns {
  EvaluationColumn plain;
  std::vector<EvaluationColumn> variants, conditions;
};

Columns score_all(EvaluationSubject& subject, const std::vector<Variant>& variants,
                  const std::vector<TestCondition>& conditions, Precision precision, bool quiet,
                  std::vector<FoldResult>& answers) {
  const EvaluationJob& job = subject.job();
  const auto column = [&](const std::vector<FoldResult>& results, const std::string& title) {
    EvaluationOptions options;
    options.title = title, options.protocol = job.protocol, options.leaky = job.leaky;
    if (!subject.cross_validated()) options.uncertain_below = job.model.uncertain_below;
    return column_of(results, subject.cross_validated(), job.model.labels, options);
  };
  answers = subject.answers(Standardise::global, precision);
  Columns columns;
  columns.plain = column(answers, job.title);
  for (const Variant& v : variants) columns.variants.push_back(column(subject.answers(v.how, precision), v.title));
  const auto changed = subject.answers_in(conditions, precision, quiet);
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    columns.conditions.push_back(column(changed[i], conditions[i].name));
  }
  return columns;
}

void write_report(const std::string& path, const EvaluationSubject& subject, const Columns& columns) {
  ReportContext context;
  for (const auto* list : {&columns.variants, &columns.conditions}) {
    for (const EvaluationColumn& c : *list) context.variants.push_back(c.evaluation);
  }
  const FeatureSet& features = subject.job().features();
  context.data = {{"corpus", features.manifest.name}, {"clips", std::to_string(subject.clips())}};
  context.skipped = skipped_clips(features);
  const EvaluationColumn& plain = columns.plain;
  write_file_atomic(path, plain.crossval ? cross_validation_report(*plain.crossval, context)
                                         : evaluation_report(plain.evaluation, context));
}

void write_predictions(const std::string& path, const std::vector<FoldResult>& answers, bool cross_validated) {
  Json json = Json::array();
  for (const FoldResult& r : answers) {
    json.push_back({{"seed", r.seed}, {"fold", r.fold}, {"predictions", predictions_to_json(r.predictions)}});
  }
  write_file_atomic(path, (cross_validated ? json : json[0]["predictions"]).dump() + "\n");
}

std::string comparison(const Columns& columns) {
  if (columns.variants.empty()) return "";
  std::vector<Evaluation> list{columns.plain.evaluation};
  for (const EvaluationColumn& v : columns.variants) list.push_back(v.evaluation);
  return "\n" + to_comparison(list);
}

}  // namespace

int evaluate_command(int argc, char** argv) {
  Arguments args("evaluate", "Score a trained model, or all models of a cross-validation, on clips they never heard.",
                 "RUN|CROSSVAL|MODEL.safetensors");
  add_job_options(args);
  args.add()("standardise",
             "Also with features standardised per speaker or per corpus, from unlabelled test audio, in a column of "
             "its own; may be repeated",
             cxxopts::value<std::vector<std::string>>(), "speaker|corpus")(
      "condition",
      "Also with the recordings changed, in a column of its own; may be repeated: white:DB, pink:DB, babble:DB, "
      "room:SECONDS, rate:HZ, telephone, telephone-band, loss:SHARE, or several joined by +",
      cxxopts::value<std::vector<std::string>>(), "CHANGES")("json", "JSON instead of the table")(
      "report", "Write an HTML report to this file", cxxopts::value<std::string>(), "FILE")(
      "predictions", "Write logits of every clip to this JSON file", cxxopts::value<std::string>(), "FILE");
  args.add_precision();
  args.add_common();
  args.example("serene evaluate runs/first");
  args.example("serene evaluate runs/first/best.safetensors --corpus cremad");
  args.example("serene evaluate runs/model_strong-ravdess-luna5 --condition babble:10 --condition room:0.6+telephone");
  if (!args.parse(argc, argv)) return 0;
  const auto files = args.positional();
  if (files.size() != 1)
    throw Error(ErrorCode::usage, "serene evaluate", "one run folder, cross-validation or model is needed")
        .hint("see serene evaluate --help");
  const Precision precision = precision_option(args);
  const std::vector<Variant> variants = variants_of(args);
  const std::vector<TestCondition> conditions = conditions_of(args);

  ThreadPool pool(args.threads());
  EvaluationSubject subject(files[0], args, pool);
  if (subject.job().copies && !conditions.empty())
    throw Error(ErrorCode::usage, "--condition", "this run tests rows made in memory, not recordings");
  std::vector<FoldResult> answers;
  const Columns columns = score_all(subject, variants, conditions, precision, args.quiet(), answers);
  if (args.has("report")) write_report(args.get<std::string>("report"), subject, columns);
  if (args.has("predictions"))
    write_predictions(args.get<std::string>("predictions"), answers, subject.cross_validated());
  if (args.has("json")) {
    Json json = columns.plain.json();
    for (std::size_t i = 0; i < variants.size(); ++i) json[variants[i].key] = columns.variants[i].json();
    if (!conditions.empty()) json["conditions"] = conditions_json(columns.plain, conditions, columns.conditions);
    print(json.dump(2) + "\n");
    return 0;
  }
  print(columns.plain.table() + comparison(columns));
  if (!conditions.empty()) print("\n" + conditions_table(columns.plain, conditions, columns.conditions));
  return 0;
}

}  // namespace serene::cli
