#include "serene/io/onnx_export.h"

#include "serene/io/model_texts.h"
#include "serene/io/onnx_layers.h"
#include "serene/nn/fold.h"

namespace serene {
namespace {

OnnxValue add_normalizer(OnnxGraph& g, const Normalizer& normalizer, const OnnxValue& x) {
  // (x - mean) scale in two steps, as training did it; x scale - mean scale would round differently.
  const std::string mean = g.constant("mean", {x.channels}, normalizer.mean);
  const std::string scale = g.constant("scale", {x.channels}, normalizer.scale);
  return {g.node("Mul", {g.node("Sub", {x.name, mean}), scale}), x.channels};
}

// Logits (batch, classes) of one model. prefix stands before the names of its layers.
std::string add_logits(OnnxGraph& g, const Checkpoint& c, const std::string& prefix, OnnxValue x, bool normalizer) {
  if (normalizer && !c.normalizer.mean.empty()) {
    g.scope(prefix + "normalizer");
    x = add_normalizer(g, c.normalizer, x);
  }
  const Folded<float> folded = fold(build_model_of(c), c.params);
  for (Index i = 0; i < folded.model.layer_count(); ++i) {
    g.scope(prefix + folded.model.name(i));
    x = add_onnx_layer(g, folded.model.layer(i), folded.model.params(i, folded.params.data()), x);
  }
  g.scope(prefix + "answer");
  return g.node("Squeeze", {in_axes(g, x, "btc").name, g.integers({1})});
}

std::string add_softmax(OnnxGraph& g, std::string logits, double temperature) {
  if (temperature != 1) logits = g.node("Div", {logits, g.scalar(static_cast<float>(temperature))});
  return g.node("Softmax", {logits}, {{"axis", Index{-1}}});
}

// The weighted mean of the members' probabilities at the ensemble's temperature; see io/ensemble.h.
std::string add_mixture(OnnxGraph& g, const Ensemble& e, const OnnxValue& x, bool normalizer) {
  std::string sum;
  for (std::size_t m = 0; m < e.members.size(); ++m) {
    const Checkpoint& c = e.members[m];
    std::string p = add_logits(g, c, "member" + std::to_string(m) + "/", x, normalizer);
    p = add_softmax(g, p, c.temperature);
    const std::vector<int> to = label_places(c.labels, e.labels);
    std::vector<Index> from(to.size());
    for (std::size_t k = 0; k < to.size(); ++k) from[static_cast<std::size_t>(to[k])] = static_cast<Index>(k);
    if (c.labels != e.labels) p = g.node("Gather", {p, g.integers(from)}, {{"axis", Index{1}}});
    p = g.node("Mul", {p, g.scalar(static_cast<float>(e.weights[m]))});
    sum = m == 0 ? p : g.node("Add", {sum, p});
  }
  g.scope("mixture");
  if (e.temperature == 1) return sum;
  const std::string sharp = g.node("Pow", {sum, g.scalar(static_cast<float>(1 / e.temperature))});
  return g.node("Div", {sharp, g.node("ReduceSum", {sharp, g.integers({1})})});
}

void check_members(const Ensemble& e, const OnnxOptions& options) {
  if (e.single()) return;
  if (options.logits) {
    throw Error(ErrorCode::usage, "onnx", "an ensemble has no logits: it answers with a mean of probabilities");
  }
  const Checkpoint& first = e.members.front();
  for (const Checkpoint& c : e.members) {
    if (c.features != first.features || c.input_channels != first.input_channels) {
      throw Error(ErrorCode::usage, "onnx", "the members hear different features, and a graph has one input")
          .hint("export them one by one");
    }
    if (!options.normalizer && c.normalizer != first.normalizer) {
      throw Error(ErrorCode::usage, "onnx", "the members standardise differently")
          .hint("with the normaliser in the graph they can share their input");
    }
  }
}

}  // namespace

std::string onnx_file(const Ensemble& e, const OnnxOptions& options) {
  check_members(e, options);
  OnnxGraph g;
  const Checkpoint& first = e.members.front();
  const OnnxValue x{"features", first.input_channels};
  g.input(x.name, {-1, -1, first.input_channels}, {"batch", "frames", ""});
  std::string y;
  if (e.single()) {
    y = add_logits(g, first, "", x, options.normalizer);
    if (!options.logits) y = add_softmax(g, y, first.temperature);
  } else {
    y = add_mixture(g, e, x, options.normalizer);
  }
  g.output(y, options.logits ? "logits" : "probabilities", {-1, static_cast<Index>(e.labels.size())}, {"batch", ""});
  for (const auto& [key, text] : model_texts(e)) g.metadata(key, text);
  if (options.normalizer) g.metadata("normalizer", "in the graph");
  g.metadata("output", options.logits ? "logits" : "probabilities");
  const auto name = e.notes.find("name");
  return g.file(name == e.notes.end() ? "serene" : name->second);
}

}  // namespace serene
