#include "serene/eval/report.h"

#include "serene/eval/html_report.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

std::string marked(bool leaky, const std::string& text) { return leaky ? "LEAKY: " + text : text; }

std::string interval_text(const Interval& i) {
  return i.valid() ? percent(i.low) + " to " + percent(i.high) : std::string("-");
}

std::string spread(const MeanDeviation& m) { return m.count >= 2 ? percent(m.deviation) : std::string("-"); }

void add_warnings(HtmlReport& page, bool leaky, const ReportContext& context) {
  if (leaky) page.warning(leaky_warning);
  for (const std::string& warning : context.warnings) page.warning(warning);
}

void add_scores(HtmlReport& page, const Evaluation& e) {
  page.table("Scores of " + std::to_string(e.clips) + " clips of " + std::to_string(e.speakers.size()) +
                 " speakers; the interval resamples whole speakers",
             {"score", "value (%)", "95 % interval"},
             {{"UAR, unweighted average recall", percent(e.uar.estimate), interval_text(e.uar)},
              {"WAR, accuracy", percent(e.war.estimate), interval_text(e.war)},
              {"macro-F1", percent(e.scores.macro_f1), "-"},
              {"chance (one class for all)",
               percent(1.0 / static_cast<double>(e.labels.size() - static_cast<std::size_t>(e.scores.absent))), "-"}});
  page.list(e.notes);
}

void add_classes(HtmlReport& page, const Evaluation& e) {
  std::vector<std::vector<std::string>> rows, counts;
  for (std::size_t c = 0; c < e.labels.size(); ++c) {
    const ClassScore& s = e.scores.classes[c];
    rows.push_back({e.labels[c], std::to_string(s.support), std::to_string(s.predicted),
                    s.support > 0 ? percent(s.recall) : "-", s.predicted > 0 ? percent(s.precision) : "-",
                    s.support > 0 ? percent(s.f1) : "-"});
    std::vector<std::string> row = {e.labels[c]};
    for (Index k = 0; k < e.confusion.classes; ++k)
      row.push_back(std::to_string(e.confusion.at(static_cast<Index>(c), k)));
    counts.push_back(row);
  }
  page.heading("Classes");
  page.table("Per class", {"class", "clips", "predicted", "recall (%)", "precision (%)", "F1 (%)"}, rows);
  page.figure(confusion_chart(e.confusion, e.labels, marked(e.leaky, "Confusion matrix")),
              "Which emotion was taken for which: each row adds up to 100 %.");
  std::vector<std::string> header = {"truth \\ prediction"};
  header.insert(header.end(), e.labels.begin(), e.labels.end());
  page.table("Confusion matrix in clips: rows truth, columns prediction", header, counts);
}

void add_speakers(HtmlReport& page, const Evaluation& e) {
  page.heading("Speakers");
  page.table("Spread over speakers and sexes, UAR", {"group", "value (%)"}, [&] {
    std::vector<std::vector<std::string>> rows = {{"worst speaker", percent(e.speaker_uar.min)},
                                                  {"median speaker", percent(e.speaker_uar.median)},
                                                  {"best speaker", percent(e.speaker_uar.max)}};
    for (const GroupScore& g : e.sexes) {
      rows.push_back({"sex: " + g.name + " (" + std::to_string(g.clips) + " clips)", percent(g.uar)});
    }
    if (e.sex_gap) rows.push_back({"male less female, points", percent(*e.sex_gap)});
    return rows;
  }());
  page.figure(speaker_chart(e), "UAR of each speaker, over the classes the speaker has. Dashed: the median.");
  std::vector<std::vector<std::string>> rows;
  for (const GroupScore& s : e.speakers) {
    rows.push_back({s.name, s.sex, std::to_string(s.clips), percent(s.uar), percent(s.war)});
  }
  page.table("Per speaker", {"speaker", "sex", "clips", "UAR (%)", "WAR (%)"}, rows);
}

void add_calibration(HtmlReport& page, const Evaluation& e) {
  page.heading("Calibration");
  const std::string low = fixed(e.temperature_min, 3), high = fixed(e.temperature_max, 3);
  page.paragraph("Probabilities are softmax(logits / T) with T fitted on validation speakers: " +
                 (low == high ? low : low + " to " + high) + ". ECE uses " + std::to_string(e.reliability.size()) +
                 " bins of equal width.");
  const auto row = [](const char* name, const ProbabilityScores& s) -> std::vector<std::string> {
    return {name, percent(s.ece), fixed(s.nll, 4), fixed(s.brier, 4)};
  };
  page.table("Quality of the probabilities; less is better", {"", "ECE (%)", "NLL (nats)", "Brier"},
             {row("at temperature T", e.calibrated), row("uncalibrated", e.uncalibrated)});
  page.figure(reliability_chart(e.reliability, marked(e.leaky, "Reliability at temperature T")),
              "Share of right answers against the confidence of the model; on the dashed line both agree.");
  std::vector<std::vector<std::string>> rows;
  for (const ReliabilityBin& b : e.reliability) {
    const bool some = b.count > 0;
    rows.push_back({percent(b.low) + " to " + percent(b.high), std::to_string(b.count),
                    some ? percent(b.confidence) : "-", some ? percent(b.accuracy) : "-"});
  }
  page.table("Bins of the diagram", {"confidence (%)", "clips", "mean confidence (%)", "right answers (%)"}, rows);
}

