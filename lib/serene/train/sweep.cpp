#include "serene/train/sweep.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "serene/core/jobs.h"
#include "serene/train/sweep_halving.h"

namespace serene {
namespace {

bool restores_best(const SweepTrial& trial) { return trial.config.train.early_stopping.restore_best; }

double score_at(const SweepPlan& plan, const SweepTrial& trial, const SweepRecord& record, std::size_t rung) {
  return trial_score(record, plan.budget(trial, rung), restores_best(trial));
}

bool all_complete(const SweepPlan& plan, const std::vector<SweepRecord>& records,
                  const std::vector<std::size_t>& members, std::size_t rung) {
  return std::all_of(members.begin(), members.end(),
                     [&](std::size_t t) { return records[t].complete(plan.budget(plan.trials[t], rung)); });
}

std::vector<double> mean_curve(const SweepRecord& record, std::int64_t epochs) {
  std::vector<double> curve;
  for (std::size_t e = 0; e < static_cast<std::size_t>(epochs); ++e) {
    double sum = 0, runs = 0;
    for (const SweepRun& run : record.runs) {
      if (e < run.history.size()) sum += run.history[e].val_uar, runs += 1;
    }
    if (runs > 0) curve.push_back(sum / runs);
  }
  return curve;
}

SweepStanding standing_of(const SweepPlan& plan, const SweepTrial& trial, const SweepRecord& record, int rung) {
  SweepStanding s;
  s.trial = trial.number;
  s.rung = rung;
  s.seconds = record.seconds();
  if (rung < 0) {
    s.score = s.first_score = std::nan("");
    return s;
  }
  const std::int64_t budget = plan.budget(trial, static_cast<std::size_t>(rung));
  s.epochs = record.epochs(budget);
  s.score = score_at(plan, trial, record, static_cast<std::size_t>(rung));
  s.first_score = score_at(plan, trial, record, 0);
  s.failure = record.failure(budget);
  s.curve = mean_curve(record, s.epochs);
  return s;
}

bool ranks_before(const SweepStanding& a, const SweepStanding& b) {
  const bool scored_a = std::isfinite(a.score), scored_b = std::isfinite(b.score);
  if (scored_a != scored_b) return scored_a;
  if (a.rung != b.rung) return a.rung > b.rung;
  if (scored_a && a.score != b.score) return a.score > b.score;
  return a.trial < b.trial;
}

std::vector<SweepImportance> importance_of(const SweepPlan& plan, const std::vector<SweepStanding>& standings) {
  std::vector<double> scores;
  for (const SweepStanding& s : standings) scores.push_back(s.first_score);
  std::vector<SweepImportance> list;
  for (std::size_t i = 0; i < plan.space.dimensions.size(); ++i) {
    std::vector<std::optional<Json>> values;
    for (const SweepTrial& trial : plan.trials) values.push_back(trial.values[i]);
    list.push_back(sweep_importance(plan.space.dimensions[i], values, scores));
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const SweepImportance& a, const SweepImportance& b) { return a.share > b.share; });
  return list;
}

std::vector<SweepRecord> load_all(const SweepPlan& plan, const SweepStore& store) {
  std::vector<SweepRecord> records;
  for (const SweepTrial& trial : plan.trials) records.push_back(store.load(plan, trial));
  return records;
}

}  // namespace

std::vector<std::vector<std::size_t>> sweep_rungs(const SweepPlan& plan, const std::vector<SweepRecord>& records) {
  std::vector<std::vector<std::size_t>> rungs(1);
  for (const SweepTrial& trial : plan.trials) rungs[0].push_back(trial.number);
  while (rungs.size() < plan.budgets.size() && all_complete(plan, records, rungs.back(), rungs.size() - 1)) {
    const std::size_t rung = rungs.size() - 1;
    std::vector<double> scores;
    for (const std::size_t t : rungs.back()) scores.push_back(score_at(plan, plan.trials[t], records[t], rung));
    auto next = rung_survivors(rungs.back(), scores, rung_size(plan.trials.size(), plan.options.eta, rung + 1));
    if (next.empty()) break;
    rungs.push_back(std::move(next));
  }
  return rungs;
}

const SweepStanding* SweepResults::best() const {
  return ranked.empty() || !std::isfinite(ranked.front().score) ? nullptr : &ranked.front();
}

