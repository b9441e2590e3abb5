#include "serene/train/outcome.h"

namespace serene {

Split chosen_split(const RunConfig& config, const FeatureSet& features) {
  const auto splits = splits_of(config, features);
  for (const Split& s : splits) {
    if (s.fold == config.split.fold) return s;
  }
  if (splits.size() == 1) return splits.front();
  throw Error(ErrorCode::usage, "split.fold", "no such fold in " + config.split.protocol)
      .expected(std::to_string(splits.front().fold) + ".." + std::to_string(splits.back().fold))
      .got(std::to_string(config.split.fold));
}

Outcome finish(Experiment& experiment, Part part) {
  Outcome o;
  o.temperature = experiment.fit_temperature();
  o.uncertain_below = experiment.choose_threshold(o.temperature);
  const Split& split = experiment.split();
  o.predictions = experiment.predict(part == Part::validation ? split.validation : split.test, o.temperature);
  EvaluationOptions options;
  options.title = title_of(experiment.config());
  options.protocol = split.name + (part == Part::validation ? validation_title : "");
  options.leaky = experiment.leaky();
  options.uncertain_below = o.uncertain_below;
  o.evaluation = evaluate(o.predictions, experiment.dataset().label_names(), options);
  return o;
}

}  // namespace serene
