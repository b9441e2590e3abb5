// Gradients of whole models, and what the builder accepts and refuses.
#include "serene/nn/model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "model_fixture.h"
#include "serene/nn/executor.h"
#include "serene/nn/gradient_check.h"
#include "serene/nn/loss.h"
#include "serene/nn/model_builder.h"

namespace serene {
namespace {

using test::TestBatch;

// Training step of a whole model: cross-entropy, dropout with fixed keys, batch statistics.
class WholeModel {
 public:
  WholeModel(const Json& graph, Index channels, Index classes, std::uint64_t seed, std::vector<Index> lengths)
      : model_(build_model<double>(graph, channels, classes)),
        loss_({.label_smoothing = 0.1}, classes),
        batch_(seed, *std::max_element(lengths.begin(), lengths.end()) + 1, channels, lengths),
        params_(test::test_params(model_, seed)),
        seed_(seed),
        run_(model_,
             {.mode = Mode::training,
              .max_batch = batch_.shape.batch,
              .max_time = batch_.shape.time,
              .shard = 2,
              .input_gradient = true},
             pool_) {
    for (Index b = 0; b < batch_.shape.batch; ++b) labels_.push_back(b % classes);
    dlogits_.resize(static_cast<std::size_t>(batch_.shape.batch * classes));
  }

  double loss() {
    const auto logits = run_.forward(params_, batch_.view(), seed_, 3);
    const Targets<double> targets{.labels = labels_.data()};
    return loss_.run(batch_.shape.batch, logits.data, targets, loss_.divisor(batch_.shape.batch, targets),
                     LossOutputs<double>{.gradient = dlogits_.data()});
  }

  // At least `least` elements of every trainable tensor and of every sample.
  GradientReport check(std::size_t least) {
    loss();
    const auto g = run_.backward(dlogits_.data());
    const std::vector<double> grads(g.begin(), g.end());
    const auto in = run_.input_gradient();
    const std::vector<double> dx(in.data, in.data + in.shape.size());
    GradientReport report;
    const auto compare = [&](const std::string& name, std::span<double> values, std::span<const double> analytic) {
      std::size_t stride = std::max<std::size_t>(1, values.size() / least);
      if (stride > 1 && stride % 2 == 0) --stride;  // odd, so that not one column of a kernel alone is seen
      check_gradient(
          name, values, analytic, [&] { return loss(); }, report, 1e-5, stride);
    };
    const Index row = batch_.shape.time * batch_.shape.channels;
    for (Index b = 0; b < batch_.shape.batch; ++b) {
      const auto n = static_cast<std::size_t>(batch_.lengths[static_cast<std::size_t>(b)] * batch_.shape.channels);
      compare("sample " + std::to_string(b), {batch_.x.data() + b * row, n}, {dx.data() + b * row, n});
    }
    for (const ParameterEntry& e : model_.layout().entries) {
      if (!e.spec.trainable) continue;
      const auto at = static_cast<std::size_t>(e.offset), n = static_cast<std::size_t>(e.spec.size());
      compare(e.name, {params_.data() + at, n}, {grads.data() + at, n});
    }
    return report;
  }