void Sweep::run_rung(const std::vector<std::size_t>& members, std::size_t rung, int jobs, int threads,
                     const OnTrial& on_trial) {
  const int at_once = std::clamp(jobs, 1, static_cast<int>(std::max<std::size_t>(members.size(), 1)));
  std::mutex telling;
  Jobs work;
  work.run(at_once, members.size(), [&](std::size_t i) {
    const SweepTrial& trial = plan_.trials[members[i]];
    ThreadPool pool(std::max(1, threads / at_once));
    const SweepRecord record = advance_trial(plan_, trial, plan_.budget(trial, rung), store_, pool, work.stop());
    if (work.stop() || !on_trial) return;
    const std::lock_guard lock(telling);
    on_trial(trial, standing_of(plan_, trial, record, static_cast<int>(rung)));
  });
}

void Sweep::run(int jobs, int threads, const OnTrial& on_trial) {
  store_.make_folder();
  store_.clean();
  for (std::size_t rung = 0; rung < plan_.budgets.size(); ++rung) {
    std::vector<SweepRecord> records = load_all(plan_, store_);
    const auto rungs = sweep_rungs(plan_, records);
    if (rung >= rungs.size()) break;
    std::vector<std::size_t> missing;
    for (const std::size_t t : rungs[rung]) {
      if (!records[t].complete(plan_.budget(plan_.trials[t], rung))) missing.push_back(t);
    }
    run_rung(missing, rung, jobs, threads, on_trial);
    // The state of a trial that does not go on is of no more use.
    records = load_all(plan_, store_);
    const auto after = sweep_rungs(plan_, records);
    for (const std::size_t t : rungs[rung]) {
      const bool goes_on = rung + 1 < after.size() &&
                           std::find(after[rung + 1].begin(), after[rung + 1].end(), t) != after[rung + 1].end();
      if (!goes_on) store_.remove_states(plan_.trials[t], records[t]);
    }
  }
}

void Sweep::run_one(std::size_t trial, ThreadPool& pool, const OnTrial& on_trial) {
  if (trial >= plan_.trials.size()) {
    throw Error(ErrorCode::usage, "--trial", "no such trial")
        .expected("0.." + std::to_string(plan_.trials.size() - 1))
        .got(std::to_string(trial));
  }
  store_.make_folder();
  const SweepTrial& t = plan_.trials[trial];
  const std::atomic<bool> never{false};
  for (std::size_t rung = 0; rung < plan_.budgets.size(); ++rung) {
    const std::vector<SweepRecord> records = load_all(plan_, store_);
    const auto rungs = sweep_rungs(plan_, records);
    if (rung >= rungs.size()) return;  // the others are not there yet
    if (std::find(rungs[rung].begin(), rungs[rung].end(), trial) == rungs[rung].end()) {
      store_.remove_states(t, records[trial]);
      return;
    }
    if (records[trial].complete(plan_.budget(t, rung))) continue;
    const SweepRecord record = advance_trial(plan_, t, plan_.budget(t, rung), store_, pool, never);
    if (on_trial) on_trial(t, standing_of(plan_, t, record, static_cast<int>(rung)));
  }
}

SweepResults Sweep::results() const {
  const std::vector<SweepRecord> records = load_all(plan_, store_);
  const auto rungs = sweep_rungs(plan_, records);
  std::vector<int> reached(plan_.trials.size(), -1);
  for (std::size_t rung = 0; rung < rungs.size(); ++rung) {
    for (const std::size_t t : rungs[rung]) {
      if (records[t].complete(plan_.budget(plan_.trials[t], rung))) reached[t] = static_cast<int>(rung);
    }
  }
  SweepResults results;
  for (const SweepTrial& trial : plan_.trials) {
    results.ranked.push_back(standing_of(plan_, trial, records[trial.number], reached[trial.number]));
    results.missing += reached[trial.number] < 0;
  }
  results.importance = importance_of(plan_, results.ranked);
  std::sort(results.ranked.begin(), results.ranked.end(), ranks_before);
  results.complete = all_complete(plan_, records, rungs.back(), rungs.size() - 1);  // no rung follows that could be
  return results;
}

}  // namespace serene
