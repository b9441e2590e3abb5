#include "serene/io/checkpoint_parts.h"

#include <algorithm>
#include <cstring>

#include "serene/core/sha256.h"

namespace serene {

namespace {

constexpr std::size_t kMaxExamples = 16;
constexpr Index kMaxInputChannels = 1 << 16;

std::string example_name(const std::string& prefix, std::size_t i, const char* what) {
  return prefix + "example." + std::to_string(i) + "." + what;
}

std::vector<Index> vector_shape(std::size_t n) { return {static_cast<Index>(n)}; }

}  // namespace

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

void CheckpointWriter::add(const std::string& name, const std::vector<Index>& shape, std::span<const float> values) {
  writer_.add(name, shape, values);
  tensors_[name] = [values](ContentSum& sum, const std::string& n) { sum.add(n, std::as_bytes(values)); };
}

void CheckpointWriter::add(const std::string& name, const std::vector<Index>& shape, std::span<const double> values) {
  writer_.add(name, shape, values);
  tensors_[name] = [values](ContentSum& sum, const std::string& n) { sum.add(n, std::as_bytes(values)); };
}

void CheckpointWriter::write(const std::string& path) {
  ContentSum sum(metadata_);
  for (const auto& [name, add_to] : tensors_) add_to(sum, name);
  metadata_["sha256"] = sum.hex();
  for (const auto& [key, value] : metadata_) writer_.metadata(key, value);
  writer_.write(path);
}

namespace {

// Keys that came later stand there only when they say something, so that older files read and are written as before.
Json head_of(const Checkpoint& c) {
  Json head{{"labels", c.labels},
            {"input_channels", c.input_channels},
            {"max_frames", c.max_frames},
            {"temperature", c.temperature}};
  if (c.long_clips != LongClips::middle) head["windows"] = to_string(c.long_clips);
  if (!c.views.plain()) head["views"] = to_json(c.views);
  if (c.uncertain_below > 0) head["uncertain_below"] = c.uncertain_below;
  if (c.per_speaker) head["standardised"] = "speaker";
  return head;
}

}  // namespace

void CheckpointWriter::add(const std::string& path, const std::string& prefix, const Checkpoint& c) {
  const Model<float> model = build_model_of(c);
  if (static_cast<Index>(c.params.size()) != model.layout().size) {
    throw Error(ErrorCode::internal, path, "the weights are not those of the model");
  }
  for (const ParameterEntry& e : model.layout().entries) {
    add(prefix + e.name, e.spec.shape,
        std::span(c.params).subspan(static_cast<std::size_t>(e.offset), static_cast<std::size_t>(e.spec.size())));
  }
  if (!c.normalizer.mean.empty()) {
    const auto shape = vector_shape(c.normalizer.mean.size());
    add(prefix + "normalizer.mean", shape, std::span<const float>(c.normalizer.mean));
    add(prefix + "normalizer.scale", shape, std::span<const float>(c.normalizer.scale));
  }
  for (std::size_t i = 0; i < std::min(c.examples.size(), kMaxExamples); ++i) {
    const CheckpointExample& e = c.examples[i];
    add(example_name(prefix, i, "features"), {e.frames, c.input_channels}, std::span<const float>(e.features));
    add(example_name(prefix, i, "probabilities"), vector_shape(e.probabilities.size()),
        std::span<const double>(e.probabilities));
  }
  text(prefix + "model", c.model.dump());
  text(prefix + "features", c.features.dump());
  text(prefix + "head", head_of(c).dump());
  text(prefix + "notes", Json(c.notes).dump());
}

void check_content_sum(const SafeTensors& file) {
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

std::string format_of(const SafeTensors& file) {
  const auto found = file.metadata().find("format");
  return found == file.metadata().end() ? "" : found->second;
}

void check_labels(const std::vector<std::string>& labels, const std::string& where) {
  if (labels.size() < 2) throw Error(ErrorCode::input, where, "fewer than two labels");
  const std::set<std::string> different(labels.begin(), labels.end());
  if (different.size() < labels.size() || different.count("") != 0) {
    throw Error(ErrorCode::input, where, "an empty label, or one that stands there twice");
  }
}

std::map<std::string, std::string> notes_of(const SafeTensors& file, const std::string& key) {
  const Json json = parse_json(file.metadata(key), key);
  if (!json.is_object()) throw Error(ErrorCode::input, key, "wrong type").expected("object").got(json_type(json));
  std::map<std::string, std::string> notes;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_string()) throw Error(ErrorCode::input, key + "." + printable(name), "not a text");
    notes[name] = value.get<std::string>();
  }
  return notes;
}

