// The reports of an evaluation and of a cross-validation as one HTML page each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "serene/eval/charts.h"
#include "serene/eval/cross_validation.h"
#include "serene/eval/evaluation.h"

namespace serene {

// What stands beside the scores; empty parts are left out.
struct ReportContext {
  std::string subtitle;                                   // such as the version and the date the caller wants to show
  std::string command;                                    // that made the report
  std::string config;                                     // resolved, as text
  std::vector<std::pair<std::string, std::string>> data;  // facts about the data: name, value
  std::vector<std::pair<std::string, std::string>> skipped;  // clips left out: clip, reason
  std::vector<std::string> warnings;
  LearningCurves curves;
  std::vector<Evaluation> variants;  // for comparison in columns of their own, such as per-speaker normalisation
};

// What the scores do not say; stands in every report and model card.
std::string limits_statement();

// One HTML page that needs no other file. Thread-safe.
std::string evaluation_report(const Evaluation& evaluation, const ReportContext& context = {});
std::string cross_validation_report(const CrossValidation& summary, const ReportContext& context = {});

// UAR of each speaker as bars, coloured by sex.
std::string speaker_chart(const Evaluation& evaluation);

}  // namespace serene
