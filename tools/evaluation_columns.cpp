#include "evaluation_columns.h"

#include "serene/eval/text_table.h"

namespace serene::cli {
namespace {

std::string with_sign(double fraction) { return (fraction > 0 ? "+" : "") + percent(fraction); }

std::string spread(const EvaluationColumn& column) {
  const std::string uar = percent(column.uar());
  return column.crossval && column.crossval->uar.count >= 2
             ? uar + " +- " + percent(column.crossval->uar.deviation)
             : uar;
}

}  // namespace

EvaluationColumn column_of(const std::vector<FoldResult>& results, bool cross_validated,
                           const std::vector<std::string>& labels, const EvaluationOptions& options) {
  EvaluationColumn column;
  column.title = options.title;
  for (const FoldResult& r : results) {
    column.pooled.insert(column.pooled.end(), r.predictions.begin(), r.predictions.end());
  }
  if (cross_validated) column.crossval = summarize(results, labels, options);
  column.evaluation = cross_validated ? column.crossval->pooled : evaluate(column.pooled, labels, options);
  return column;
}

ConditionChange change_between(const EvaluationColumn& plain, const EvaluationColumn& changed) {
  const auto classes = static_cast<Index>(plain.evaluation.labels.size());
  ConditionChange change;
  change.uar = bootstrap_difference(changed.pooled, plain.pooled, classes, unweighted_average_recall);
  change.war = bootstrap_difference(changed.pooled, plain.pooled, classes, accuracy);
  change.ece = changed.ece() - plain.ece();
  return change;
}

Json conditions_json(const EvaluationColumn& plain, const std::vector<TestCondition>& conditions,
                     const std::vector<EvaluationColumn>& changed) {
  Json list = Json::array();
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const ConditionChange change = change_between(plain, changed[i]);
    list.push_back({{"name", conditions[i].name},
                    {"words", describe(conditions[i])},
                    {"uar", changed[i].uar()},
                    {"war", changed[i].war()},
                    {"ece", changed[i].ece()},
                    {"uar_difference", to_json(change.uar)},
                    {"war_difference", to_json(change.war)},
                    {"ece_difference", change.ece},
                    {"result", changed[i].json()}});
  }
  return list;
}

std::string conditions_table(const EvaluationColumn& plain, const std::vector<TestCondition>& conditions,
                             const std::vector<EvaluationColumn>& changed) {
  TextTable table({"condition", "UAR %", "WAR %", "ECE %", "UAR - plain", "95 % interval", "WAR - plain"},
                  plain.evaluation.leaky ? "  LEAKY" : "");
  table.row({"plain", spread(plain), percent(plain.war()), percent(plain.ece()), "", "", ""});
  for (std::size_t i = 0; i < conditions.size(); ++i) {
    const ConditionChange change = change_between(plain, changed[i]);
    const std::string interval =
        change.uar.valid() ? with_sign(change.uar.low) + " to " + with_sign(change.uar.high) : "n/a";
    table.row({conditions[i].name, spread(changed[i]), percent(changed[i].war()), percent(changed[i].ece()),
               with_sign(change.uar.estimate), interval, with_sign(change.war.estimate)});
  }
  return table.str() +
         "differences are those of all answers pooled; the intervals resample speakers, the same ones on both sides\n";
}

}  // namespace serene::cli
