// Checkpoints: a round trip without loss, and every kind of damage found.
#include "serene/io/checkpoint.h"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <limits>

#include "serene/core/random.h"
#include "serene/core/sha256.h"
#include "serene/io/file.h"
#include "serene/io/safetensors.h"
#include "serene/nn/init.h"
#include "temp_folder.h"

using namespace serene;

namespace {

constexpr Index kChannels = 3;

std::vector<float> normal_values(std::uint64_t seed, Index n) {
  Random random(seed, Purpose::test);
  std::vector<float> v(static_cast<std::size_t>(n));
  for (float& x : v) x = static_cast<float>(random.normal());
  return v;
}

Checkpoint small_checkpoint() {
  Checkpoint c;
  c.model = parse_json(R"({"layers": [
    {"type": "conv1d", "name": "conv", "filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu"},
    {"type": "lstm", "name": "state", "units": 3, "return_sequences": true},
    {"type": "global_average_pooling1d", "name": "gap"},
    {"type": "batch_norm", "name": "bn"},
    {"type": "dense", "name": "out", "units": "classes"}]})",
                       "model");
  c.features = {{"preset", "mfcc-40"}};
  c.input_channels = kChannels;
  c.labels = {"angry", "happy", "nötral", "sad"};
  c.normalizer = {normal_values(1, kChannels), {0.5f, 1.0f, 2.0f}};
  c.max_frames = 12;
  c.temperature = 1.5;
  const Model<float> model = build_model_of(c);
  c.params.assign(static_cast<std::size_t>(model.layout().size), 0.0f);
  initialize<float>(model.layout(), 3, c.params.data());
  c.notes = {{"name", "small"}, {"remark", "quote \" and\nline"}};
  for (const Index frames : {7, 12, 20}) {  // the last one is cut to its middle
    CheckpointExample e{frames, normal_values(10 + static_cast<std::uint64_t>(frames), frames * kChannels), {}};
    e.probabilities = classify(c, model, frames, e.features);
    c.examples.push_back(std::move(e));
  }
  c.state = {{"optimizer.m", normal_values(5, model.layout().size)}, {"best_params", {}}};
  c.state_json = {{"steps", 17}, {"rate", 0.1 + 0.2}, {"none", nullptr}};
  return c;
}

bool same(const Checkpoint& a, const Checkpoint& b) {
  bool equal = a.model == b.model && a.features == b.features && a.input_channels == b.input_channels &&
               a.labels == b.labels && a.normalizer == b.normalizer && a.max_frames == b.max_frames &&
               a.temperature == b.temperature && a.params == b.params && a.notes == b.notes && a.state == b.state &&
               a.state_json == b.state_json && a.examples.size() == b.examples.size();
  for (std::size_t i = 0; equal && i < a.examples.size(); ++i) {
    equal = a.examples[i].frames == b.examples[i].frames && a.examples[i].features == b.examples[i].features &&
            a.examples[i].probabilities == b.examples[i].probabilities;
  }
  return equal;
}

struct Tensor {
  std::vector<Index> shape;
  std::vector<float> floats;
  std::vector<double> doubles;  // not empty: F64
};

// A checkpoint's file taken apart, to be changed and put together again with a sum that is right.
struct Parts {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> texts;

  explicit Parts(const std::string& path) {
    const SafeTensors file = read_safetensors(path);
    texts = file.metadata();
    for (const std::string& name : file.names()) {
      Tensor& t = tensors[name];
      t.shape = file.info(name).shape;
      if (file.info(name).dtype == "F64") {
        t.doubles = file.get<double>(name);
      } else {
        t.floats = file.get<float>(name);
      }
    }
  }

  // The form of the sum is part of the format: length:text of all keys, texts and names in sorted order, length:bytes
  // of values.
  std::string sum() const {
    Sha256 sum;
    const auto add = [&](const std::string& text) { sum.update(std::to_string(text.size()) + ":" + text); };
    for (const auto& [key, text] : texts) {
      if (key != "sha256") add(key), add(text);
    }
    for (const auto& [name, t] : tensors) {
      add(name);
      const auto bytes = t.doubles.empty() ? std::as_bytes(std::span(t.floats)) : std::as_bytes(std::span(t.doubles));
      sum.update(std::to_string(bytes.size()) + ":");
      sum.update(bytes);
    }
    return sum.hex();
  }

