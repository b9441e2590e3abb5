// Folding: the same answers from fewer layers.
#include "serene/nn/fold.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "model_fixture.h"
#include "serene/nn/executor.h"
#include "serene/nn/model_builder.h"

namespace serene {
namespace {

using test::TestBatch;

// Batch norms in every place: after linear layers with and without bias, before dense and valid convolutions, and where
// they must stay.
constexpr const char* kNorms = R"({"layers": [
  {"type": "batch_norm", "name": "on_input"},
  {"type": "conv1d", "name": "narrow", "filters": 7, "kernel_size": 3, "strides": 2, "dilation_rate": 1},
  {"type": "batch_norm", "name": "after_conv"},
  {"type": "activation", "name": "bend", "activation": "relu"},
  {"type": "batch_norm", "name": "stays"},
  {"type": "conv1d", "name": "same", "filters": 6, "kernel_size": 3, "padding": "same", "use_bias": false},
  {"type": "dropout", "name": "out", "rate": 0.5},
  {"type": "batch_norm", "name": "after_same", "epsilon": 0.01},
  {"type": "activation", "name": "nothing", "activation": "linear"},
  {"type": "activation", "name": "curve", "activation": "tanh"},
  {"type": "batch_norm", "name": "before_valid"},
  {"type": "spatial_dropout1d", "name": "channels_out", "rate": 0.2},
  {"type": "conv1d", "name": "valid", "filters": 5, "kernel_size": 2, "dilation_rate": 2, "activation": "elu",
   "use_bias": false},
  {"type": "residual", "name": "block", "activation": "relu", "layers": [
    {"type": "dropout", "name": "d"},
    {"type": "conv1d", "name": "c", "filters": 9, "kernel_size": 3, "padding": "same"},
    {"type": "batch_norm", "name": "n"},
    {"type": "activation", "name": "a", "activation": "gelu"},
    {"type": "residual", "name": "inner", "layers": [
      {"type": "dense", "name": "c", "units": 9, "use_bias": false},
      {"type": "batch_norm", "name": "n"}]}]},
  {"type": "global_average_pooling1d", "name": "gap"},
  {"type": "dense", "name": "mix", "units": 8, "activation": "relu"},
  {"type": "batch_norm", "name": "whole"},
  {"type": "dropout", "name": "last", "rate": 0.25},
  {"type": "dense", "name": "logits", "units": "classes"}]})";

// The same over grids: statistics of maps and of channels, in front of and behind products.
constexpr const char* kGridNorms = R"({"layers": [
  {"type": "batch_norm", "name": "on_input", "channels": 1},
  {"type": "conv2d", "name": "valid", "filters": 4, "kernel_size": [3, 2], "strides": [2, 1]},
  {"type": "batch_norm", "name": "of_maps", "channels": 4},
  {"type": "activation", "name": "bend", "activation": "relu"},
  {"type": "batch_norm", "name": "stays", "channels": 4},
  {"type": "conv2d", "name": "same", "filters": 6, "kernel_size": 3, "padding": "same", "use_bias": false},
  {"type": "dropout", "name": "out"},
  {"type": "batch_norm", "name": "of_pairs", "channels": 2},
  {"type": "activation", "name": "shares", "activation": "softmax"},
  {"type": "max_pooling2d", "name": "smaller", "pool_size": [1, 2]},
  {"type": "conv2d", "name": "point", "filters": 3, "kernel_size": 1},
  {"type": "batch_norm", "name": "of_channels"},
  {"type": "average_pooling2d", "name": "mean", "pool_size": [2, 1], "strides": 1},
  {"type": "batch_norm", "name": "before_dense", "channels": 3},
  {"type": "dense", "name": "mix", "units": 6, "activation": "tanh"},
  {"type": "global_average_pooling1d", "name": "gap"},
  {"type": "dense", "name": "logits", "units": "classes"}]})";

constexpr Index kInputs = 5, kClasses = 4;

template <class S>
Model<S> built(const Json& graph) {
  return build_model<S>(graph, kInputs, kClasses, "model");
}

template <class S>
std::vector<S> answers(const Model<S>& model, const std::vector<S>& params, SeqView<const S> x) {
  ThreadPool pool(1);
  Executor<S> run(model, {.max_batch = x.shape.batch, .max_time = x.shape.time}, pool);
  const auto y = run.forward(params, x);
  return {y.data, y.data + y.shape.size()};
}

