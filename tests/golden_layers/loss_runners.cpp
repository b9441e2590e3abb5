// Losses against the reference vectors.
#include <string>
#include <utility>
#include <vector>

#include "golden_case.h"
#include "serene/nn/loss.h"

namespace serene::golden {
namespace {

LossOptions options_of(const GoldenCase& c) {
  LossOptions options;
  const std::string kind = c.text("kind");
  if (kind != "ce" && kind != "focal") throw Error(ErrorCode::input, c.name, "unknown kind of loss").got(kind);
  options.kind = kind == "focal" ? LossOptions::Kind::focal : LossOptions::Kind::cross_entropy;
  options.label_smoothing = c.number("label_smoothing");
  options.gamma = c.number("gamma");
  if (c.boolean("class_weights")) options.class_weights = c.get<double>("aux.class_weights");
  if (c.boolean("alpha")) options.alpha = c.get<double>("aux.alpha");
  const std::string mean = c.text("normalise");
  options.weighted_mean = mean.rfind("sum/sum(weights)", 0) == 0;
  if (!options.weighted_mean && mean.rfind("sum/B", 0) != 0) {
    throw Error(ErrorCode::input, c.name, "unknown way to normalise").got(mean);
  }
  return options;
}

template <class S>
void run_loss(const GoldenCase& c, GoldenCheck<S>& check) {
  const std::vector<S> logits = c.get<S>("in.logits");
  const std::vector<Index> labels = c.get<Index>("aux.labels");
  const Index batch = static_cast<Index>(labels.size()), classes = static_cast<Index>(logits.size()) / batch;
  const ClassificationLoss loss(options_of(c), classes);
  std::vector<double> losses(labels.size());
  std::vector<S> probabilities(logits.size()), gradient(logits.size());

  // In two shards, as training does it.
  const double divisor = loss.divisor(batch, Targets<S>{labels.data(), nullptr});
  double total = 0;
  const Index first = batch / 2;
  for (const auto& [from, count] : {std::pair{Index(0), first}, std::pair{first, batch - first}}) {
    total += loss.run(
        count, logits.data() + from * classes, Targets<S>{labels.data() + from, nullptr}, divisor,
        LossOutputs<S>{losses.data() + from, probabilities.data() + from * classes, gradient.data() + from * classes});
  }
  check.equal("out.loss", &total, 1);
  check.equal("out.per_sample", losses.data(), batch);
  check.equal("out.probs", probabilities.data(), batch * classes);
  check.equal("grad_in.logits", gradient.data(), batch * classes);
}
const RegisterRunner loss_runner("Loss", run_loss<double>, run_loss<float>);

}  // namespace
}  // namespace serene::golden
