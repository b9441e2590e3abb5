#include "serene/train/sweep_report.h"

#include <algorithm>
#include <cmath>

#include "serene/eval/charts.h"
#include "serene/eval/html_report.h"
#include "serene/eval/text_table.h"
#include "serene/train/sweep_charts.h"

namespace serene {
namespace {

constexpr std::size_t best_shown = 10, most_rows = 300, most_curves = 30, enough_trials = 10;

Json number_or_null(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

template <class T>
std::string number_list(const std::vector<T>& numbers) {
  std::vector<std::string> words;
  for (const T n : numbers) words.push_back(std::to_string(n));
  return joined(words);
}

std::vector<int> folds_of(const SweepPlan& plan) {
  std::vector<int> folds;
  for (const Split& split : plan.data.front()->splits) folds.push_back(split.fold);
  return folds;
}

std::size_t scored_trials(const SweepResults& results) {
  return static_cast<std::size_t>(std::count_if(results.ranked.begin(), results.ranked.end(),
                                                [](const SweepStanding& s) { return std::isfinite(s.first_score); }));
}

bool halving(const SweepPlan& plan) { return plan.options.method == SweepMethod::halving; }

std::vector<std::string> trial_header(const SweepPlan& plan) {
  std::vector<std::string> header{"trial", "val UAR", "epochs", "seconds"};
  for (const std::string& key : short_keys(plan.space)) header.push_back(key);
  return header;
}

std::vector<std::string> trial_row(const SweepPlan& plan, const SweepStanding& s) {
  std::vector<std::string> row{std::to_string(s.trial), percent(s.score), std::to_string(s.epochs),
                               fixed(s.seconds, s.seconds < 10 ? 1 : 0)};
  for (const auto& value : plan.trials[s.trial].values) row.push_back(value_text(value));
  return row;
}

std::vector<std::string> importance_header() { return {"key", "share", "chance", "rank corr", "trials"}; }

std::vector<std::string> importance_row(const SweepImportance& i, const std::string& name) {
  const bool known = i.groups > 1 && i.trials > i.groups;
  return {name, known ? fixed(i.share, 2) : "n/a", known ? fixed(i.chance, 3) : "n/a",
          i.rank_correlation ? fixed(*i.rank_correlation, 2) : "-", std::to_string(i.trials)};
}

std::string short_key(const SweepPlan& plan, const std::string& key) {
  const auto names = short_keys(plan.space);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (plan.space.dimensions[i].key == key) return names[i];
  }
  return key;
}

std::string few_trials(std::size_t count) {
  return "Only " + std::to_string(count) + " trials have a score: what mattered is little more than chance below " +
         std::to_string(enough_trials) + ".";
}

std::string missing_text(const SweepResults& results) {
  return std::to_string(results.missing) + " of " + std::to_string(results.ranked.size()) +
         " trials are not there yet.";
}

std::vector<std::string> tested_and_heard(const SweepSpeakers& speakers) {
  std::vector<std::string> list;
  std::set_difference(speakers.tested.begin(), speakers.tested.end(), speakers.unused.begin(), speakers.unused.end(),
                      std::back_inserter(list));
  return list;
}

void write_method(HtmlReport& page, const SweepPlan& plan, const SweepResults& results) {
  const SweepData& data = *plan.data.front();
  const RunConfig& c = plan.base;
  std::vector<std::vector<std::string>> rows{{"corpus", data.features.manifest.name},
                                             {"protocol", c.split.protocol},
                                             {"folds", number_list(folds_of(plan))},
                                             {"runs of a trial and fold", std::to_string(plan.options.seeds)},
                                             {"method", halving(plan) ? "successive halving" : "random"},
                                             {"seed of the draws", std::to_string(plan.options.seed)},
                                             {"trials", std::to_string(plan.trials.size())},
                                             {"trials with a score", std::to_string(scored_trials(results))}};
  if (halving(plan)) {
    rows.push_back({"epochs of the rungs", number_list(plan.budgets)});
    rows.push_back({"goes on", "the best of every " + std::to_string(plan.options.eta)});
  }
  for (const Split& split : data.splits) {
    rows.push_back({"fold " + std::to_string(split.fold), std::to_string(split.train.size()) + " training and " +
                                                              std::to_string(split.validation.size()) +
                                                              " validation clips"});
  }
  page.heading("The search");
  page.table("", {"what", "value"}, rows);
  const bool best = c.train.early_stopping.restore_best;
  page.paragraph(
      std::string("A trial's score is its mean unweighted average recall (UAR) on the validation clips, over folds and "
                  "seeds, with the weights that its run ends with: those of ") +
      (best ? "the best epoch by " + to_string(c.train.select_best_by) : std::string("the last epoch")) +
      ". Where the best epoch is picked on the same clips, the score is a little too good for every trial alike.");
  if (halving(plan)) {
    page.paragraph(
        "A rung ends early on the schedule of the full number of epochs, and a trial that goes on continues "
        "exactly where it stopped.");
  }
}

void write_speakers(HtmlReport& page, const SweepPlan& plan) {
  page.heading("Speakers never used");
  page.paragraph(
      "Test clips had no part in the search: their places were taken out of every split before the first trial.");
  const SweepSpeakers& s = plan.speakers;
  page.paragraph(s.unused.empty() ? "No speaker was left out of all folds." : "Never used: " + joined(s.unused) + ".");
  const auto both = tested_and_heard(s);
  if (both.empty()) return;
  page.warning("Test speakers of one fold who train or validate in another fold of this search: " + joined(both) +
               ". A test score over these folds favours the chosen config a little; for a clean one search on one fold "
               "and test on that fold.");
}

void write_best(HtmlReport& page, const SweepPlan& plan, const SweepResults& results) {
  page.heading("Best trials");
  std::vector<std::vector<std::string>> rows;
  for (const SweepStanding& s : results.ranked) {
    if (rows.size() < best_shown && std::isfinite(s.score)) rows.push_back(trial_row(plan, s));
  }
  if (rows.empty()) return page.paragraph("No trial has a score.");
  page.table("Validation UAR in percent", trial_header(plan), rows);
  page.paragraph("best.json holds the whole config of trial " + rows.front()[0] + ", for serene train. Its values:");
  page.preformatted(values_to_json(plan.space, plan.trials[results.best()->trial].values).dump(2));
}

LineChart curves_chart(const SweepResults& results) {
  LineChart chart;
  chart.title = "Validation UAR of the best trials, epoch by epoch";
  chart.x_label = "epoch", chart.y_label = "UAR (%)";
  for (const SweepStanding& s : results.ranked) {
    if (s.curve.empty() || chart.series.size() >= most_curves) continue;
    Series series;
    if (chart.series.size() < 6) series.name = "trial " + std::to_string(s.trial);
    for (std::size_t e = 0; e < s.curve.size(); ++e) {
      series.x.push_back(static_cast<double>(e + 1));
      series.y.push_back(100 * s.curve[e]);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

SweepScatter scatter_of(const SweepPlan& plan, const SweepResults& results, std::size_t dimension) {
  const SweepDimension& d = plan.space.dimensions[dimension];
  SweepScatter chart;
  chart.title = d.key;
  chart.x_label = d.is_log() ? d.key + " (logarithmic)" : d.key;
  chart.y_label = "val UAR (%)";
  chart.log = d.is_log();
  for (const Json& choice : d.choices) chart.choices.push_back(value_text(choice));
  for (std::size_t r = 0; r < plan.budgets.size(); ++r) {
    const bool last = r + 1 == plan.budgets.size();
    chart.names.push_back(last ? "trained to the end" : "stopped after " + std::to_string(plan.budgets[r]) + " epochs");
  }
  for (const SweepStanding& s : results.ranked) {
    const auto& value = plan.trials[s.trial].values[dimension];
    if (!value || s.rung < 0) continue;
    const auto place = std::find(d.choices.begin(), d.choices.end(), *value) - d.choices.begin();
    chart.x.push_back(d.is_choice() ? static_cast<double>(place) : value->get<double>());
    chart.y.push_back(100 * s.first_score);
    chart.series.push_back(s.rung);
  }
  return chart;
}

void write_importance(HtmlReport& page, const SweepPlan& plan, const SweepResults& results) {
  page.heading("What mattered");
  const std::size_t scored = scored_trials(results);
  if (scored < enough_trials) page.warning(few_trials(scored));
  BarChart bars;
  bars.title = "Share of the scatter of scores that each key explains by itself";
  bars.y_label = "share", bars.y_high = 1;
  std::vector<std::vector<std::string>> rows;
  for (const SweepImportance& i : results.importance) {
    rows.push_back(importance_row(i, i.key));
    bars.bars.push_back({short_key(plan, i.key), i.share, std::nullopt, std::nullopt, 0});
  }
  page.figure(bar_chart(bars), "Epsilon squared of the one-way analysis of variance, 0 to 1");
  page.table("Importance", importance_header(), rows);
  page.paragraph(
      "Share: variance between groups of like values over all variance, less what chance gives as many groups; "
      "interactions of keys are not seen. Chance: how often values dealt out at random explain as much; only a small "
      "figure says anything. Rank corr: Spearman's, above 0 where larger values scored higher." +
      std::string(halving(plan) ? " All figures are of the first rung, which every trial finished." : ""));
  for (const SweepImportance& i : results.importance) {
    for (std::size_t d = 0; d < plan.space.dimensions.size(); ++d) {
      if (plan.space.dimensions[d].key != i.key) continue;
      page.figure(sweep_scatter_chart(scatter_of(plan, results, d)),
                  i.key + (halving(plan) ? ": score after the first rung, by value" : ": score by value"));
    }
  }
}

void write_trials(HtmlReport& page, const SweepPlan& plan, const SweepResults& results) {
  page.heading("All trials");
  std::vector<std::vector<std::string>> rows, failures;
  for (const SweepStanding& s : results.ranked) {
    if (s.rung >= 0 && rows.size() < most_rows) rows.push_back(trial_row(plan, s));
    if (!s.failure.empty()) failures.push_back({std::to_string(s.trial), s.failure});
  }
  if (!rows.empty()) page.table("Validation UAR in percent, the best first", trial_header(plan), rows);
  if (failures.empty()) return;
  page.heading("Trials that failed", 3);
  page.paragraph("They rank last and are left out of what mattered.");
  page.table("", {"trial", "why"}, failures);
}

Json standing_to_json(const SweepPlan& plan, const SweepStanding& s) {
  Json json{{"trial", s.trial},
            {"values", values_to_json(plan.space, plan.trials[s.trial].values)},
            {"val_uar", number_or_null(s.score)},
            {"first_rung_val_uar", number_or_null(s.first_score)},
            {"rung", s.rung},
            {"epochs", s.epochs}};
  if (!s.failure.empty()) json["failure"] = s.failure;
  return json;
}

}  // namespace

Json sweep_to_json(const SweepPlan& plan, const SweepResults& results) {
  Json trials = Json::array(), importance = Json::array();
  for (const SweepStanding& s : results.ranked) trials.push_back(standing_to_json(plan, s));
  for (const SweepImportance& i : results.importance) {
    importance.push_back({{"key", i.key},
                          {"share", i.share},
                          {"chance", i.chance},
                          {"rank_correlation", i.rank_correlation ? Json(*i.rank_correlation) : Json(nullptr)},
                          {"groups", i.groups},
                          {"trials", i.trials}});
  }
  Json json{{"name", plan.base.name},
            {"protocol", plan.base.split.protocol},
            {"folds", folds_of(plan)},
            {"seeds", plan.options.seeds},
            {"method", halving(plan) ? "halving" : "random"},
            {"draw_seed", plan.options.seed}};
  if (halving(plan)) json["eta"] = plan.options.eta, json["epochs_of_rungs"] = plan.budgets;
  json["complete"] = results.complete;
  json["missing"] = results.missing;
  json["best"] = results.best() != nullptr ? Json(results.best()->trial) : Json(nullptr);
  json["trials"] = trials;
  json["importance"] = importance;
  json["speakers_never_used"] = plan.speakers.unused;
  json["test_speakers_of_one_fold_heard_in_another"] = tested_and_heard(plan.speakers);
  return json;
}

std::string sweep_table(const SweepPlan& plan, const SweepResults& results) {
  TextTable best(trial_header(plan)), mattered(importance_header());
  std::size_t shown = 0;
  for (const SweepStanding& s : results.ranked) {
    if (std::isfinite(s.score) && shown++ < best_shown) best.row(trial_row(plan, s));
  }
  for (const SweepImportance& i : results.importance) mattered.row(importance_row(i, short_key(plan, i.key)));
  std::string text = shown == 0 ? "no trial has a score\n" : best.str();
  text += "\n" + mattered.str();
  const std::size_t scored = scored_trials(results);
  if (scored < enough_trials) text += "\n" + few_trials(scored) + "\n";
  if (results.missing > 0) text += "\n" + missing_text(results) + "\n";
  if (!plan.speakers.unused.empty()) text += "\nnever used: speakers " + joined(plan.speakers.unused) + "\n";
  return text;
}

std::string sweep_report(const SweepPlan& plan, const SweepResults& results, const std::string& command) {
  HtmlReport page("Search: " + plan.base.name,
                  std::to_string(plan.trials.size()) + " trials, scored on validation speakers");
  if (results.missing > 0) {
    page.warning(missing_text(results));
  } else if (!results.complete) {
    page.warning("Some trials have yet to go on to later rungs.");
  }
  write_best(page, plan, results);
  write_importance(page, plan, results);
  const LineChart curves = curves_chart(results);
  if (!curves.series.empty()) {
    page.heading("Epoch by epoch");
    page.figure(line_chart(curves),
                "Mean over folds and seeds; the best " + std::to_string(curves.series.size()) + " trials");
  }
  write_trials(page, plan, results);
  write_method(page, plan, results);
  write_speakers(page, plan);
  page.heading("To repeat it");
  page.preformatted(command);
  page.preformatted(to_json(plan.base).dump(2));
  return page.str();
}

std::string trial_line(const SweepPlan& plan, const SweepTrial& trial, const SweepStanding& s) {
  std::string text = "trial " + pad_left(std::to_string(trial.number), 3);
  text += s.failure.empty() ? "  val UAR " + pad_left(fixed(100 * s.score, 1), 5) + " %" : "  failed: " + s.failure;
  text += "  " + std::to_string(s.epochs) + " epochs  " + fixed(s.seconds, 1) + " s ";
  const auto names = short_keys(plan.space);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (trial.values[i]) text += " " + names[i] + "=" + value_text(trial.values[i]);
  }
  return text;
}

RunConfig best_config(const SweepPlan& plan, const SweepResults& results) {
  const SweepStanding* best = results.best();
  if (best == nullptr) throw Error(ErrorCode::internal, "sweep", "no trial has a score");
  RunConfig config = plan.trials[best->trial].config;
  const std::vector<int> folds = folds_of(plan);
  if (std::find(folds.begin(), folds.end(), static_cast<int>(config.split.fold)) == folds.end()) {
    config.split.fold = folds.front();
  }
  return config;
}

}  // namespace serene
