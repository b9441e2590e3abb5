// Writes models of every layer type as ONNX, with inputs and the answers that serene gives to them:
//
//   onnx_cases FOLDER     ->  FOLDER/<case>.onnx, FOLDER/cases.json
//
// cases.json: [{"name", "output", "runs": [{"batch", "frames", "features", "x": [...], "y": [...]}]}]. For
// onnx_runtime.mjs and onnx_checker.py, which know nothing of serene.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "../nn/model_fixture.h"
#include "serene/core/random.h"
#include "serene/io/atomic_file.h"
#include "serene/io/onnx_export.h"
#include "serene/nn/activation.h"
#include "serene/nn/model_builder.h"

namespace {

using namespace serene;

constexpr Index kClasses = 3;

struct Case {
  std::string name;
  Json layers;
  Index features = 6;
};

// Lengths that leave one, two and no zeros for "same" windows of strides 2 and 3.
const std::vector<Index> kFrames = {5, 6, 7, 8, 12, 13};

Json layer(const std::string& text) { return parse_json(text, "case"); }

// Layers over time, each before a mean over time and a dense layer.
std::vector<Case> sequence_cases() {
  const std::vector<std::pair<std::string, std::string>> layers = {
      {"conv1d_same", R"({"type":"conv1d","filters":5,"kernel_size":4,"padding":"same","activation":"softmax"})"},
      {"conv1d_stride", R"({"type":"conv1d","filters":5,"kernel_size":4,"padding":"same","strides":3})"},
      {"conv1d_far", R"({"type":"conv1d","filters":5,"kernel_size":2,"padding":"same","strides":4,"use_bias":false})"},
      {"conv1d_valid", R"({"type":"conv1d","filters":5,"kernel_size":3,"strides":2,"activation":"gelu"})"},
      {"conv1d_causal", R"({"type":"conv1d","filters":5,"kernel_size":3,"padding":"causal","strides":2})"},
      {"conv1d_dilated", R"({"type":"conv1d","filters":5,"kernel_size":3,"padding":"same","dilation_rate":3})"},
      {"conv1d_dilated_causal",
       R"({"type":"conv1d","filters":5,"kernel_size":2,"padding":"causal","dilation_rate":2})"},
      {"conv1d_spread",
       R"({"type":"conv1d","filters":5,"kernel_size":3,"padding":"same","dilation_rate":2,"strides":2})"},
      {"depthwise", R"({"type":"depthwise_conv1d","kernel_size":3,"padding":"same","strides":2,"activation":"relu"})"},
      {"depthwise_spread",
       R"({"type":"depthwise_conv1d","kernel_size":2,"padding":"same","dilation_rate":3,"strides":2})"},
      {"separable", R"({"type":"separable_conv1d","filters":4,"kernel_size":4,"padding":"same","activation":"elu"})"},
      {"max_pooling", R"({"type":"max_pooling1d","pool_size":5,"strides":2,"padding":"same"})"},
      {"max_pooling_far", R"({"type":"max_pooling1d","pool_size":2,"strides":3,"padding":"same"})"},
      {"average_pooling_far", R"({"type":"average_pooling1d","pool_size":3,"strides":4,"padding":"same"})"},
      {"max_pooling_valid", R"({"type":"max_pooling1d","pool_size":3})"},
      {"average_pooling", R"({"type":"average_pooling1d","pool_size":4,"strides":3,"padding":"same"})"},
      {"average_pooling_dense", R"({"type":"average_pooling1d","pool_size":4,"strides":1,"padding":"same"})"},
      {"average_pooling_valid", R"({"type":"average_pooling1d","pool_size":3,"strides":2})"},
      {"lstm", R"({"type":"lstm","units":4,"return_sequences":true})"},
      {"lstm_last", R"({"type":"lstm","units":4})"},
      {"lstm_back", R"({"type":"lstm","units":4,"return_sequences":true,"go_backwards":true})"},
      {"lstm_back_last", R"({"type":"lstm","units":4,"go_backwards":true})"},
      {"gru", R"({"type":"gru","units":4,"return_sequences":true})"},
      {"gru_last", R"({"type":"gru","units":4})"},
      {"gru_back_last", R"({"type":"gru","units":4,"go_backwards":true})"},
      {"bidirectional_lstm", R"({"type":"bidirectional","layer":{"type":"lstm","units":3,"return_sequences":true}})"},
      {"bidirectional_gru_last", R"({"type":"bidirectional","layer":{"type":"gru","units":3}})"},
      {"self_attention", R"({"type":"self_attention"})"},
      {"multi_head", R"({"type":"multi_head_attention","num_heads":2,"key_dim":5})"},
      {"multi_head_no_bias", R"({"type":"multi_head_attention","num_heads":3,"key_dim":2,"use_bias":false})"},
      {"additive_attention", R"({"type":"additive_attention_pooling","units":4})"},
      {"attentive_statistics", R"({"type":"attentive_statistics_pooling","units":4})"},
      {"global_max", R"({"type":"global_max_pooling1d"})"},
      {"batch_norm", R"({"type":"batch_norm"})"},
      {"layer_norm", R"({"type":"layer_norm"})"},
      {"squeeze_excitation", R"({"type":"squeeze_excitation","units":2})"},
      {"highway", R"({"type":"highway","layers":[{"type":"lstm","units":6,"return_sequences":true}]})"},
      {"residual", R"({"type":"residual","activation":"relu","layers":[
          {"type":"conv1d","filters":6,"kernel_size":3,"padding":"same"},{"type":"batch_norm"}]})"},
      {"residual_projection", R"({"type":"residual","layers":[
          {"type":"conv1d","filters":4,"kernel_size":3,"padding":"same","strides":2,"activation":"tanh"}]})"},
      {"residual_shortcut", R"({"type":"residual","layers":[{"type":"gru","units":4,"return_sequences":true}],
          "shortcut":[{"type":"conv1d","filters":4,"kernel_size":1},{"type":"layer_norm"}]})"},
      {"only_dropout", R"({"type":"residual","layers":[{"type":"dropout"}]})"}};
  std::vector<Case> cases;
  for (const auto& [name, text] : layers) cases.push_back({name, Json::array({layer(text)})});
  for (const std::string& a : activation_names()) {
    cases.push_back({"activation_" + a, Json::array({{{"type", "activation"}, {"activation", a}}})});
  }
  return cases;
}

