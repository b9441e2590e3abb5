#include "serene/eval/cross_validation.h"

#include <map>
#include <set>

#include "serene/core/error.h"
#include "serene/eval/mixture.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

using Figure = double SeedScore::*;

MeanDeviation over_seeds(const std::vector<SeedScore>& seeds, Figure figure) {
  std::vector<double> values;
  for (const SeedScore& s : seeds) values.push_back(s.*figure);
  return mean_deviation(values);
}

std::vector<SeedScore> seed_scores(const std::vector<FoldScore>& folds) {
  std::map<std::uint64_t, SeedScore> by_seed;
  for (const FoldScore& f : folds) {
    SeedScore& s = by_seed[f.seed];
    s.seed = f.seed;
    ++s.folds;
    s.uar += f.uar, s.war += f.war, s.macro_f1 += f.macro_f1, s.ece += f.ece;
  }
  std::vector<SeedScore> seeds;
  for (auto& [seed, s] : by_seed) {
    const double n = static_cast<double>(s.folds);
    s.uar /= n, s.war /= n, s.macro_f1 /= n, s.ece /= n;
    seeds.push_back(s);
  }
  return seeds;
}

FoldScore fold_score(std::uint64_t seed, Index fold, const std::vector<Prediction>& predictions, Index classes,
                     Index bins) {
  const Scores s = score(confusion_matrix(predictions, classes));
  const double ece = expected_calibration_error(reliability_bins(predictions, Calibrated::yes, bins));
  return {seed, fold, static_cast<Index>(predictions.size()), s.uar, s.war, s.macro_f1, ece};
}

using ResultsInOrder = std::map<std::pair<std::uint64_t, Index>, const FoldResult*>;

// None when a seed lacks a fold or tested it on other clips (random splits differ from seed to seed).
std::optional<EnsembleScore> ensemble_of_seeds(const ResultsInOrder& order, std::size_t seeds, Index classes,
                                               Index bins) {
  std::map<Index, std::vector<std::vector<Prediction>>> by_fold;
  for (const auto& [key, result] : order) by_fold[key.second].push_back(result->predictions);
  if (seeds < 2) return std::nullopt;
  EnsembleScore e;
  e.members = static_cast<Index>(seeds);
  for (const auto& [fold, members] : by_fold) {
    if (members.size() != seeds || !same_clips(members)) return std::nullopt;
    const FoldScore f = fold_score(0, fold, mix_predictions(members), classes, bins);
    e.uar += f.uar, e.war += f.war, e.macro_f1 += f.macro_f1, e.ece += f.ece;
    e.folds.push_back(f);
  }
  const auto n = static_cast<double>(e.folds.size());
  e.uar /= n, e.war /= n, e.macro_f1 /= n, e.ece /= n;
  return e;
}

Json fold_json(const FoldScore& f, bool with_seed) {
  Json json = Json::object();
  if (with_seed) json["seed"] = f.seed;
  json["fold"] = f.fold;
  json["clips"] = f.clips;
  json["uar"] = f.uar, json["war"] = f.war, json["macro_f1"] = f.macro_f1, json["ece"] = f.ece;
  return json;
}

Json spread_json(const MeanDeviation& m) {
  Json json = {{"mean", m.mean}, {"count", m.count}};
  json["deviation"] = m.count >= 2 ? Json(m.deviation) : Json(nullptr);
  return json;
}

std::string spread_text(const MeanDeviation& m) {
  return percent(m.mean) + (m.count >= 2 ? " +- " + percent(m.deviation) + " %" : " % (one seed, no spread)");
}

std::string counted(std::size_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

}  // namespace

CrossValidation summarize(std::span<const FoldResult> results, const std::vector<std::string>& labels,
                          const EvaluationOptions& options) {
  if (results.empty()) throw Error(ErrorCode::input, "cross-validation", "there is no fold to summarize");
  ResultsInOrder order;
  for (const FoldResult& r : results) {
    if (!order.emplace(std::pair(r.seed, r.fold), &r).second) {
      throw Error(ErrorCode::input, "cross-validation",
                  "fold " + std::to_string(r.fold) + " of seed " + std::to_string(r.seed) + " comes twice");
    }
  }
  CrossValidation cv;
  cv.title = options.title, cv.protocol = options.protocol, cv.leaky = options.leaky, cv.labels = labels;
  std::vector<Prediction> pool;
  std::vector<double> recalls;
  const Index classes = static_cast<Index>(labels.size());
  for (const auto& [key, result] : order) {
    check_predictions(result->predictions, classes);
    cv.folds.push_back(fold_score(key.first, key.second, result->predictions, classes, options.bins));
    recalls.push_back(cv.folds.back().uar);
    pool.insert(pool.end(), result->predictions.begin(), result->predictions.end());
  }
  cv.seeds = seed_scores(cv.folds);
  cv.uar = over_seeds(cv.seeds, &SeedScore::uar);
  cv.war = over_seeds(cv.seeds, &SeedScore::war);
  cv.macro_f1 = over_seeds(cv.seeds, &SeedScore::macro_f1);
  cv.ece = over_seeds(cv.seeds, &SeedScore::ece);
  cv.fold_uar = mean_deviation(recalls);
  cv.ensemble = ensemble_of_seeds(order, cv.seeds.size(), classes, options.bins);
  cv.pooled = evaluate(pool, labels, options);
  std::set<Index> counts;
  for (const SeedScore& s : cv.seeds) counts.insert(s.folds);
  if (counts.size() > 1) cv.notes.push_back("some seeds lack folds; their means are not comparable");
  if (cv.seeds.size() < 3) cv.notes.push_back("fewer than three seeds: the spread over seeds says little");
  return cv;
}

