// The file's form and its refusals; its numbers are held against ONNX Runtime in tests/interop.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "serene/io/onnx_export.h"
#include "serene/io/onnx_graph.h"
#include "serene/io/protobuf.h"
#include "serene/io/weight_order.h"
#include "serene/nn/init.h"
#include "temp_folder.h"

using namespace serene;
using serene::test::error_of;

namespace {

// A reader of protocol buffers that shares nothing with the writer: fields in order, values as they stand.
struct Field {
  int number = 0;
  std::uint64_t value = 0;  // kind 0
  std::string bytes;        // kinds 1, 2 and 5
};

std::uint64_t take_varint(std::string& rest) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    REQUIRE(!rest.empty());
    REQUIRE(shift < 70);
    const auto byte = static_cast<unsigned char>(rest[0]);
    rest.erase(0, 1);
    value += static_cast<std::uint64_t>(byte % 128) << shift;
    if (byte < 128) return value;
  }
}

std::vector<Field> fields_of(std::string rest) {
  std::vector<Field> fields;
  while (!rest.empty()) {
    const std::uint64_t key = take_varint(rest), kind = key % 8;
    Field f{static_cast<int>(key / 8), 0, ""};
    if (kind == 0) {
      f.value = take_varint(rest);
    } else {
      REQUIRE((kind == 1 || kind == 2 || kind == 5));
      const std::size_t size = kind == 1 ? 8 : kind == 5 ? 4 : take_varint(rest);
      REQUIRE(size <= rest.size());
      f.bytes = rest.substr(0, size);
      rest.erase(0, size);
    }
    fields.push_back(std::move(f));
  }
  return fields;
}

std::vector<std::string> all(const std::vector<Field>& fields, int number) {
  std::vector<std::string> found;
  for (const Field& f : fields) {
    if (f.number == number) found.push_back(f.bytes);
  }
  return found;
}

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char b : bytes) {
    const char digits[] = "0123456789abcdef";
    text += digits[static_cast<unsigned char>(b) / 16];
    text += digits[static_cast<unsigned char>(b) % 16];
  }
  return text;
}

Checkpoint small_model(std::vector<std::string> labels = {"calm", "angry"}) {
  Checkpoint c;
  c.model = parse_json(R"({"layers":[{"type":"lstm","name":"memory","units":3},{"type":"dropout"},
                                      {"type":"dense","name":"answer","units":"classes"}]})",
                       "model");
  c.features = Json{{"preset", "mfcc-40"}};
  c.input_channels = 2;
  c.labels = std::move(labels);
  c.normalizer = {{1, 2}, {0.5f, 4}};
  c.temperature = 1.5;
  const Model<float> model = build_model_of(c);
  c.params.resize(static_cast<std::size_t>(model.layout().size));
  initialize(model.layout(), 1, c.params.data());
  return c;
}

std::map<std::string, std::string> metadata_of(const std::string& file) {
  std::map<std::string, std::string> texts;
  for (const std::string& entry : all(fields_of(file), 14)) {
    const auto f = fields_of(entry);
    texts[all(f, 1).at(0)] = all(f, 2).at(0);
  }
  return texts;
}

std::vector<std::string> operators_of(const std::string& file) {
  std::vector<std::string> ops;
  for (const std::string& node : all(fields_of(all(fields_of(file), 7).at(0)), 1)) {
    ops.push_back(all(fields_of(node), 4).at(0));
  }
  return ops;
}

}  // namespace

TEST_CASE("protobuf: the bytes of the format's own description") {
  ProtobufMessage a, b, c, numbers;
  a.number(1, 150);
  CHECK(hex(a.bytes()) == "089601");
  b.text(2, "testing");
  CHECK(hex(b.bytes()) == "120774657374696e67");
  c.message(3, a);
  CHECK(hex(c.bytes()) == "1a03089601");
  numbers.number(1, 0);
  numbers.number(1, 127);
  numbers.number(1, 128);
  numbers.number(1, -1);
  CHECK(hex(numbers.bytes()) == "0800087f08800108ffffffffffffffffff01");
  ProtobufMessage reals;
  reals.real(16, 1.0f);
  reals.real(1, 1.0);
  CHECK(hex(reals.bytes()) == "85010000803f09000000000000f03f");
  for (const std::int64_t v : {std::int64_t{0}, std::int64_t{1} << 35, std::numeric_limits<std::int64_t>::max(),
                               std::numeric_limits<std::int64_t>::min()}) {
    ProtobufMessage m;
    m.number(20, v);
    CHECK(static_cast<std::int64_t>(fields_of(m.bytes()).at(0).value) == v);
    CHECK(fields_of(m.bytes()).at(0).number == 20);
  }
}