void refuse_unread(const std::set<std::string>& unread) {
  if (unread.empty()) return;
  throw Error(ErrorCode::input, printable(*unread.begin()), "a tensor that the model does not have");
}

namespace {

void read_graph(const SafeTensors& file, const std::string& prefix, Checkpoint& c) {
  c.model = parse_json(file.metadata(prefix + "model"), prefix + "model");
  c.features = parse_json(file.metadata(prefix + "features"), prefix + "features");
  const Json head = parse_json(file.metadata(prefix + "head"), prefix + "head");
  JsonReader r(head, prefix + "head");
  c.labels = r.texts("labels");
  c.input_channels = r.integer_in("input_channels", 1, kMaxInputChannels);
  c.max_frames = r.integer_in("max_frames", 0, Index{1} << 40, 0);
  c.temperature = r.number_in("temperature", 1e-3, 1e3, 1.0);
  c.long_clips = r.choice("windows", {"middle", "vote"}, "middle") == "vote" ? LongClips::vote : LongClips::middle;
  if (r.has("views")) c.views = clip_views_from_json(r.object("views"));
  c.uncertain_below = r.number_in("uncertain_below", 0, 1, 0);
  c.per_speaker = r.choice("standardised", {"channel", "speaker"}, "channel") == "speaker";
  r.finish();
  check_labels(c.labels, prefix + "head.labels");
  c.notes = notes_of(file, prefix + "notes");
}

Error wrong_shape(const std::string& name, const std::vector<Index>& expected, const std::vector<Index>& got) {
  return Error(ErrorCode::input, name, "wrong shape").expected(Json(expected).dump()).got(Json(got).dump());
}

void read_parameters(const SafeTensors& file, const std::string& prefix, Checkpoint& c, std::set<std::string>& unread) {
  const Model<float> model = build_model_of(c);
  // Before the memory is taken: a graph may ask for more than the file could ever hold.
  for (const ParameterEntry& e : model.layout().entries) {
    const std::string name = prefix + e.name;
    if (file.info(name).shape != e.spec.shape) throw wrong_shape(name, e.spec.shape, file.info(name).shape);
  }
  c.params.assign(static_cast<std::size_t>(model.layout().size), 0.0f);
  for (const ParameterEntry& e : model.layout().entries) {
    const std::string name = prefix + e.name;
    if (file.info(name).dtype == "F32") {
      const auto bytes = file.bytes(name);
      std::memcpy(c.params.data() + e.offset, bytes.data(), bytes.size());
    } else {
      const auto values = file.get<float>(name, e.spec.shape);
      std::copy(values.begin(), values.end(), c.params.begin() + e.offset);
    }
    unread.erase(name);
  }
}

void read_normalizer(const SafeTensors& file, const std::string& prefix, Checkpoint& c, std::set<std::string>& unread) {
  const std::string mean = prefix + "normalizer.mean", scales = prefix + "normalizer.scale";
  if (!file.has(mean)) return;
  c.normalizer.mean = file.get<float>(mean, {c.input_channels});
  c.normalizer.scale = file.get<float>(scales, {c.input_channels});
  for (const float scale : c.normalizer.scale) {
    if (!(scale > 0)) throw Error(ErrorCode::input, scales, "not above 0").got(std::to_string(scale));
  }
  unread.erase(mean);
  unread.erase(scales);
}

void read_examples(const SafeTensors& file, const std::string& prefix, Checkpoint& c, std::set<std::string>& unread) {
  for (std::size_t i = 0; i < kMaxExamples && file.has(example_name(prefix, i, "features")); ++i) {
    const std::string features = example_name(prefix, i, "features"),
                      probabilities = example_name(prefix, i, "probabilities");
    CheckpointExample example;
    const auto& shape = file.info(features).shape;
    if (shape.size() != 2 || shape[0] < 1 || shape[1] != c.input_channels) {
      throw Error(ErrorCode::input, features, "wrong shape");
    }
    example.frames = shape[0];
    example.features = file.get<float>(features);
    example.probabilities = file.get<double>(probabilities, vector_shape(c.labels.size()));
    unread.erase(features);
    unread.erase(probabilities);
    c.examples.push_back(std::move(example));
  }
}

}  // namespace

Checkpoint take_checkpoint(const SafeTensors& file, const std::string& prefix, std::set<std::string>& unread) {
  Checkpoint c;
  read_graph(file, prefix, c);
  read_parameters(file, prefix, c, unread);
  read_normalizer(file, prefix, c, unread);
  read_examples(file, prefix, c, unread);
  return c;
}

}  // namespace serene