 private:
  Model<double> model_;
  ClassificationLoss loss_;
  TestBatch<double> batch_;
  std::vector<double> params_, dlogits_;
  std::vector<Index> labels_;
  std::uint64_t seed_;
  ThreadPool pool_{1};
  Executor<double> run_;
};

// The smallest kinks (relu, max) lie further than h away for these seeds.
std::uint64_t seed_of(std::uint64_t chosen) {
  const char* other = std::getenv("SERENE_TEST_SEED");
  return other != nullptr ? std::strtoull(other, nullptr, 10) : chosen;
}

void expect(const GradientReport& r, const std::string& what) {
  MESSAGE(what << ": worst relative error " << r.worst << " at " << r.worst_at << " (" << r.analytic << " against "
               << r.numeric << ") of " << r.checked << " elements");
  CHECK_MESSAGE(r.below(1e-6), what);
}

// The Error that building this list of layers throws.
std::string refusal(const std::string& layers, Index channels = 4, Index classes = 3) {
  try {
    build_model<float>(parse_json("{\"layers\": " + layers + "}", "test"), channels, classes, "run.json: model");
  } catch (const Error& e) {
    CHECK(std::string(e.what()).find('\n') == std::string::npos);
    return e.what();
  }
  return "";
}

bool says(const std::string& text, std::initializer_list<const char*> parts) {
  INFO(text);
  return std::all_of(parts.begin(), parts.end(), [&](const char* p) { return text.find(p) != std::string::npos; });
}

constexpr const char* kEnd = R"({"type": "global_average_pooling1d"}, {"type": "dense", "units": "classes"}])";

}  // namespace

TEST_CASE("model_strong: every parameter tensor and the input against central differences") {
  WholeModel m(test::model_strong_graph(), 40, 8, seed_of(1), {15, 9, 12, 6});
  expect(m.check(24), "model_strong");
}

TEST_CASE("models of every layer type: every parameter tensor and the input against central differences") {
  std::uint64_t seed = seed_of(1);
  for (const std::string& ending : test::endings()) {
    WholeModel m(test::every_layer_graph(ending), 5, 4, seed, {9, 4, 7, 1});
    expect(m.check(24), "ending in " + ending);
  }
}

TEST_CASE("model_strong: shapes, names and sizes") {
  const auto model = build_model<float>(test::model_strong_graph(), 40, 8);
  CHECK(model.layer_count() == 13);
  CHECK(model.output_channels() == 8);
  const auto shapes = model.shapes({64, 300, 40});
  CHECK(shapes[1] == Shape{64, 150, 128});
  CHECK(shapes[3] == Shape{64, 75, 256});
  CHECK(shapes[7] == Shape{64, 75, 128});
  CHECK(shapes.back() == Shape{64, 1, 8});
  // conv 7*40*128+128, 5*128*256+256; lstm (256+128)*512+512, (128+128)*512+512; dense 128*256+256; bn 512; dense 2056
  CHECK(model.trainable_count() == 35968 + 164096 + 197120 + 131584 + 33024 + 512 + 2056);
  CHECK(model.parameter_count() == model.trainable_count() + 512);
  std::set<std::string> names;
  for (const ParameterEntry& e : model.layout().entries) {
    CHECK(e.offset % 16 == 0);
    CHECK(names.insert(e.name).second);
  }
  CHECK(names.count("conv1.kernel") == 1);
  CHECK(names.count("bn.moving_variance") == 1);
  CHECK(test::model_strong_graph()["layers"].size() == 13);
}

TEST_CASE("every type of the builder is in the models that are checked") {
  std::set<std::string> used;
  const auto collect = [&](const auto& self, const Json& layers) -> void {
    for (const Json& l : layers) {
      used.insert(l["type"].get<std::string>());
      if (l.contains("layers")) self(self, l["layers"]);
    }
  };
  for (const std::string& ending : test::endings()) collect(collect, test::every_layer_graph(ending)["layers"]);
  const std::string text = refusal(R"([{"type": "nothing"}])");
  std::string known = text.substr(text.find("known are ") + 10);
  while (!known.empty()) {
    const auto comma = std::min(known.find(", "), known.size());
    CHECK_MESSAGE(used.count(known.substr(0, comma)) == 1, known.substr(0, comma));
    known.erase(0, comma + 2);
  }
}

TEST_CASE("builder: an unknown type names its path and the types there are") {
  CHECK(says(refusal(R"([{"type": "conv3d"}])"),
             {"run.json: model.layers[0].type", "unknown layer type \"conv3d\"", "conv1d"}));
  CHECK(says(refusal(R"([{"type": "a\nb"}])"), {"\"a?b\""}));
  CHECK(says(refusal(R"([{"name": "x"}])"), {"model.layers[0].type: missing key"}));
  CHECK(says(refusal(R"([{"type": 3}])"), {"model.layers[0].type: wrong type"}));
  CHECK(says(refusal(R"([{"type": "residual", "layers": [{"type": "rnn"}]}])"), {"model.layers[0].layers[0].type"}));
}

TEST_CASE("builder: keys that are missing, unknown or out of range") {
  CHECK(says(refusal(R"([{"type": "dense"}])"), {"model.layers[0].units", "missing key"}));
  CHECK(says(refusal(R"([{"type": "lstm"}])"), {"units", "missing key"}));
  CHECK(says(refusal(R"([{"type": "dense", "units": 4, "unit": 4}])"),
             {"model.layers[0].unit: unknown key", "did you mean"}));
  CHECK(says(refusal(R"([{"type": "dense", "units": 0}])"), {"units: out of range"}));
  CHECK(says(refusal(R"([{"type": "dense", "units": 1e9}])"), {"units"}));
  CHECK(says(refusal(R"([{"type": "dense", "units": "labels"}])"), {"units: not a size", "\"classes\""}));
  CHECK(says(refusal(R"([{"type": "dense", "units": -1}])"), {"units: out of range"}));
  CHECK(says(refusal(R"([{"type": "dropout", "rate": 1}])"), {"rate: out of range"}));
  CHECK(says(refusal(R"([{"type": "conv1d", "filters": 2, "kernel_size": 0}])"), {"kernel_size: out of range"}));
  CHECK(says(refusal(R"([{"type": "conv1d", "filters": 2, "kernel_size": 3, "padding": "full"}])"),
             {"padding", "unknown value"}));
  CHECK(says(refusal(R"([{"type": "dense", "units": 2, "activation": "rellu"}])"),
             {"activation", "did you mean \"relu\""}));
  CHECK(says(refusal(R"([{"type": "bidirectional", "layer": {"type": "dense", "units": 2}}])"), {"layer.type"}));
  CHECK(says(refusal(R"([{"type": "depthwise_conv1d", "kernel_size": 3, "filters": 2}])"), {"filters: unknown key"}));
  CHECK(says(refusal(R"([{"type": "gaussian_noise", "stddev": -1}])"), {"stddev: out of range"}));
  CHECK(says(refusal(R"([{"type": "squeeze_excitation", "units": 2, "reduction": 2}])"), {"reduction: stands beside"}));
  CHECK(says(refusal(R"([{"type": "residual", "drop_path": 1, "layers": [{"type": "dropout"}]}])"),
             {"drop_path: out of range"}));
  CHECK(says(refusal(R"([{"type": "residual", "layers": [{"type": "dropout"}], "shortcut": []}])"),
             {"shortcut: not a list of layers"}));
  CHECK(says(refusal(R"([{"type": "residual", "layers": [{"type": "dropout"}],
                          "shortcut": [{"type": "conv1d", "filters": 4, "kernel_size": 1, "strides": 2}]}])"),
             {"model.layers[0]", "block and shortcut differ in shape"}));
  CHECK(says(refusal(R"([{"type": "highway", "layers": [{"type": "dense", "units": 77}]}])"),
             {"model.layers[0]", "the inner layers change the shape"}));
  CHECK(says(refusal(R"([{"type": "highway", "layers": [{"type": "dense", "units": 4, "name": "gate"}]}, )" +
                     std::string(kEnd)),
             {"two parameters of one name", "gate.kernel"}));
  CHECK(says(refusal(R"([{"type": "multi_head_attention", "num_heads": 0, "key_dim": 1}])"), {"num_heads"}));
}