template <class S>
double largest_difference(const std::vector<S>& a, const std::vector<S>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0, size = 1e-30;
  for (const S v : a) size = std::max(size, std::abs(static_cast<double>(v)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])) / size;
    if (!(d <= worst)) worst = d;
  }
  return worst;
}

template <class S>
void check_same_answers(const Json& graph, const std::string& what, double tolerance) {
  const Model<S> model = built<S>(graph);
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const auto params = test::test_params(model, seed);
    const Folded<S> folded = fold<S>(model, params);
    const TestBatch<S> batch(seed, 40, kInputs, {40, 17, 33, 12});
    const auto expected = answers(model, params, batch.view()),
               got = answers(folded.model, folded.params, batch.view());
    const double worst = largest_difference(expected, got);
    CHECK_MESSAGE(worst < tolerance, what << ", seed " << seed << ": " << worst);
  }
}

std::string names_of(const Model<float>& model) {
  std::string text;
  for (Index i = 0; i < model.layer_count(); ++i) text += (i == 0 ? "" : " ") + model.name(i);
  return text;
}

}  // namespace

TEST_CASE("fold: the same answers, in double and in float") {
  check_same_answers<double>(parse_json(kNorms, "norms"), "norms", 1e-12);
  check_same_answers<float>(parse_json(kNorms, "norms"), "norms", 1e-5);
  for (const std::string& ending : test::endings()) {
    check_same_answers<double>(test::every_layer_graph(ending), ending, 1e-12);
    check_same_answers<float>(test::every_layer_graph(ending), ending, 2e-5);
  }
}

TEST_CASE("fold: layers without effect vanish, the others keep their names") {
  const Model<float> model = built<float>(parse_json(kNorms, "norms"));
  const Folded<float> folded = fold<float>(model, test::test_params(model, 1));
  // A batch norm before a valid convolution goes into it; what stays is the one between relu and "same" padding.
  CHECK(names_of(folded.model) == "narrow stays same valid block gap mix logits");
  CHECK(folded.model.layer(0).summary().find("relu") != std::string::npos);
  CHECK(folded.model.layer(2).summary().find("tanh") != std::string::npos);
  CHECK(folded.model.layer(4).summary() == "conv1d > residual + conv1d, relu");
  CHECK(folded.model.parameter_count() < model.parameter_count());
}

TEST_CASE("fold: model_strong loses its batch norm and nothing else changes a bit") {
  const Json graph = test::model_strong_graph();
  const Model<float> model = build_model<float>(graph, 40, 8, "model");
  const auto params = test::test_params(model, 4);
  const Folded<float> folded = fold<float>(model, params);
  CHECK(names_of(folded.model) == "conv1 pool1 conv2 pool2 lstm1 attn1 lstm2 attn2 gap dense1 dense2");
  std::size_t same = 0;
  for (const ParameterEntry& e : folded.model.layout().entries) {
    for (const ParameterEntry& old : model.layout().entries) {
      if (old.name != e.name) continue;
      same += std::memcmp(params.data() + old.offset, folded.params.data() + e.offset,
                          static_cast<std::size_t>(e.spec.size()) * sizeof(float)) == 0;
    }
  }
  CHECK(same == folded.model.layout().entries.size() - 2);  // kernel and bias of dense2
}

TEST_CASE("fold: padding and the rest of the batch do not show") {
  const Model<float> model = built<float>(parse_json(kNorms, "norms"));
  const Folded<float> folded = fold<float>(model, test::test_params(model, 6));
  const TestBatch<float> wide(6, 40, kInputs, {40, 17, 0, 12});
  const auto together = answers(folded.model, folded.params, wide.view());
  for (Index b = 0; b < 4; ++b) {
    const Index n = wide.lengths[static_cast<std::size_t>(b)];
    if (n == 0) continue;
    const auto alone = answers(folded.model, folded.params, {wide.view().sample(b), {1, n, kInputs}, nullptr});
    CHECK(std::memcmp(alone.data(), together.data() + b * kClasses, kClasses * sizeof(float)) == 0);
  }
  for (const float v : together) CHECK(std::isfinite(v));
}

TEST_CASE("fold: batch norms over maps go into conv2d, those over single channels stay") {
  const Json graph = parse_json(kGridNorms, "grids");
  check_same_answers<double>(graph, "grids", 1e-12);
  check_same_answers<float>(graph, "grids", 1e-5);
  const Model<float> model = built<float>(graph);
  const Folded<float> folded = fold<float>(model, test::test_params(model, 1));
  CHECK(names_of(folded.model) == "valid stays same shares smaller point of_channels mean mix gap logits");
  CHECK(folded.model.layer(0).summary() == "4 filters, kernel 3 x 2, stride 2 x 1, valid, relu, 5 frequencies to 4");
}