  void write(const std::string& path, bool right_sum = true) {
    if (right_sum) texts["sha256"] = sum();
    SafeTensorsWriter writer(true);
    for (const auto& [name, t] : tensors) {
      if (t.doubles.empty()) {
        writer.add(name, t.shape, std::span<const float>(t.floats));
      } else {
        writer.add(name, t.shape, std::span<const double>(t.doubles));
      }
    }
    for (const auto& [key, text] : texts) writer.metadata(key, text);
    writer.write(path);
  }

  void edit_json(const std::string& key, const std::function<void(Json&)>& edit) {
    Json j = parse_json(texts.at(key), key);
    edit(j);
    texts[key] = j.dump();
  }
};

class Damage {
 public:
  Damage() { write_checkpoint(good_, small_checkpoint()); }

  // What read_checkpoint says to the file after `change`.
  std::string says(const std::function<void(Parts&)>& change, bool right_sum = true,
                   const CheckpointOptions& options = {}) {
    Parts parts(good_);
    change(parts);
    const std::string path = folder_ / "bad.safetensors";
    parts.write(path, right_sum);
    try {
      read_checkpoint(path, options);
    } catch (const Error& e) {
      const std::string text = e.what();
      CHECK(text.starts_with(path));
      CHECK(text.find('\n') == std::string::npos);
      return text.substr(path.size());
    }
    return "";
  }
  // The same for a change of the graph or the head.
  std::string says_json(const std::string& key, const std::function<void(Json&)>& edit) {
    return says([&](Parts& p) { p.edit_json(key, edit); });
  }
  const std::string& good() const { return good_; }

 private:
  test::TempFolder folder_;
  std::string good_ = folder_ / "good.safetensors";
};

