#include "serene/eval/evaluation.h"

#include <algorithm>
#include <map>
#include <set>

#include "serene/core/error.h"

namespace serene {
namespace {

void check_labels(const std::vector<std::string>& labels) {
  const std::set<std::string> unique(labels.begin(), labels.end());
  if (labels.empty() || unique.size() != labels.size() || unique.count("") != 0) {
    throw Error(ErrorCode::input, "labels", "are missing, empty or repeated");
  }
}

// Scores of the groups that key(prediction) makes, sorted by name.
template <class Key>
std::vector<GroupScore> group_scores(std::span<const Prediction> predictions, Index classes, const Key& key) {
  struct Group {
    ConfusionMatrix matrix;
    std::string sex;
  };
  std::map<std::string, Group> groups;
  for (const Prediction& p : predictions) {
    Group& group =
        groups.try_emplace(key(p).empty() ? "unknown" : key(p), Group{ConfusionMatrix(classes), p.sex}).first->second;
    ++group.matrix.at(p.truth, predicted_class(p));
  }
  std::vector<GroupScore> scores;
  for (const auto& [name, group] : groups) {
    scores.push_back({name, group.sex, static_cast<Index>(group.matrix.total()),
                      unweighted_average_recall(group.matrix), accuracy(group.matrix)});
  }
  return scores;
}

const GroupScore* find_group(const std::vector<GroupScore>& groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const GroupScore& g) { return g.name == name; });
  return found != groups.end() ? &*found : nullptr;
}

std::vector<std::string> notes_of(const Evaluation& e) {
  std::vector<std::string> notes;
  for (std::size_t c = 0; c < e.labels.size(); ++c) {
    const ClassScore& s = e.scores.classes[c];
    const std::string name = "class " + printable(e.labels[c], 40);
    if (s.support == 0) {
      notes.push_back(name + " has no clips and is left out of the means" +
                      (s.predicted > 0 ? ", but was predicted " + std::to_string(s.predicted) + " times" : ""));
    } else if (s.predicted == 0) {
      notes.push_back(name + " was never predicted; its precision counts as 0");
    }
  }
  if (!e.uar.valid()) notes.push_back("one speaker only: no interval");
  if (find_group(e.sexes, "unknown") != nullptr) notes.push_back("the sex of some speakers is unknown");
  return notes;
}

}  // namespace

Evaluation evaluate(std::span<const Prediction> predictions, const std::vector<std::string>& labels,
                    const EvaluationOptions& options) {
  check_labels(labels);
  const Index classes = static_cast<Index>(labels.size());
  check_predictions(predictions, classes);
  Evaluation e;
  e.title = options.title;
  e.protocol = options.protocol;
  e.leaky = options.leaky;
  e.labels = labels;
  e.clips = static_cast<Index>(predictions.size());
  e.confusion = confusion_matrix(predictions, classes);
  e.scores = score(e.confusion);
  e.uar = bootstrap_speakers(predictions, classes, unweighted_average_recall, options.bootstrap);
  e.war = bootstrap_speakers(predictions, classes, accuracy, options.bootstrap);

  e.speakers = group_scores(predictions, classes, [](const Prediction& p) { return p.speaker; });
  std::vector<double> recalls;
  for (const GroupScore& s : e.speakers) recalls.push_back(s.uar);
  e.speaker_uar = min_median_max(recalls);
  e.sexes = group_scores(predictions, classes, [](const Prediction& p) { return p.sex; });
  const GroupScore* male = find_group(e.sexes, "male");
  const GroupScore* female = find_group(e.sexes, "female");
  if (male != nullptr && female != nullptr) e.sex_gap = male->uar - female->uar;

  const auto [coolest, hottest] =
      std::minmax_element(predictions.begin(), predictions.end(),
                          [](const auto& a, const auto& b) { return a.temperature < b.temperature; });
  e.temperature_min = coolest->temperature;
  e.temperature_max = hottest->temperature;
  e.uncalibrated = probability_scores(predictions, Calibrated::no, options.bins);
  e.calibrated = probability_scores(predictions, Calibrated::yes, options.bins);
  e.reliability = reliability_bins(predictions, Calibrated::yes, options.bins);
  e.coverage = coverage_curve(predictions, classes);
  if (options.uncertain_below > 0) e.certain = coverage_at(predictions, classes, options.uncertain_below);
  e.notes = notes_of(e);
  return e;
}

std::string heading_of(const std::string& title, const std::string& protocol, bool leaky) {
  std::string text = leaky ? "LEAKY: " : "";
  text += title.empty() ? "evaluation" : printable(title);
  if (!protocol.empty()) text += ", protocol " + printable(protocol);
  return text;
}

}  // namespace serene
