#include "serene/io/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>

#include "serene/core/sha256.h"
#include "serene/io/safetensors.h"
#include "serene/nn/executor.h"
#include "serene/nn/model_builder.h"

namespace serene {
namespace {

constexpr const char* kFormat = "serene-checkpoint-1";
constexpr double kReplayTolerance = 1e-4;
constexpr std::size_t kMaxExamples = 16;
constexpr Index kMaxInputChannels = 1 << 16;
// A small file can describe a graph whose passes would fill any machine.
constexpr std::size_t kMaxPassBytes = std::size_t{4} << 30;

// SHA-256 over all texts but the sum itself and all tensors, in sorted order: any changed bit of the file's meaning
// shows.
class ContentSum {
 public:
  explicit ContentSum(const std::map<std::string, std::string>& metadata) {
    for (const auto& [key, value] : metadata) {
      if (key == "sha256") continue;
      add_text(key);
      add_text(value);
    }
  }
  void add(const std::string& name, std::span<const std::byte> values) {
    add_text(name);
    sum_.update(std::to_string(values.size()) + ":");
    sum_.update(values);
  }
  std::string hex() const { return sum_.hex(); }

 private:
  void add_text(const std::string& text) {
    sum_.update(std::to_string(text.size()) + ":");
    sum_.update(text);
  }
  Sha256 sum_;
};

// Collects tensors for the writer, and then for the sum in the order of their names.
class Collector {
 public:
  // values must stay where they are until write().
  void add(const std::string& name, const std::vector<Index>& shape, std::span<const float> values) {
    writer_.add(name, shape, values);
    tensors_[name] = [values](ContentSum& sum, const std::string& n) { sum.add(n, std::as_bytes(values)); };
  }
  void add(const std::string& name, const std::vector<Index>& shape, std::span<const double> values) {
    writer_.add(name, shape, values);
    tensors_[name] = [values](ContentSum& sum, const std::string& n) { sum.add(n, std::as_bytes(values)); };
  }
  void text(const std::string& key, const std::string& value) { metadata_[key] = value; }

  void write(const std::string& path) {
    ContentSum sum(metadata_);
    for (const auto& [name, add_to] : tensors_) add_to(sum, name);
    metadata_["sha256"] = sum.hex();
    for (const auto& [key, value] : metadata_) writer_.metadata(key, value);
    writer_.write(path);
  }

