#include "crossval_combine.h"

#include <algorithm>
#include <map>

#include "crossval_store.h"
#include "serene/eval/cross_validation.h"
#include "serene/eval/mixture.h"
#include "serene/eval/report.h"
#include "serene/eval/text_table.h"
#include "serene/io/atomic_file.h"
#include "serene/io/ensemble.h"
#include "serene/train/run_folder.h"

namespace serene::cli {
namespace {

// One cross-validation as it lies in its folder.
struct StoredFolds {
  std::string folder;
  EvaluationOptions options;
  std::vector<std::string> labels;
  std::vector<std::uint64_t> seeds;                               // sorted
  std::map<Index, std::vector<std::vector<Prediction>>> by_fold;  // in the order of the seeds

  CrossValidation summary() const {
    std::vector<FoldResult> results;
    for (const auto& [fold, answers] : by_fold) {
      for (std::size_t s = 0; s < seeds.size(); ++s) results.push_back({seeds[s], fold, answers[s]});
    }
    return summarize(results, labels, options);
  }
};

std::vector<std::string> texts_of(const Json& list, const std::string& where) {
  const Json wrapped{{"labels", list}};
  return JsonReader(wrapped, where).texts("labels");
}

StoredFolds read_folds(const std::string& folder, bool validation) {
  StoredFolds stored;
  stored.folder = folder;
  const std::string path = folder + (validation ? "/validation_results.json" : "/results.json");
  const Json json = read_json_file(path);
  return with_context(path, [&] {
    JsonReader r(json, "");
    stored.options.title = r.text("title");
    stored.options.protocol = r.text("protocol");
    stored.options.leaky = r.boolean("leaky");
    JsonReader pooled = r.object("pooled");
    stored.labels = texts_of(pooled.raw("labels"), "pooled");
    for (const auto& [seed, fold] : folds_of(r)) {
      const std::string file = folder + "/seed" + std::to_string(seed) + "-fold" + std::to_string(fold) +
                               (validation ? "-validation.json" : ".json");
      const Json result = read_json_file(file);
      JsonReader f(result, file);
      stored.by_fold[fold].push_back(predictions_from_json(f.raw("predictions"), file));
      if (stored.seeds.empty() || stored.seeds.back() != seed) stored.seeds.push_back(seed);
    }
    for (const auto& [fold, answers] : stored.by_fold) {
      if (answers.size() != stored.seeds.size())
        throw Error(ErrorCode::input, "folds", "some seeds lack fold " + std::to_string(fold));
    }
    return stored;
  });
}

// Brings another folder to the labels of the first, or says what does not fit.
void fit_to(const StoredFolds& first, StoredFolds& other) {
  const auto differ = [&](const char* what, const std::string& expected, const std::string& got) {
    return Error(ErrorCode::input, other.folder, std::string("another ") + what + " than " + first.folder)
        .expected(expected)
        .got(got);
  };
  if (other.options.protocol != first.options.protocol)
    throw differ("protocol", first.options.protocol, other.options.protocol);
  if (other.seeds.size() != first.seeds.size())
    throw differ("number of seeds", std::to_string(first.seeds.size()), std::to_string(other.seeds.size()));
  const auto same_fold = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (!std::equal(first.by_fold.begin(), first.by_fold.end(), other.by_fold.begin(), other.by_fold.end(), same_fold))
    throw differ("set of folds", std::to_string(first.by_fold.size()), std::to_string(other.by_fold.size()));
  const auto places = with_context(other.folder, [&] { return label_places(other.labels, first.labels); });
  for (auto& [fold, answers] : other.by_fold) {
    for (auto& predictions : answers) reorder_labels(predictions, places);
  }
  other.labels = first.labels;
  other.options.leaky = other.options.leaky || first.options.leaky;
}

// Seed by seed: the models that the folders trained for a fold, as one.
CrossValidation mixed_summary(const std::vector<StoredFolds>& all) {
  const StoredFolds& first = all.front();
  std::vector<FoldResult> results;
  EvaluationOptions options = first.options;
  for (std::size_t i = 1; i < all.size(); ++i) {
    options.title += " + " + all[i].options.title;
    options.leaky = options.leaky || all[i].options.leaky;
  }
  for (const auto& [fold, ignored] : first.by_fold) {
    for (std::size_t s = 0; s < first.seeds.size(); ++s) {
      std::vector<std::vector<Prediction>> members;
      for (const StoredFolds& folds : all) members.push_back(folds.by_fold.at(fold)[s]);
      if (!same_clips(members))
        throw Error(ErrorCode::input, "fold " + std::to_string(fold), "the folders tested different clips");
      results.push_back({first.seeds[s], fold, mix_predictions(members)});
    }
  }
  return summarize(results, first.labels, options);
}

std::string spread(const MeanDeviation& m) {
  return percent(m.mean) + (m.count >= 2 ? " +- " + percent(m.deviation) : "");
}

std::vector<std::string> row_of(const std::string& name, const CrossValidation& cv) {
  return {printable(name, 60), spread(cv.uar), spread(cv.war), spread(cv.ece),
          cv.ensemble ? percent(cv.ensemble->uar) : "-"};
}

}  // namespace

int combine_crossvals(const std::vector<std::string>& folders, const Arguments& args) {
  if (folders.size() < 2)
    throw Error(ErrorCode::usage, "--combine", "two or more folders of serene crossval are needed");
  const std::string part = args.get<std::string>("part");
  if (part != "test" && part != "validation")
    throw Error(ErrorCode::usage, "--part", "unknown").expected("test or validation").got(printable(part));
  const bool validation = part == "validation";
  std::vector<StoredFolds> all;
  for (const std::string& folder : folders) {
    all.push_back(read_folds(folder, validation));
    if (all.size() > 1) fit_to(all.front(), all.back());
  }
  const CrossValidation mixed = mixed_summary(all);
  TextTable table({"folder", "UAR % over seeds", "WAR %", "ECE %", "UAR % of the seeds as one"},
                  mixed.leaky ? "  LEAKY" : "");
  Json members = Json::array();
  for (const StoredFolds& folds : all) {
    const CrossValidation own = folds.summary();
    table.row(row_of(folds.folder, own));
    members.push_back({{"folder", folds.folder}, {"title", own.title}, {"uar", own.uar.mean}});
    members.back()["ensemble_uar"] = own.ensemble ? Json(own.ensemble->uar) : Json(nullptr);
  }
  table.row(row_of("together", mixed));
  Json json = to_json(mixed);
  json["members"] = members;
  if (args.has("run")) {
    const std::string out = args.get<std::string>("run");
    make_folder(out);
    ReportContext context;
    context.command = "serene crossval --combine";
    for (const StoredFolds& folds : all) context.data.emplace_back("member", folds.options.title);
    write_file_atomic(out + "/results.json", json.dump(2) + "\n");
    write_file_atomic(out + "/report.html", cross_validation_report(mixed, context));
  }
  print(args.has("json") ? json.dump(2) + "\n" : table.str() + "\n" + to_table(mixed));
  return 0;
}

}  // namespace serene::cli