TEST_CASE("builder: layers over time and frequency know the maps of those before, and say what does not fit") {
  const auto grid = [](const std::string& layers) { return refusal("[" + layers + ", " + kEnd, 12); };
  const std::string conv = R"({"type": "conv2d", "filters": 4, "kernel_size": [3, 3], "padding": "same"})";
  const std::string pool = R"({"type": "max_pooling2d", "pool_size": [1, 2]})";
  CHECK(grid(conv).empty());
  CHECK(grid(R"({"type": "conv2d", "filters": 4, "kernel_size": 5, "strides": [2, 3], "maps": 2})").empty());
  const std::string chain = conv + R"(, {"type": "batch_norm", "channels": 4}, {"type": "dropout"}, )" + pool + ", " +
                            R"({"type": "residual", "layers": [)" + conv + "]}, " + conv;
  const auto model = build_model<float>(parse_json("{\"layers\": [" + chain + ", " + kEnd + "}", "test"), 12, 3);
  CHECK(model.layout().entries[0].spec.shape == std::vector<Index>{3, 3, 1, 4});
  CHECK(model.layout().entries[2].spec.shape == std::vector<Index>{4});
  CHECK(model.layout().entries[6].spec.shape == std::vector<Index>{3, 3, 4, 4});  // in the block
  CHECK(model.layout().entries[8].spec.shape == std::vector<Index>{3, 3, 4, 4});
  CHECK(model.shapes({1, 20, 12})[5] == Shape{1, 20, 24});
  // A layer that mixes channels leaves one map.
  CHECK(grid(conv + R"(, {"type": "dense", "units": 6}, {"type": "conv2d", "filters": 2, "kernel_size": [1, 6]})")
            .empty());

  CHECK(says(grid(R"({"type": "conv2d", "filters": 4, "kernel_size": 3, "maps": 5})"),
             {"model.layers[0]", "conv2d: maps do not divide the input channels", "a divisor of 12", "got 5"}));
  CHECK(says(grid(R"({"type": "average_pooling2d", "maps": 7})"), {"maps do not divide the input channels"}));
  CHECK(says(grid(R"({"type": "batch_norm", "channels": 5})"), {"batch_norm: maps do not divide the input channels"}));
  CHECK(says(grid(R"({"type": "conv2d", "filters": 4, "kernel_size": [3, 7], "maps": 2})"),
             {"conv2d: window wider than the frequencies", "at most 6", "got 7"}));
  CHECK(says(grid(R"({"type": "max_pooling2d", "pool_size": [1, 13]})"), {"window wider than the frequencies"}));
  CHECK(says(grid(R"({"type": "conv2d", "filters": 4})"), {"kernel_size", "missing key"}));
  CHECK(says(grid(R"({"type": "conv2d", "kernel_size": 3})"), {"filters", "missing key"}));
  for (const char* bad : {"[3]", "[3, 3, 3]", "[3, 0]", "[3, 2.5]", "[3, \"3\"]", "[3, 70000]", "[-1, 3]", "[]"}) {
    CHECK_MESSAGE(says(grid(std::string(R"({"type": "conv2d", "filters": 4, "kernel_size": )") + bad + "}"),
                       {"model.layers[0].kernel_size: not two sizes", "[time, frequency]"}),
                  bad);
  }
  CHECK(says(grid(R"({"type": "conv2d", "filters": 4, "kernel_size": 0})"), {"kernel_size: out of range"}));
  CHECK(says(grid(R"({"type": "conv2d", "filters": 4, "kernel_size": 3, "padding": "causal"})"), {"padding"}));
  CHECK(says(grid(R"({"type": "conv2d", "filters": 4, "kernel_size": 3, "dilation_rate": 2})"), {"dilation_rate"}));
}