// Layers over (time, frequency) with 12 features.
std::vector<Case> grid_cases() {
  const std::string conv = R"({"type":"conv2d","filters":3,"kernel_size":[3,4],"padding":"same","activation":"relu"})";
  const std::vector<std::pair<std::string, std::vector<std::string>>> graphs = {
      {"conv2d", {conv, R"({"type":"batch_norm","channels":3})"}},
      {"conv2d_strides", {R"({"type":"conv2d","filters":3,"kernel_size":[4,3],"padding":"same","strides":[2,3]})"}},
      {"conv2d_valid",
       {R"({"type":"conv2d","filters":2,"kernel_size":[2,5],"strides":[1,2],"activation":"softmax"})", conv}},
      {"max_pooling2d", {conv, R"({"type":"max_pooling2d","pool_size":[3,2],"strides":[2,2],"padding":"same"})", conv}},
      {"average_pooling2d",
       {conv, R"({"type":"average_pooling2d","pool_size":[3,4],"strides":[2,3],"padding":"same"})"}},
      {"max_pooling2d_far", {conv, R"({"type":"max_pooling2d","pool_size":[2,3],"strides":[3,5],"padding":"same"})"}},
      {"average_pooling2d_valid", {conv, R"({"type":"average_pooling2d","pool_size":[2,12]})"}}};
  std::vector<Case> cases;
  for (const auto& [name, layers] : graphs) {
    Case c{name, Json::array(), 12};
    for (const std::string& text : layers) c.layers.push_back(layer(text));
    cases.push_back(c);
  }
  for (const char* ending : {"global_average_pooling1d", "attentive_statistics_pooling", "gru"}) {
    cases.push_back({std::string("every_layer_") + ending, test::every_layer_graph(ending).at("layers"), 12});
  }
  return cases;
}