void add_coverage(HtmlReport& page, const Evaluation& e) {
  page.heading("Uncertain answers");
  std::string text = "A model may leave its least certain answers out. Area under the risk-coverage curve: " +
                     fixed(e.coverage.area, 4) + " (mean share of wrong answers over all coverages; less is better).";
  if (e.certain) {
    text += " At the threshold " + fixed(e.certain->threshold, 3) + ", chosen on validation speakers, " +
            percent(e.certain->coverage) + " % of the clips are answered: WAR " + percent(e.certain->accuracy) +
            ", UAR " + percent(e.certain->uar) + " %.";
  }
  page.paragraph(text);
  page.figure(coverage_chart(e.coverage, e.certain, marked(e.leaky, "Accuracy and coverage")),
              "Right answers among those given, when only the most certain are given. Dashed: the model's threshold.");
  std::vector<std::vector<std::string>> rows;
  for (const CoveragePoint& p : e.coverage.points) {
    rows.push_back({percent(p.coverage), fixed(p.threshold, 3), percent(p.accuracy), percent(p.uar)});
  }
  page.table("Points of the curve", {"answered (%)", "threshold", "WAR (%)", "UAR (%)"}, rows);
}

void add_curves(HtmlReport& page, const LearningCurves& curves, bool leaky) {
  if (curves.epoch.empty()) return;
  page.heading("Training");
  page.figure(learning_curves_chart(curves, marked(leaky, "Learning curves")), "Loss and score per epoch.");
  const auto cell = [](const std::vector<double>& values, std::size_t i, double factor, int digits) {
    return i < values.size() ? fixed(factor * values[i], digits) : std::string("-");
  };
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < curves.epoch.size(); ++i) {
    rows.push_back({fixed(curves.epoch[i], 0), cell(curves.train_loss, i, 1, 4), cell(curves.validation_loss, i, 1, 4),
                    cell(curves.train_score, i, 100, 2), cell(curves.validation_score, i, 100, 2)});
  }
  const std::string name = curves.score_name + " (%)";
  page.table("Per epoch", {"epoch", "training loss", "validation loss", "training " + name, "validation " + name},
             rows);
}

void add_variants(HtmlReport& page, const std::vector<Evaluation>& variants) {
  if (variants.empty()) return;
  page.heading("Variants");
  std::vector<std::string> header = {"score (%)"};
  std::vector<std::vector<std::string>> rows = {{"UAR"}, {"WAR"}, {"macro-F1"}, {"worst speaker UAR"}, {"ECE"}};
  for (const Evaluation& e : variants) {
    header.push_back(heading_of(e.title, e.protocol, e.leaky));
    const double figures[] = {e.scores.uar, e.scores.war, e.scores.macro_f1, e.speaker_uar.min, e.calibrated.ece};
    for (std::size_t r = 0; r < rows.size(); ++r) rows[r].push_back(percent(figures[r]) + (e.leaky ? " LEAKY" : ""));
  }
  page.table("Side by side", header, rows);
}

void add_data(HtmlReport& page, const ReportContext& context) {
  if (context.data.empty() && context.skipped.empty()) return;
  const auto rows_of = [](const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& [name, value] : pairs) rows.push_back({name, value});
    return rows;
  };
  page.heading("Data");
  if (!context.data.empty()) page.table("What was used", {"fact", "value"}, rows_of(context.data));
  if (!context.skipped.empty()) {
    page.table("Clips left out (" + std::to_string(context.skipped.size()) + ")", {"clip", "reason"},
               rows_of(context.skipped));
  }
}

void add_end(HtmlReport& page, const ReportContext& context) {
  page.heading("Limits");
  page.paragraph(limits_statement());
  if (context.command.empty() && context.config.empty()) return;
  page.heading("How it was made");
  if (!context.command.empty()) page.preformatted(context.command);
  if (!context.config.empty()) page.preformatted(context.config);
}