 private:
  SafeTensorsWriter writer_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::function<void(ContentSum&, const std::string&)>> tensors_;
};

std::string example_name(std::size_t i, const char* what) { return "example." + std::to_string(i) + "." + what; }

std::vector<Index> vector_shape(std::size_t n) { return {static_cast<Index>(n)}; }

void check_sum(const SafeTensors& file) {
  ContentSum sum(file.metadata());
  for (const std::string& name : file.names()) {
    const std::string& dtype = file.info(name).dtype;
    if (dtype == "F64" || dtype == "F32") {
      sum.add(name, file.bytes(name));
    } else {
      sum.add(name, std::as_bytes(std::span<const float>(file.get<float>(name))));
    }
  }
  if (file.metadata("sha256") != sum.hex()) {
    throw Error(ErrorCode::input, "", "checksum differs: the file was changed or damaged after it was written");
  }
}

void read_graph(const SafeTensors& file, Checkpoint& c) {
  c.model = parse_json(file.metadata("model"), "model");
  c.features = parse_json(file.metadata("features"), "features");
  const Json head = parse_json(file.metadata("head"), "head");
  JsonReader r(head, "head");
  c.labels = r.texts("labels");
  c.input_channels = r.integer_in("input_channels", 1, kMaxInputChannels);
  c.max_frames = r.integer_in("max_frames", 0, Index{1} << 40, 0);
  c.temperature = r.number_in("temperature", 1e-3, 1e3, 1.0);
  r.finish();
  if (c.labels.size() < 2) throw Error(ErrorCode::input, "head.labels", "fewer than two labels");
  const std::set<std::string> different(c.labels.begin(), c.labels.end());
  if (different.size() < c.labels.size() || different.count("") != 0) {
    throw Error(ErrorCode::input, "head.labels", "an empty label, or one that stands there twice");
  }
  const Json notes = parse_json(file.metadata("notes"), "notes");
  if (!notes.is_object()) throw Error(ErrorCode::input, "notes", "wrong type").expected("object").got(json_type(notes));
  for (const auto& [key, value] : notes.items()) {
    if (!value.is_string()) throw Error(ErrorCode::input, "notes." + printable(key), "not a text");
    c.notes[key] = value.get<std::string>();
  }
  if (file.metadata().contains("state")) c.state_json = parse_json(file.metadata("state"), "state");
}

Error wrong_shape(const std::string& name, const std::vector<Index>& expected, const std::vector<Index>& got) {
  return Error(ErrorCode::input, name, "wrong shape").expected(Json(expected).dump()).got(Json(got).dump());
}

void read_parameters(const SafeTensors& file, Checkpoint& c, std::set<std::string>& unread) {
  const Model<float> model = build_model_of(c);
  // Before the memory is taken: a graph may ask for more than the file could ever hold.
  for (const ParameterEntry& e : model.layout().entries) {
    if (file.info(e.name).shape != e.spec.shape) throw wrong_shape(e.name, e.spec.shape, file.info(e.name).shape);
  }
  c.params.assign(static_cast<std::size_t>(model.layout().size), 0.0f);
  for (const ParameterEntry& e : model.layout().entries) {
    if (file.info(e.name).dtype == "F32") {
      const auto bytes = file.bytes(e.name);
      std::memcpy(c.params.data() + e.offset, bytes.data(), bytes.size());
    } else {
      const auto values = file.get<float>(e.name, e.spec.shape);
      std::copy(values.begin(), values.end(), c.params.begin() + e.offset);
    }
    unread.erase(e.name);
  }
}

void read_normalizer(const SafeTensors& file, Checkpoint& c, std::set<std::string>& unread) {
  if (!file.has("normalizer.mean")) return;
  c.normalizer.mean = file.get<float>("normalizer.mean", {c.input_channels});
  c.normalizer.scale = file.get<float>("normalizer.scale", {c.input_channels});
  for (const float scale : c.normalizer.scale) {
    if (!(scale > 0)) throw Error(ErrorCode::input, "normalizer.scale", "not above 0").got(std::to_string(scale));
  }
  unread.erase("normalizer.mean");
  unread.erase("normalizer.scale");
}

void read_examples(const SafeTensors& file, Checkpoint& c, std::set<std::string>& unread) {
  for (std::size_t i = 0; i < kMaxExamples && file.has(example_name(i, "features")); ++i) {
    CheckpointExample example;
    const auto& shape = file.info(example_name(i, "features")).shape;
    if (shape.size() != 2 || shape[0] < 1 || shape[1] != c.input_channels) {
      throw Error(ErrorCode::input, example_name(i, "features"), "wrong shape");
    }
    example.frames = shape[0];
    example.features = file.get<float>(example_name(i, "features"));
    example.probabilities = file.get<double>(example_name(i, "probabilities"), vector_shape(c.labels.size()));
    unread.erase(example_name(i, "features"));
    unread.erase(example_name(i, "probabilities"));
    c.examples.push_back(std::move(example));
  }
}

// Answers one clip after the other with the same memory.
class Classifier {
 public:
  // frames: of the longest clip.
  Classifier(const Checkpoint& c, const InferenceModel<float>& inference, Index frames)
      : checkpoint_(c), executor_(inference.weights(), options_for(c, frames), pool_) {}

  std::vector<double> answer(Index frames, std::span<const float> features) {
    const Index channels = checkpoint_.input_channels, most = checkpoint_.max_frames;
    if (most > 0 && frames > most) {
      features = features.subspan(static_cast<std::size_t>((frames - most) / 2 * channels),
                                  static_cast<std::size_t>(most * channels));
      frames = most;
    }
    input_.assign(features.begin(), features.end());
    if (!checkpoint_.normalizer.mean.empty()) checkpoint_.normalizer.apply(input_.data(), frames);
    const auto logits = executor_.forward({input_.data(), {1, frames, channels}, nullptr});
    auto p = probabilities_of({logits.data, static_cast<std::size_t>(logits.shape.size())}, checkpoint_.temperature);
    if (!std::all_of(p.begin(), p.end(), [](double v) { return std::isfinite(v); })) {
      throw Error(ErrorCode::input, "", "the model's answer is not a number")
          .hint("its weights or the features are too large");
    }
    return p;
  }

 private:
  static ExecutorOptions options_for(const Checkpoint& c, Index frames) {
    ExecutorOptions options;
    options.max_time = c.max_frames > 0 ? std::min(frames, c.max_frames) : frames;
    options.max_bytes = kMaxPassBytes;
    return options;
  }