TEST_CASE("builder: names") {
  const auto named = [](const std::string& name) {
    return refusal(R"([{"type": "dropout", "name": ")" + name + "\"}, " + kEnd);
  };
  CHECK(named("good_name-1").empty());
  for (const char* bad : {"a.b", "", "a b", "a/b", "a\\nb", "a\\tb", "a\\\"b"}) {
    CHECK_MESSAGE(says(named(bad), {"model.layers[0].name: not a usable name"}), bad);
  }
  CHECK(says(named(std::string(65, 'a')), {"not a usable name"}));
  CHECK(says(refusal(R"([{"type": "dropout", "name": "x"}, {"type": "dropout", "name": "x"}, )" + std::string(kEnd)),
             {"two layers of one name"}));
}

TEST_CASE("builder: lists that are none, too long or nested too deeply") {
  CHECK(says(refusal("[]"), {"model.layers: not a list of layers"}));
  CHECK(says(refusal("{}"), {"not a list of layers", "got object"}));
  CHECK(says(refusal("[3]"), {"model.layers[0]: wrong type"}));
  std::string many = "[";
  for (int i = 0; i < 1001; ++i) many += std::string(i > 0 ? "," : "") + R"({"type": "dropout"})";
  CHECK(says(refusal(many + "]"), {"not a list of layers"}));
  const auto nested = [](int depth) {
    std::string text = R"({"type": "dropout"})";
    for (int i = 0; i < depth; ++i) text = R"({"type": "residual", "layers": [)" + text + "]}";
    return refusal("[" + text + ", " + kEnd);
  };
  CHECK(nested(8).empty());
  CHECK(says(nested(9), {"nested too deeply"}));
  CHECK(says(nested(25), {"nested too deeply"}));
}

TEST_CASE("builder: a graph must end in one vector of classes, for every length") {
  CHECK(says(refusal(R"([{"type": "dense", "units": "classes"}])"),
             {"run.json: model: does not end in one vector of classes", "(1, 1, 3)"}));
  CHECK(says(refusal(R"([{"type": "global_average_pooling1d"}])"),
             {"does not end in one vector of classes", "got (1, 1, 4)"}));
  CHECK(says(refusal(R"([{"type": "global_average_pooling1d"}, {"type": "dense", "units": 4}])"), {"got (1, 1, 4)"}));
  CHECK(says(refusal(R"([{"type": "max_pooling1d", "pool_size": 16384}, {"type": "dense", "units": 3}])"), {"model"}));
  CHECK(refusal(std::string("[") + kEnd).empty());
}

TEST_CASE("model: wrong numbers of features") {
  const auto model = build_model<float>(parse_json(std::string(R"({"layers": [)") + kEnd + "}", "test"), 4, 3);
  CHECK_THROWS_AS(model.shapes({1, 10, 5}), Error);
  CHECK_THROWS_AS(build_model<float>(test::model_strong_graph(), 0, 8), Error);
  CHECK_THROWS_AS(Model<float>({}, 4), Error);
}

}  // namespace serene