TEST_CASE("fold: a block of dropout alone stays a block") {
  const Json graph = parse_json(R"({"layers": [
    {"type": "residual", "name": "block", "layers": [{"type": "dropout", "name": "d"}, {"type": "dropout", "name": "e"}]},
    {"type": "global_max_pooling1d", "name": "gap"}, {"type": "dense", "name": "out", "units": "classes"}]})",
                                "block");
  check_same_answers<float>(graph, "block", 1e-6);
}

TEST_CASE("fold: biases that are added find room, and gaps hold zeros") {
  const Json graph = parse_json(R"({"layers": [
    {"type": "batch_norm", "name": "n1"}, {"type": "dense", "name": "wide", "units": 200, "use_bias": false},
    {"type": "activation", "name": "bend", "activation": "relu"},
    {"type": "batch_norm", "name": "n2"}, {"type": "dense", "name": "thin", "units": 3, "use_bias": false},
    {"type": "global_max_pooling1d", "name": "gap"}, {"type": "dense", "name": "out", "units": "classes"}]})",
                                "biases");
  check_same_answers<double>(graph, "biases", 1e-12);
  for (const Json& g : {graph, parse_json(kNorms, "norms")}) {
    const Model<float> model = built<float>(g);
    const Folded<float> folded = fold<float>(model, test::test_params(model, 1));
    std::vector<float> gaps = folded.params;
    for (const ParameterEntry& e : folded.model.layout().entries)
      std::fill_n(gaps.begin() + e.offset, e.spec.size(), 0.0f);
    CHECK(std::all_of(gaps.begin(), gaps.end(), [](float v) { return v == 0; }));
    CHECK(static_cast<Index>(folded.params.size()) == folded.model.layout().size);
  }
}

TEST_CASE("fold: depthwise and separable convolutions, shortcuts and highways take their batch norms in") {
  const Json graph = parse_json(R"({"layers": [
    {"type": "batch_norm", "name": "first"},
    {"type": "depthwise_conv1d", "name": "each", "kernel_size": 3, "use_bias": false},
    {"type": "batch_norm", "name": "after_each"}, {"type": "activation", "name": "bend", "activation": "swish"},
    {"type": "gaussian_noise", "name": "hiss"},
    {"type": "batch_norm", "name": "before"},
    {"type": "separable_conv1d", "name": "sep", "filters": 6, "kernel_size": 2, "use_bias": false},
    {"type": "batch_norm", "name": "after"},
    {"type": "residual", "name": "block", "activation": "relu", "drop_path": 0.5, "layers": [
      {"type": "conv1d", "name": "a", "filters": 7, "kernel_size": 3, "strides": 2, "padding": "same"},
      {"type": "batch_norm", "name": "n"}], "shortcut": [
      {"type": "average_pooling1d", "name": "pool", "pool_size": 2, "padding": "same"},
      {"type": "gaussian_noise", "name": "hiss"},
      {"type": "conv1d", "name": "c", "filters": 7, "kernel_size": 1},
      {"type": "batch_norm", "name": "n"}]},
    {"type": "highway", "name": "gated", "layers": [
      {"type": "dense", "name": "d", "units": 7}, {"type": "batch_norm", "name": "n"},
      {"type": "activation", "name": "t", "activation": "tanh"}, {"type": "dropout", "name": "o"}]},
    {"type": "global_average_pooling1d", "name": "gap"},
    {"type": "dense", "name": "logits", "units": "classes"}]})",
                                "graph");
  check_same_answers<double>(graph, "new layers", 1e-12);
  check_same_answers<float>(graph, "new layers", 1e-5);
  const Model<float> model = built<float>(graph);
  const Folded<float> folded = fold<float>(model, test::test_params(model, 1));
  CHECK(names_of(folded.model) == "each sep.depthwise sep.pointwise block gated gap logits");
  CHECK(folded.model.layer(0).summary() == "kernel 3, valid, swish");
  CHECK(folded.model.layer(3).summary() == "conv1d + average_pooling1d > conv1d, relu");
  CHECK(folded.model.layer(4).summary() == "dense, gated");
}

TEST_CASE("fold: parameters of another model are refused") {
  const Model<float> model = built<float>(parse_json(kNorms, "norms"));
  CHECK_THROWS_AS(fold<float>(model, std::vector<float>(7)), Error);
}

}  // namespace serene