  const Checkpoint& checkpoint_;
  ThreadPool pool_{1};
  Executor<float> executor_;
  std::vector<float> input_;
};

}  // namespace

void write_checkpoint(const std::string& path, const Checkpoint& c) {
  Collector out;
  const Model<float> model = build_model_of(c);
  if (static_cast<Index>(c.params.size()) != model.layout().size) {
    throw Error(ErrorCode::internal, path, "the weights are not those of the model");
  }
  for (const ParameterEntry& e : model.layout().entries) {
    out.add(e.name, e.spec.shape,
            std::span(c.params).subspan(static_cast<std::size_t>(e.offset), static_cast<std::size_t>(e.spec.size())));
  }
  if (!c.normalizer.mean.empty()) {
    out.add("normalizer.mean", vector_shape(c.normalizer.mean.size()), std::span<const float>(c.normalizer.mean));
    out.add("normalizer.scale", vector_shape(c.normalizer.scale.size()), std::span<const float>(c.normalizer.scale));
  }
  for (std::size_t i = 0; i < std::min(c.examples.size(), kMaxExamples); ++i) {
    const auto& e = c.examples[i];
    out.add(example_name(i, "features"), {e.frames, c.input_channels}, std::span<const float>(e.features));
    out.add(example_name(i, "probabilities"), vector_shape(e.probabilities.size()),
            std::span<const double>(e.probabilities));
  }
  for (const auto& [name, values] : c.state) {
    out.add("state." + name, vector_shape(values.size()), std::span<const float>(values));
  }
  out.text("format", kFormat);
  out.text("model", c.model.dump());
  out.text("features", c.features.dump());
  out.text("head", Json{{"labels", c.labels},
                        {"input_channels", c.input_channels},
                        {"max_frames", c.max_frames},
                        {"temperature", c.temperature}}
                       .dump());
  out.text("notes", Json(c.notes).dump());
  if (!c.state_json.is_null()) out.text("state", c.state_json.dump());
  out.write(path);
}

Checkpoint read_checkpoint(const std::string& path, const CheckpointOptions& options) {
  const SafeTensors file = read_safetensors(path, {.allow_nonfinite = options.allow_nonfinite});
  return with_context(path, [&] {
    if (!file.metadata().contains("format") || file.metadata("format") != kFormat) {
      throw Error(ErrorCode::input, "", "not a serene checkpoint").expected(std::string("format ") + kFormat);
    }
    check_sum(file);
    Checkpoint c;
    read_graph(file, c);
    const auto names = file.names();
    std::set<std::string> unread(names.begin(), names.end());
    read_parameters(file, c, unread);
    read_normalizer(file, c, unread);
    read_examples(file, c, unread);
    for (const std::string& name : names) {
      if (unread.count(name) != 0 && name.starts_with("state."))
        c.state[name.substr(6)] = file.get<float>(name), unread.erase(name);
    }
    if (!unread.empty())
      throw Error(ErrorCode::input, printable(*unread.begin()), "a tensor that the model does not have");
    if (options.replay && !c.examples.empty()) {
      replay_examples(c, InferenceModel<float>(build_model_of(c), c.params), c.examples.size());
    }
    return c;
  });
}

void probabilities_of(std::span<const float> logits, double temperature, std::span<double> p) noexcept {
  double most = -HUGE_VAL, sum = 0;
  for (const float z : logits) most = std::max(most, static_cast<double>(z));
  for (std::size_t i = 0; i < p.size(); ++i)
    sum += p[i] = std::exp((static_cast<double>(logits[i]) - most) / temperature);
  for (double& v : p) v /= sum;
}

std::vector<double> probabilities_of(std::span<const float> logits, double temperature) {
  std::vector<double> p(logits.size());
  probabilities_of(logits, temperature, p);
  return p;
}

std::vector<double> classify(const Checkpoint& c, const InferenceModel<float>& inference, Index frames,
                             std::span<const float> features) {
  if (frames < 1 || static_cast<Index>(features.size()) != frames * c.input_channels) {
    throw Error(ErrorCode::usage, "features", "wrong size")
        .expected(std::to_string(c.input_channels) + " values for each of " + std::to_string(frames) + " frames")
        .got(std::to_string(features.size()));
  }
  return Classifier(c, inference, frames).answer(frames, features);
}

std::vector<double> classify(const Checkpoint& c, const Model<float>& model, Index frames,
                             std::span<const float> features) {
  return classify(c, InferenceModel<float>(model, c.params), frames, features);
}

void replay_examples(const Checkpoint& c, const InferenceModel<float>& inference, std::size_t most) {
  Index longest = 1;
  const std::size_t count = std::min(most, c.examples.size());
  for (std::size_t i = 0; i < count; ++i) longest = std::max(longest, c.examples[i].frames);
  Classifier classifier(c, inference, longest);
  for (std::size_t i = 0; i < count; ++i) {
    const CheckpointExample& e = c.examples[i];
    const auto got = classifier.answer(e.frames, e.features);
    for (std::size_t k = 0; k < got.size(); ++k) {
      if (!(std::abs(got[k] - e.probabilities[k]) <= kReplayTolerance)) {
        throw Error(ErrorCode::input, "example " + std::to_string(i),
                    "the model does not give the probabilities stored with it")
            .expected(std::to_string(e.probabilities[k]))
            .got(std::to_string(got[k]));
      }
    }
  }
}

Model<float> build_model_of(const Checkpoint& c) {
  return build_model<float>(c.model, c.input_channels, static_cast<Index>(c.labels.size()), "model");
}

}  // namespace serene