void add_folds(HtmlReport& page, const CrossValidation& cv) {
  page.heading("Folds");
  BarChart chart;
  chart.title = marked(cv.leaky, "UAR of each fold");
  chart.y_label = "UAR (%)";
  chart.reference = 100 * cv.uar.mean;
  chart.reference_label = "mean";
  std::vector<std::vector<std::string>> rows;
  for (const FoldScore& f : cv.folds) {
    std::size_t order = 0;
    while (order < cv.seeds.size() && cv.seeds[order].seed != f.seed) ++order;
    chart.bars.push_back(
        {std::to_string(f.seed) + "/" + std::to_string(f.fold), 100 * f.uar, {}, {}, static_cast<int>(order)});
    rows.push_back({std::to_string(f.seed), std::to_string(f.fold), std::to_string(f.clips), percent(f.uar),
                    percent(f.war), percent(f.macro_f1), percent(f.ece)});
  }
  for (const SeedScore& s : cv.seeds) {
    chart.colours.push_back("seed " + std::to_string(s.seed));
    rows.push_back(
        {std::to_string(s.seed), "mean", "", percent(s.uar), percent(s.war), percent(s.macro_f1), percent(s.ece)});
  }
  page.figure(bar_chart(chart), "One bar per fold, labelled seed/fold.");
  page.table("Per fold", {"seed", "fold", "clips", "UAR (%)", "WAR (%)", "macro-F1 (%)", "ECE (%)"}, rows);
}

void add_ensemble(HtmlReport& page, const EnsembleScore& e) {
  std::vector<std::vector<std::string>> rows;
  for (const FoldScore& f : e.folds) {
    rows.push_back({std::to_string(f.fold), std::to_string(f.clips), percent(f.uar), percent(f.war),
                    percent(f.macro_f1), percent(f.ece)});
  }
  rows.push_back({"mean", "", percent(e.uar), percent(e.war), percent(e.macro_f1), percent(e.ece)});
  page.table("Ensemble of the " + std::to_string(e.members) + " seeds: mean of their calibrated probabilities",
             {"fold", "clips", "UAR (%)", "WAR (%)", "macro-F1 (%)", "ECE (%)"}, rows);
}

}  // namespace

std::string limits_statement() {
  return "The training voices are actors, most of them North American. A score says how a human rater would label the "
         "voice, "
         "not what a person feels; the scientific basis for inferring inner states from a voice is disputed. Telephone "
         "sound, "
         "other languages and spontaneous speech shift the results. Where the model is not sure, the state is "
         "uncertain. Not "
         "for decisions about people.";
}

std::string speaker_chart(const Evaluation& e) {
  BarChart chart;
  chart.title = marked(e.leaky, "UAR of each speaker");
  chart.y_label = "UAR (%)";
  chart.y_high = 100;
  chart.reference = 100 * e.speaker_uar.median;
  chart.reference_label = "median";
  for (const GroupScore& g : e.sexes) chart.colours.push_back(g.name);
  for (const GroupScore& s : e.speakers) {
    const std::string sex = s.sex.empty() ? "unknown" : s.sex;
    int colour = 0;
    while (colour + 1 < static_cast<int>(chart.colours.size()) &&
           chart.colours[static_cast<std::size_t>(colour)] != sex) {
      ++colour;
    }
    chart.bars.push_back({s.name, 100 * s.uar, {}, {}, colour});
  }
  return bar_chart(chart);
}

std::string evaluation_report(const Evaluation& e, const ReportContext& context) {
  HtmlReport page(heading_of(e.title, e.protocol, e.leaky), context.subtitle, e.leaky ? "LEAKY" : "");
  add_warnings(page, e.leaky, context);
  page.heading("Scores");
  add_scores(page, e);
  add_variants(page, context.variants);
  add_classes(page, e);
  add_speakers(page, e);
  add_calibration(page, e);
  add_coverage(page, e);
  add_curves(page, context.curves, e.leaky);
  add_data(page, context);
  add_end(page, context);
  return page.str();
}

std::string cross_validation_report(const CrossValidation& cv, const ReportContext& context) {
  HtmlReport page(heading_of(cv.title, cv.protocol, cv.leaky), context.subtitle, cv.leaky ? "LEAKY" : "");
  add_warnings(page, cv.leaky, context);
  page.heading("Scores");
  const auto row = [](const char* name, const MeanDeviation& m) -> std::vector<std::string> {
    return {name, percent(m.mean), spread(m)};
  };
  page.table("Mean over " + std::to_string(cv.seeds.size()) + " seeds of the means over folds",
             {"score", "mean (%)", "standard deviation over seeds"},
             {row("UAR, unweighted average recall", cv.uar), row("WAR, accuracy", cv.war), row("macro-F1", cv.macro_f1),
              row("ECE at temperature T", cv.ece)});
  if (cv.ensemble) add_ensemble(page, *cv.ensemble);
  page.list(cv.notes);
  add_folds(page, cv);
  page.heading("All folds and seeds pooled");
  add_scores(page, cv.pooled);
  add_variants(page, context.variants);
  add_classes(page, cv.pooled);
  add_speakers(page, cv.pooled);
  add_calibration(page, cv.pooled);
  add_coverage(page, cv.pooled);
  add_curves(page, context.curves, cv.leaky);
  add_data(page, context);
  add_end(page, context);
  return page.str();
}

}  // namespace serene