void write_bytes(const std::string& path, const std::vector<std::byte>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

bool has(const std::string& text, const std::string& part) {
  INFO("text: ", text, " part: ", part);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("checkpoint: a round trip keeps everything, the state too") {
  const test::TempFolder folder;
  const Checkpoint c = small_checkpoint();
  write_checkpoint(folder / "a", c);
  const Checkpoint read = read_checkpoint(folder / "a");
  CHECK(same(c, read));
  CHECK(read.temperature == 1.5);
  CHECK(read.state.size() == 2);  // the layer called "state" is none
  write_checkpoint(folder / "b", read);
  CHECK(read_file(folder / "a") == read_file(folder / "b"));
  CHECK(folder.names() == std::vector<std::string>{"a", "b"});
}

TEST_CASE("checkpoint: without normaliser, examples and state") {
  const test::TempFolder folder;
  Checkpoint c = small_checkpoint();
  c.normalizer = {};
  c.examples.clear();
  c.state.clear();
  c.state_json = nullptr;
  write_checkpoint(folder / "a", c);
  CHECK(same(c, read_checkpoint(folder / "a")));
}

TEST_CASE("checkpoint: taking a file apart and putting it together is harmless") {
  Damage d;
  CHECK(d.says([](Parts&) {}).empty());
  CHECK(d.says([](Parts&) {}, false).empty());
}

TEST_CASE("checkpoint: any change without a new sum is found") {
  Damage d;
  const auto changed = [&](const std::function<void(Parts&)>& change) {
    return has(d.says(change, false), "checksum differs");
  };
  CHECK(changed([](Parts& p) { p.edit_json("head", [](Json& j) { j["temperature"] = 1.4; }); }));
  CHECK(changed([](Parts& p) { p.edit_json("notes", [](Json& j) { j["name"] = "other"; }); }));
  CHECK(changed([](Parts& p) { p.tensors["out.bias"].floats[1] += 1e-6f; }));
  CHECK(changed([](Parts& p) { p.tensors["normalizer.scale"].floats[0] *= 2; }));
  CHECK(changed([](Parts& p) { p.tensors["example.0.probabilities"].doubles[0] += 1e-9; }));
  CHECK(changed([](Parts& p) { std::swap(p.tensors["state.kernel"], p.tensors["state.recurrent"]); }));
  CHECK(changed([](Parts& p) { p.texts["more"] = "text"; }));
  CHECK(changed([](Parts& p) { p.tensors["more"] = {{1}, {0.0f}, {}}; }));
  CHECK(changed([](Parts& p) { p.texts["sha256"][0] ^= 1; }));
  CHECK(has(d.says([](Parts& p) { p.texts.erase("sha256"); }, false), "sha256"));
}

TEST_CASE("checkpoint: tensors that are missing, superfluous or of another shape") {
  Damage d;
  for (const char* name :
       {"out.bias", "conv.kernel", "bn.moving_variance", "normalizer.scale", "example.1.probabilities"}) {
    CHECK(has(d.says([&](Parts& p) { p.tensors.erase(name); }), name));
  }
  CHECK(has(d.says([](Parts& p) {
    p.tensors["extra"] = {{1}, {1.0f}, {}};
  }),
            "extra: a tensor that the model does not have"));
  CHECK(has(d.says([](Parts& p) { p.tensors["out.kernel2"] = {{1}, {1.0f}, {}}; }), "out.kernel2"));
  CHECK(has(d.says([](Parts& p) { p.tensors["example.7.features"] = {{1, 3}, {1, 2, 3}, {}}; }), "example.7.features"));
  CHECK(has(d.says([](Parts& p) { p.tensors.erase("normalizer.mean"); }), "normalizer.scale"));
  CHECK(has(d.says([](Parts& p) { std::swap(p.tensors["out.kernel"].shape[0], p.tensors["out.kernel"].shape[1]); }),
            "out.kernel: wrong shape (expected [3,4], got [4,3])"));
  CHECK(has(d.says([](Parts& p) { p.tensors["out.bias"].shape = {1, 4}; }), "out.bias: wrong shape"));
  CHECK(has(d.says([](Parts& p) { p.tensors["normalizer.mean"] = {{2}, {1, 2}, {}}; }), "normalizer.mean"));
  CHECK(has(d.says([](Parts& p) {
    p.tensors["example.0.features"].shape = {3, 7};
  }),
            "example.0.features: wrong shape"));
  CHECK(has(d.says([](Parts& p) { p.tensors["example.0.features"].shape = {21}; }), "example.0.features: wrong shape"));
  CHECK(has(d.says([](Parts& p) {
    p.tensors["example.0.features"] = {{0, 3}, {}, {}};
  }),
            "example.0.features: wrong shape"));
}

TEST_CASE("checkpoint: graphs that cannot be built") {
  Damage d;
  CHECK(has(d.says([](Parts& p) { p.texts["model"] = "{\"layers\": ["; }), "model: not valid JSON"));
  CHECK(has(d.says([](Parts& p) { p.texts["model"] = "[]"; }), "model: wrong type"));
  CHECK(has(d.says([](Parts& p) { p.texts["model"] = ""; }), "model: empty"));
  CHECK(has(d.says([](Parts& p) { p.texts.erase("model"); }), "model"));
  CHECK(has(d.says([](Parts& p) { p.texts["head"] = "7"; }), "head: wrong type"));
  CHECK(has(d.says_json("model", [](Json& j) { j["layers"][0]["type"] = "conv9d"; }), "unknown layer type"));
  CHECK(has(d.says_json("model", [](Json& j) { j["layers"][0]["size"] = 1; }), "size: unknown key"));
  CHECK(has(d.says_json("model", [](Json& j) { j["layers"][1]["units"] = 4; }), "state.kernel: wrong shape"));
  CHECK(has(d.says_json("model", [](Json& j) { j["layers"].erase(2); }), "does not end in one vector"));
  CHECK(has(d.says_json("model", [](Json& j) { j["layers"][4]["units"] = 5; }), "does not end in one vector"));
  CHECK(has(d.says_json("model", [](Json& j) { j["layers"][4]["name"] = "exit"; }), "exit.kernel"));
  // 17 GB of weights that the file does not hold: no memory may be taken for them.
  CHECK(has(
      d.says_json(
          "model",
          [](Json& j) {
            for (const char* name : {"huge", "vast"}) {
              j["layers"].insert(j["layers"].begin() + 1, Json{{"type", "dense"}, {"name", name}, {"units", 65536}});
            }
          }),
      "vast.kernel"));
}

TEST_CASE("checkpoint: a graph of few weights whose passes would fill the memory is refused") {
  Damage d;
  const std::string text = d.says([](Parts& p) {
    const Index wide = 1 << 14;
    p.edit_json("model", [&](Json& j) {
      const Json up{{"type", "dense"}, {"name", "up"}, {"units", wide}, {"use_bias", false}},
          down{{"type", "dense"}, {"name", "down"}, {"units", kChannels}, {"use_bias", false}};
      j["layers"].insert(j["layers"].begin(),
                         Json{{"type", "residual"}, {"name", "wide"}, {"layers", Json::array({up, down})}});
    });
    const std::vector<float> zeros(static_cast<std::size_t>(wide * kChannels));
    p.tensors["wide.up.kernel"] = {{kChannels, wide}, zeros, {}};
    p.tensors["wide.down.kernel"] = {{wide, kChannels}, zeros, {}};
    const Index frames = 100000;
    p.edit_json("head", [](Json& j) { j["max_frames"] = 0; });
    p.tensors["example.0.features"] = {
        {frames, kChannels}, std::vector<float>(static_cast<std::size_t>(frames * kChannels)), {}};
  });
  CHECK(has(text, "memory"));
}

TEST_CASE("checkpoint: labels, temperature and the other facts") {
  Damage d;
  CHECK(has(d.says_json("head", [](Json& j) { j["labels"] = {"a", "b", "c"}; }), "out.kernel: wrong shape"));
  CHECK(has(d.says_json("head", [](Json& j) { j["labels"] = {"a", "b", "c", "d", "e"}; }), "out.kernel: wrong shape"));
  CHECK(has(d.says_json("head", [](Json& j) { j["labels"] = {"a"}; }), "fewer than two labels"));
  CHECK(has(d.says_json("head", [](Json& j) { j["labels"] = Json::array(); }), "fewer than two labels"));
  CHECK(has(d.says_json("head", [](Json& j) { j["labels"] = {"a", "b", "a", "c"}; }), "head.labels"));
  CHECK(has(d.says_json("head", [](Json& j) { j["labels"] = {"a", "b", "", "c"}; }), "head.labels"));
  CHECK(has(d.says_json("head", [](Json& j) { j["labels"] = {"a", "b", 3, "c"}; }), "labels[2]"));
  CHECK(has(d.says_json("head", [](Json& j) { j["temperature"] = 0; }), "head.temperature: out of range"));
  CHECK(has(d.says_json("head", [](Json& j) { j["temperature"] = -1; }), "head.temperature: out of range"));
  CHECK(has(d.says_json("head", [](Json& j) { j["input_channels"] = 4; }), "conv.kernel: wrong shape"));
  CHECK(has(d.says_json("head", [](Json& j) { j["input_channels"] = 0; }), "input_channels: out of range"));
  CHECK(has(d.says_json("head", [](Json& j) { j["max_frames"] = -1; }), "max_frames: out of range"));
  CHECK(has(d.says_json("head", [](Json& j) { j["colour"] = 1; }), "head.colour: unknown key"));
  CHECK(has(d.says_json("notes", [](Json& j) { j = {"a", "b"}; }), "notes: wrong type"));
  CHECK(has(d.says_json("notes", [](Json& j) { j = "text"; }), "notes: wrong type"));
  CHECK(has(d.says_json("notes", [](Json& j) { j["name"] = 3; }), "notes.name: not a text"));
  CHECK(has(d.says([](Parts& p) { p.texts["format"] = "serene-checkpoint-9"; }), "not a serene checkpoint"));
  CHECK(has(d.says([](Parts& p) { p.texts.erase("format"); }), "not a serene checkpoint"));
  CHECK(has(d.says([](Parts& p) { p.texts["state"] = "{"; }), "state: not valid JSON"));
}

TEST_CASE("checkpoint: examples must replay, unless that is not wanted") {
  Damage d;
  const auto shift = [](Parts& p) {
    p.tensors["example.2.probabilities"].doubles[0] += 2e-4;
    p.tensors["example.2.probabilities"].doubles[1] -= 2e-4;
  };
  CHECK(has(d.says(shift), "example 2: the model does not give the probabilities stored with it"));
  CHECK(d.says(shift, true, {.replay = false}).empty());
  CHECK(has(d.says([](Parts& p) { p.tensors["out.bias"].floats[0] += 0.1f; }), "example 0"));
  CHECK(has(d.says([](Parts& p) { p.tensors["normalizer.scale"].floats[0] = 3; }), "example 0"));
  CHECK(has(d.says_json("head", [](Json& j) { j["temperature"] = 3; }), "example 0"));
  CHECK(has(d.says_json("head", [](Json& j) { j["max_frames"] = 0; }), "example 2"));  // the one that was cut
  CHECK(has(d.says([](Parts& p) {
    p.tensors["example.0.probabilities"] = {{3}, {}, {0.2, 0.3, 0.5}};
  }),
            "example.0.probabilities"));
}

TEST_CASE("checkpoint: numbers that are none") {
  Damage d;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const char* name : {"out.kernel", "conv.bias", "normalizer.mean", "example.0.features", "state.optimizer.m"}) {
    CHECK(has(d.says([&](Parts& p) { p.tensors[name].floats[0] = nan; }), "NonFinite"));
  }
  CHECK(has(d.says([&](Parts& p) { p.tensors["out.bias"].floats[2] = HUGE_VALF; }), "NonFinite"));
  CHECK(
      d.says([&](Parts& p) { p.tensors["out.bias"].floats[2] = nan; }, true, {.replay = false, .allow_nonfinite = true})
          .empty());
  CHECK(has(d.says([&](Parts& p) { p.tensors["out.bias"].floats[2] = nan; }, true, {.allow_nonfinite = true}),
            "not a number"));
  CHECK(has(d.says([](Parts& p) { p.tensors["normalizer.scale"].floats[1] = 0; }), "normalizer.scale: not above 0"));
  CHECK(has(d.says([](Parts& p) { p.tensors["normalizer.scale"].floats[1] = -1; }), "normalizer.scale: not above 0"));
  // Finite weights whose answer is not.
  CHECK(has(d.says([](Parts& p) {
    for (float& w : p.tensors["out.kernel"].floats) w = 3e38f;
    for (float& w : p.tensors["out.bias"].floats) w = 3e38f;
    for (float& w : p.tensors["bn.beta"].floats) w = 1e3f;
  }),
            "not a number"));
}

TEST_CASE("checkpoint: classify and write refuse what does not fit") {
  const test::TempFolder folder;
  Checkpoint c = small_checkpoint();
  const Model<float> model = build_model_of(c);
  const std::vector<float> x(30);
  CHECK_THROWS_AS(classify(c, model, 0, {}), Error);
  CHECK_THROWS_AS(classify(c, model, -1, x), Error);
  CHECK_THROWS_AS(classify(c, model, 20, x), Error);
  CHECK_THROWS_AS(classify(c, model, 9, x), Error);
  double sum = 0;
  for (const double p : classify(c, model, 10, x)) sum += p;
  CHECK(sum == doctest::Approx(1).epsilon(1e-12));
  c.params.pop_back();
  CHECK_THROWS_AS(write_checkpoint(folder / "a", c), Error);
  CHECK(folder.names().empty());
}

TEST_CASE("checkpoint: a flipped bit anywhere gives an Error or the same content") {
  const test::TempFolder folder;
  const Checkpoint c = small_checkpoint();
  write_checkpoint(folder / "good", c);
  const auto good = read_file(folder / "good");
  Random random(4, Purpose::test);
  std::size_t errors = 0, equal = 0;
  // Every byte of the header and a sample of the rest, one random bit each.
  for (std::size_t at = 0; at < good.size(); at += at < 3000 ? 1 : 1 + random.below(9)) {
    auto bytes = good;
    bytes[at] ^= static_cast<std::byte>(1u << random.below(8));
    write_bytes(folder / "bad", bytes);
    try {
      const Checkpoint read = read_checkpoint(folder / "bad");
      CHECK_MESSAGE(same(c, read), "byte " << at);
      ++equal;
    } catch (const Error&) {
      ++errors;
    }
  }
  MESSAGE(errors << " errors, " << equal << " times the same content, " << good.size() << " bytes");
  CHECK(errors > 2000);
  CHECK(equal < errors / 10);
}

TEST_CASE("checkpoint: a file cut short anywhere is an Error") {
  const test::TempFolder folder;
  write_checkpoint(folder / "good", small_checkpoint());
  const auto good = read_file(folder / "good");
  for (std::size_t n = 0; n < good.size(); n += 13) {
    write_bytes(folder / "bad", {good.begin(), good.begin() + static_cast<Index>(n)});
    CHECK_THROWS_AS(read_checkpoint(folder / "bad"), Error);
  }
  CHECK_THROWS_AS(read_checkpoint(folder / "none"), Error);
  CHECK_THROWS_AS(read_checkpoint(folder.path()), Error);
}
