// What a search found, as JSON, as text and as one page. Pure functions.
#pragma once

#include <string>

#include "serene/train/sweep.h"

namespace serene {

// results.json: options, every trial's values and scores, importance, speakers. Holds no times, so it is the same file
// however the search was run.
Json sweep_to_json(const SweepPlan& plan, const SweepResults& results);

// For a terminal: the ten best trials, then what mattered.
std::string sweep_table(const SweepPlan& plan, const SweepResults& results);

// report.html; command: the line that repeats the search.
std::string sweep_report(const SweepPlan& plan, const SweepResults& results, const std::string& command);

// One line for a trial that has finished a rung.
std::string trial_line(const SweepPlan& plan, const SweepTrial& trial, const SweepStanding& standing);

// best.json: the config of the best trial, for serene train. Requires results.best(). Its fold is one of the search.
RunConfig best_config(const SweepPlan& plan, const SweepResults& results);

}  // namespace serene