TEST_CASE("weight order: transposed and by gates") {
  CHECK(transposed_places({2, 3}, {1, 0}) == std::vector<Index>{0, 3, 1, 4, 2, 5});
  CHECK(transposed_places({2, 1, 2}, {2, 1, 0}) == std::vector<Index>{0, 2, 1, 3});
  CHECK(transposed_places({}, {}) == std::vector<Index>{0});
  // One row of two gates of two units: the second gate comes first.
  CHECK(gate_places(1, 2, {1, 0}) == std::vector<Index>{2, 3, 0, 1});
  CHECK(gate_places(2, 1, {0, 1}) == std::vector<Index>{0, 2, 1, 3});
}

TEST_CASE("onnx: the parts of the file") {
  const std::string file = onnx_file(ensemble_of(small_model()));
  const auto model = fields_of(file);
  CHECK(model.at(0).number == 1);
  CHECK(model.at(0).value == 8);  // IR version
  CHECK(all(model, 2).at(0) == "serene");
  const auto opset = fields_of(all(model, 8).at(0));
  CHECK(opset.back().value == 17);
  CHECK(operators_of(file) == std::vector<std::string>{"Transpose", "LSTM", "Transpose", "MatMul", "Add", "Squeeze",
                                                       "Div", "Softmax", "Identity"});
  const auto texts = metadata_of(file);
  CHECK(texts.at("labels") == R"(["calm","angry"])");
  CHECK(texts.at("output") == "probabilities");
  CHECK(texts.at("temperature") == "1.5");
  CHECK(parse_json(texts.at("normalizer"), "n").at("mean") == Json({1.0, 2.0}));
  CHECK(onnx_file(ensemble_of(small_model())) == file);
}

TEST_CASE("onnx: normaliser in the graph, logits, no temperature") {
  const std::string logits = onnx_file(ensemble_of(small_model()), {.normalizer = true, .logits = true});
  CHECK(operators_of(logits) == std::vector<std::string>{"Sub", "Mul", "Transpose", "LSTM", "Transpose", "MatMul",
                                                         "Add", "Squeeze", "Identity"});
  CHECK(metadata_of(logits).at("normalizer") == "in the graph");
  CHECK(metadata_of(logits).at("output") == "logits");
  Checkpoint plain = small_model();
  plain.temperature = 1;
  plain.normalizer = {};
  const auto ops = operators_of(onnx_file(ensemble_of(plain), {.normalizer = true}));
  CHECK(std::count(ops.begin(), ops.end(), "Sub") + std::count(ops.begin(), ops.end(), "Div") == 0);
  CHECK(metadata_of(onnx_file(ensemble_of(plain))).at("normalizer") == "none");
}

TEST_CASE("onnx: ensembles that have no common graph") {
  const Ensemble same = make_ensemble({small_model(), small_model({"angry", "calm"})});
  const auto ops = operators_of(onnx_file(same));
  CHECK(std::count(ops.begin(), ops.end(), "Gather") == 1);
  const auto refused = [](const Ensemble& e, const OnnxOptions& options) {
    return error_of([&] { onnx_file(e, options); });
  };
  CHECK(refused(same, {.logits = true}).find("logits") != std::string::npos);
  Checkpoint other = small_model();
  other.normalizer.mean[0] = 9;
  const Ensemble differ = make_ensemble({small_model(), other});
  CHECK(refused(differ, {}).find("standardise differently") != std::string::npos);
  CHECK(refused(differ, {.normalizer = true}).empty());
  other.features["preset"] = "logmel-64";
  CHECK(refused(make_ensemble({small_model(), other}), {}).find("different features") != std::string::npos);
}