Checkpoint checkpoint_of(const Case& c, std::uint64_t seed) {
  Checkpoint out;
  out.model = Json{{"layers", c.layers}};
  out.features = Json::object();
  out.input_channels = c.features;
  out.labels = {"calm", "angry", "sad"};
  out.temperature = 1.25;
  Random random(seed, Purpose::test, 0, 0);
  for (Index i = 0; i < c.features; ++i) {
    out.normalizer.mean.push_back(static_cast<float>(random.normal()));
    out.normalizer.scale.push_back(static_cast<float>(random.uniform(0.5, 1.5)));
  }
  const Model<float> model = build_model_of(out);
  out.params.resize(static_cast<std::size_t>(model.layout().size));
  initialize(model.layout(), seed, out.params.data());
  for (const ParameterEntry& e : model.layout().entries) {
    for (Index i = 0; i < e.spec.size(); ++i) {
      float& value = out.params[static_cast<std::size_t>(e.offset + i)];
      value = e.spec.name.ends_with("moving_variance") ? static_cast<float>(random.uniform(0.5, 2))
                                                       : value + static_cast<float>(0.3 * random.normal());
    }
  }
  return out;
}

// Two clips of the same length, answered one by one: an exported graph takes them together.
Json run_of(const Ensemble& e, Index frames, Random& random, const OnnxOptions& options) {
  const Index features = e.members.front().input_channels, batch = 2;
  Json x = Json::array(), y = Json::array();
  for (Index b = 0; b < batch; ++b) {
    std::vector<float> clip(static_cast<std::size_t>(frames * features));
    for (float& v : clip) v = static_cast<float>(2 * random.normal());
    for (const float v : clip) x.push_back(v);
    std::vector<double> answer(e.labels.size(), 0.0);
    for (std::size_t m = 0; m < e.members.size(); ++m) {
      Checkpoint c = e.members[m];
      if (!options.normalizer) c.normalizer = {};
      const auto q = classify(c, build_model_of(c), frames, clip);
      add_answer(q, label_places(c.labels, e.labels), e.weights[m], answer);
    }
    apply_temperature(answer, e.temperature);
    for (const double v : answer) y.push_back(v);
  }
  return {{"batch", batch}, {"frames", frames}, {"features", features}, {"x", x}, {"y", y}};
}

void write_case(const std::string& folder, const std::string& name, const Ensemble& e, const OnnxOptions& options,
                Json& list) {
  write_file_atomic(folder + "/" + name + ".onnx", std::string_view(onnx_file(e, options)));
  Random random(7, Purpose::test, 1, static_cast<std::uint64_t>(list.size()));
  Json runs = Json::array();
  for (const Index frames : kFrames) runs.push_back(run_of(e, frames, random, options));
  list.push_back({{"name", name}, {"output", options.logits ? "logits" : "probabilities"}, {"runs", runs}});
}

// Three models of the same features whose labels stand in different orders.
Ensemble mixture() {
  std::vector<Checkpoint> members;
  const std::vector<std::string> graphs = {R"({"type":"lstm","units":4})", R"({"type":"global_max_pooling1d"})",
                                           R"({"type":"additive_attention_pooling","units":3})"};
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    const Json end = {{"type", "dense"}, {"units", "classes"}};
    members.push_back(checkpoint_of({"", Json::array({layer(graphs[i]), end})}, 100 + i));
    std::rotate(members.back().labels.begin(), members.back().labels.begin() + static_cast<Index>(i),
                members.back().labels.end());
  }
  Ensemble e = make_ensemble(std::move(members), {3, 1, 2});
  e.temperature = 0.7;
  return e;
}

void write_cases(const std::string& folder) {
  std::filesystem::create_directories(folder);
  std::vector<Case> cases = sequence_cases();
  for (Case& c : grid_cases()) cases.push_back(std::move(c));
  Json list = Json::array();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    Case c = cases[i];
    if (!c.name.starts_with("every_layer_")) {
      c.layers.push_back({{"type", "global_average_pooling1d"}, {"name", "mean"}});
      c.layers.push_back({{"type", "dense"}, {"name", "answer"}, {"units", "classes"}});
    }
    write_case(folder, c.name, ensemble_of(checkpoint_of(c, i)), {.normalizer = i % 2 == 0}, list);
  }
  write_case(folder, "ensemble", mixture(), {.normalizer = true}, list);
  write_file_atomic(folder + "/cases.json", list.dump() + "\n");
  std::printf("%zu cases\n", list.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: onnx_cases FOLDER\n"), 1;
  try {
    write_cases(argv[1]);
  } catch (const serene::Error& e) {
    return std::fprintf(stderr, "onnx_cases: %s\n", e.what()), 2;
  }
  return 0;
}
