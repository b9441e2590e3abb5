#include <algorithm>
#include <cmath>
#include <limits>

#include "serene/core/error.h"
#include "serene/eval/evaluation.h"
#include "serene/eval/text_table.h"

namespace serene {
namespace {

constexpr std::size_t max_columns = 100;

std::string mark_of(const Evaluation& e) { return e.leaky ? "  LEAKY" : ""; }

std::string interval_text(const Interval& i) {
  std::string text = pad_left(percent(i.estimate), 6) + " %";
  if (!i.valid()) return text;
  return text + "   " + fixed(100 * i.level, 0) + " % interval " + percent(i.low) + " to " + percent(i.high) + " (" +
         std::to_string(i.resamples) + " draws of " + std::to_string(i.clusters) + " speakers)";
}

std::string temperature_text(const Evaluation& e) {
  const std::string low = fixed(e.temperature_min, 2), high = fixed(e.temperature_max, 2);
  return "temperature " + (low == high ? low : low + " to " + high);
}

std::string answered_text(const CoveragePoint& p) {
  return "answers " + fixed(100 * p.coverage, 0) + " % of clips: WAR " + percent(p.accuracy) + ", UAR " +
         percent(p.uar) + " %";
}

// At the threshold, else at the point of the curve that is nearest to 80 % of the clips.
std::string certain_text(const Evaluation& e) {
  const std::string area = "; area " + fixed(e.coverage.area, 4);
  if (e.certain) return "at " + fixed(e.certain->threshold, 3) + " " + answered_text(*e.certain) + area;
  const auto off = [](const CoveragePoint& p) { return std::abs(p.coverage - 0.8); };
  const auto nearer = [&](const CoveragePoint& a, const CoveragePoint& b) { return off(a) < off(b); };
  return answered_text(*std::min_element(e.coverage.points.begin(), e.coverage.points.end(), nearer)) + area;
}

std::string summary_text(const Evaluation& e) {
  const std::string mark = mark_of(e);
  std::string text;
  const auto line = [&](const char* name, const std::string& value) {
    text += pad_right(name, 10) + value + mark + "\n";
  };
  line("UAR", interval_text(e.uar));
  line("WAR", interval_text(e.war));
  line("macro-F1", pad_left(percent(e.scores.macro_f1), 6) + " %");
  line("speakers", "UAR min " + percent(e.speaker_uar.min) + ", median " + percent(e.speaker_uar.median) + ", max " +
                       percent(e.speaker_uar.max) + " %");
  for (const GroupScore& g : e.sexes) {
    line(printable(g.name, 9).c_str(), pad_left(percent(g.uar), 6) + " % UAR of " + std::to_string(g.clips) + " clips");
  }
  if (e.sex_gap) {
    line("gap", (*e.sex_gap < 0 ? "" : "+") + percent(*e.sex_gap) + " points UAR, male less female");
  }
  const std::string bins = std::to_string(e.reliability.size()) + " bins";
  line("ECE", pad_left(percent(e.calibrated.ece), 6) + " % (" + bins + ") at " + temperature_text(e) + "; " +
                  percent(e.uncalibrated.ece) + " % uncalibrated");
  line("NLL", pad_left(fixed(e.calibrated.nll, 4), 6) + " nats; " + fixed(e.uncalibrated.nll, 4) + " uncalibrated");
  line("Brier", pad_left(fixed(e.calibrated.brier, 4), 6) + "; " + fixed(e.uncalibrated.brier, 4) + " uncalibrated");
  line("certain", certain_text(e));
  return text;
}

// An end of an interval, NaN (shown as n/a) where there is none.
double bound(const Interval& i, double end) { return i.valid() ? end : std::numeric_limits<double>::quiet_NaN(); }

std::string class_table(const Evaluation& e) {
  TextTable table({"class", "clips", "predicted", "recall %", "precision %", "F1 %"}, mark_of(e));
  for (std::size_t c = 0; c < e.labels.size(); ++c) {
    const ClassScore& s = e.scores.classes[c];
    const bool present = s.support > 0;
    table.row({printable(e.labels[c], 24), std::to_string(s.support), std::to_string(s.predicted),
               present ? percent(s.recall) : "-", s.predicted > 0 ? percent(s.precision) : "-",
               present ? percent(s.f1) : "-"});
  }
  return table.str();
}

std::string confusion_table(const Evaluation& e) {
  // Column headings are cut so that the table fits.
  const std::size_t classes = e.labels.size();
  std::size_t first = 5;
  for (const std::string& label : e.labels) first = std::max(first, std::min<std::size_t>(label.size(), 24));
  const std::size_t room = max_columns - first - mark_of(e).size();
  const std::size_t width = std::max<std::size_t>(3, room / classes > 2 ? room / classes - 2 : 0);
  std::vector<std::string> header = {"truth"};
  for (const std::string& label : e.labels) header.push_back(printable(label.substr(0, width), width));
  TextTable table(header, mark_of(e));
  for (std::size_t r = 0; r < classes; ++r) {
    std::vector<std::string> cells = {printable(e.labels[r], 24)};
    for (std::size_t c = 0; c < classes; ++c) {
      cells.push_back(std::to_string(e.confusion.at(static_cast<Index>(r), static_cast<Index>(c))));
    }
    table.row(cells);
  }
  return table.str();
}

std::string speaker_table(const Evaluation& e) {
  TextTable table({"speaker", "sex", "clips", "UAR %", "WAR %"}, mark_of(e));
  for (const GroupScore& s : e.speakers) {
    table.row({printable(s.name, 24), printable(s.sex, 10), std::to_string(s.clips), percent(s.uar), percent(s.war)});
  }
  return table.str();
}

Json probability_json(const ProbabilityScores& s) { return {{"nll", s.nll}, {"brier", s.brier}, {"ece", s.ece}}; }

Json groups_json(const std::vector<GroupScore>& groups, bool with_sex) {
  Json list = Json::array();
  for (const GroupScore& g : groups) {
    Json item = {{"name", g.name}};
    if (with_sex) item["sex"] = g.sex;
    item["clips"] = g.clips;
    item["uar"] = g.uar;
    item["war"] = g.war;
    list.push_back(std::move(item));
  }
  return list;
}

Json classes_json(const Evaluation& e) {
  Json list = Json::array();
  for (std::size_t c = 0; c < e.labels.size(); ++c) {
    const ClassScore& s = e.scores.classes[c];
    list.push_back({{"label", e.labels[c]},
                    {"support", s.support},
                    {"predicted", s.predicted},
                    {"recall", s.recall},
                    {"precision", s.precision},
                    {"f1", s.f1}});
  }
  return list;
}

Json confusion_json(const ConfusionMatrix& m) {
  Json rows = Json::array();
  for (Index r = 0; r < m.classes; ++r) {
    Json row = Json::array();
    for (Index c = 0; c < m.classes; ++c) row.push_back(m.at(r, c));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Json to_json(const Interval& i) {
  Json json = {{"estimate", i.estimate}};
  json["low"] = i.valid() ? Json(i.low) : Json(nullptr);
  json["high"] = i.valid() ? Json(i.high) : Json(nullptr);
  json["level"] = i.level;
  json["speakers"] = i.clusters;
  json["resamples"] = i.resamples;
  return json;
}

Json to_json(const Evaluation& e) {
  Json json = {{"title", e.title}, {"protocol", e.protocol}, {"leaky", e.leaky}};
  if (e.leaky) json["warning"] = leaky_warning;
  json["clips"] = e.clips;
  json["labels"] = e.labels;
  json["uar"] = to_json(e.uar);
  json["war"] = to_json(e.war);
  json["macro_f1"] = e.scores.macro_f1;
  json["classes_without_clips"] = e.scores.absent;
  json["classes"] = classes_json(e);
  json["confusion"] = confusion_json(e.confusion);
  json["speaker_uar"] = {{"min", e.speaker_uar.min}, {"median", e.speaker_uar.median}, {"max", e.speaker_uar.max}};
  json["speakers"] = groups_json(e.speakers, true);
  json["sexes"] = groups_json(e.sexes, false);
  json["sex_gap_uar"] = e.sex_gap ? Json(*e.sex_gap) : Json(nullptr);
  json["temperature"] = {{"min", e.temperature_min}, {"max", e.temperature_max}};
  json["calibrated"] = probability_json(e.calibrated);
  json["uncalibrated"] = probability_json(e.uncalibrated);
  json["reliability"] = Json::array();
  for (const ReliabilityBin& b : e.reliability) {
    json["reliability"].push_back(
        {{"low", b.low}, {"high", b.high}, {"count", b.count}, {"confidence", b.confidence}, {"accuracy", b.accuracy}});
  }
  json["coverage"] = to_json(e.coverage);
  if (e.certain) json["certain"] = to_json(*e.certain);
  json["notes"] = e.notes;
  return json;
}

std::string to_table(const Evaluation& e) {
  std::string text = heading_of(e.title, e.protocol, e.leaky) + "\n";
  if (e.leaky) text += std::string(leaky_warning) + "\n";
  text += std::to_string(e.clips) + " clips, " + std::to_string(e.speakers.size()) + " speakers, " +
          std::to_string(e.labels.size()) + " classes" + mark_of(e) + "\n\n";
  text += summary_text(e) + "\n" + class_table(e) + "\nconfusion: rows truth, columns prediction\n" +
          confusion_table(e) + "\n" + speaker_table(e);
  for (const std::string& note : e.notes) text += "note: " + note + "\n";
  return text;
}

std::string to_comparison(std::span<const Evaluation> evaluations) {
  struct Row {
    const char* name;
    double (*figure)(const Evaluation&);
  };
  static constexpr Row rows[] = {{"UAR %", [](const Evaluation& e) { return e.scores.uar; }},
                                 {"UAR low %", [](const Evaluation& e) { return bound(e.uar, e.uar.low); }},
                                 {"UAR high %", [](const Evaluation& e) { return bound(e.uar, e.uar.high); }},
                                 {"WAR %", [](const Evaluation& e) { return e.scores.war; }},
                                 {"macro-F1 %", [](const Evaluation& e) { return e.scores.macro_f1; }},
                                 {"worst speaker %", [](const Evaluation& e) { return e.speaker_uar.min; }},
                                 {"ECE %", [](const Evaluation& e) { return e.calibrated.ece; }}};
  std::vector<std::string> header = {""};
  for (const Evaluation& e : evaluations) header.push_back(heading_of(e.title, e.protocol, e.leaky));
  TextTable table(header);
  for (const Row& row : rows) {
    std::vector<std::string> cells = {row.name};
    for (const Evaluation& e : evaluations) cells.push_back(percent(row.figure(e)) + (e.leaky ? " LEAKY" : ""));
    table.row(cells);
  }
  return table.str();
}

}  // namespace serene