Json to_json(const CrossValidation& cv) {
  Json json = {{"title", cv.title}, {"protocol", cv.protocol}, {"leaky", cv.leaky}};
  if (cv.leaky) json["warning"] = leaky_warning;
  json["uar"] = spread_json(cv.uar);
  json["war"] = spread_json(cv.war);
  json["macro_f1"] = spread_json(cv.macro_f1);
  json["ece"] = spread_json(cv.ece);
  json["fold_uar"] = spread_json(cv.fold_uar);
  json["seeds"] = Json::array();
  for (const SeedScore& s : cv.seeds) {
    json["seeds"].push_back({{"seed", s.seed},
                             {"folds", s.folds},
                             {"uar", s.uar},
                             {"war", s.war},
                             {"macro_f1", s.macro_f1},
                             {"ece", s.ece}});
  }
  json["folds"] = Json::array();
  for (const FoldScore& f : cv.folds) {
    json["folds"].push_back(fold_json(f, true));
  }
  if (cv.ensemble) {
    Json& e = json["ensemble"] = {{"members", cv.ensemble->members}};
    e["uar"] = cv.ensemble->uar, e["war"] = cv.ensemble->war;
    e["macro_f1"] = cv.ensemble->macro_f1, e["ece"] = cv.ensemble->ece;
    e["folds"] = Json::array();
    for (const FoldScore& f : cv.ensemble->folds) e["folds"].push_back(fold_json(f, false));
  }
  json["notes"] = cv.notes;
  json["pooled"] = to_json(cv.pooled);
  return json;
}

std::string to_table(const CrossValidation& cv) {
  const std::string mark = cv.leaky ? "  LEAKY" : "";
  std::string text = heading_of(cv.title, cv.protocol, cv.leaky) + "\n";
  if (cv.leaky) text += std::string(leaky_warning) + "\n";
  text += "cross-validation: " + counted(cv.folds.size(), "fold") + " in all, " + counted(cv.seeds.size(), "seed") +
          "; mean over folds, +- standard deviation over seeds" + mark + "\n\n";
  const auto line = [&](const char* name, const MeanDeviation& m) {
    text += pad_right(name, 10) + spread_text(m) + mark + "\n";
  };
  line("UAR", cv.uar), line("WAR", cv.war), line("macro-F1", cv.macro_f1), line("ECE", cv.ece);
  text += pad_right("folds", 10) + "UAR " + spread_text(cv.fold_uar) + " over all folds" + mark + "\n\n";
  if (cv.ensemble) {
    const EnsembleScore& e = *cv.ensemble;
    text.pop_back();
    text += pad_right("ensemble", 10) + "UAR " + percent(e.uar) + " %, WAR " + percent(e.war) + " %, ECE " +
            percent(e.ece) + " % of the " + std::to_string(e.members) + " seeds as one" + mark + "\n\n";
  }
  TextTable table({"seed", "fold", "clips", "UAR %", "WAR %", "macro-F1 %", "ECE %"}, mark);
  for (const FoldScore& f : cv.folds) {
    table.row({std::to_string(f.seed), std::to_string(f.fold), std::to_string(f.clips), percent(f.uar), percent(f.war),
               percent(f.macro_f1), percent(f.ece)});
  }
  for (const SeedScore& s : cv.seeds) {
    table.row(
        {std::to_string(s.seed), "mean", "", percent(s.uar), percent(s.war), percent(s.macro_f1), percent(s.ece)});
  }
  if (cv.ensemble) {
    for (const FoldScore& f : cv.ensemble->folds) {
      table.row({"all", std::to_string(f.fold), std::to_string(f.clips), percent(f.uar), percent(f.war),
                 percent(f.macro_f1), percent(f.ece)});
    }
  }
  text += table.str();
  for (const std::string& note : cv.notes) text += "note: " + note + "\n";
  return text + "\nall folds and seeds pooled:\n" + to_table(cv.pooled);
}

}  // namespace serene
