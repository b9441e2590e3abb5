#include "serene/train/transfer.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>

#include "serene/io/file.h"

namespace serene {
namespace {

constexpr const char* init_key = "train.init_from";

std::string source_path(const TransferConfig& config) {
  std::error_code failed;
  const bool folder = std::filesystem::is_directory(config.init_from, failed);
  return folder ? config.init_from + "/best.safetensors" : config.init_from;
}

std::set<std::string> speakers_in(const SourceModel& source, const std::vector<const char*>& notes) {
  std::set<std::string> all;
  for (const char* note : notes) {
    const auto found = source.checkpoint.notes.find(note);
    if (found == source.checkpoint.notes.end()) continue;
    std::istringstream text(found->second);
    for (std::string speaker; text >> speaker;) all.insert(speaker);
  }
  return all;
}

void refuse(const SourceModel& source, const Manifest& manifest, const std::vector<std::size_t>& clips,
            const std::set<std::string>& known, const char* part) {
  for (const std::size_t clip : clips) {
    const std::string& speaker = manifest.clips[clip].speaker;
    if (speaker.empty() || known.count(speaker) == 0) continue;
    throw Error(
        ErrorCode::usage, init_key,
        "speaker '" + printable(speaker, 60) + "' of the " + part + " part is known to " + printable(source.path))
        .hint("start from a model that was made without this split's test and validation speakers");
  }
}

std::string shape_text(const std::vector<Index>& shape) {
  std::string text;
  for (const Index n : shape) text += (text.empty() ? "" : "x") + std::to_string(n);
  return text;
}

std::string names_of_layers(const Model<float>& model) {
  std::string names;
  for (const auto& layer : model.layers()) names += (names.empty() ? "" : ", ") + layer.name;
  return names;
}

// One flag a layer.
std::vector<bool> frozen_layers(const Model<float>& model, const std::vector<std::string>& freeze) {
  std::vector<bool> frozen(model.layers().size(), false);
  for (std::size_t i = 0; i < freeze.size(); ++i) {
    bool found = false;
    for (std::size_t l = 0; l < frozen.size(); ++l) {
      if (!matches_pattern(model.layers()[l].name, freeze[i])) continue;
      frozen[l] = found = true;
    }
    if (!found) {
      throw Error(ErrorCode::usage, "train.freeze[" + std::to_string(i) + "]",
                  "no layer '" + printable(freeze[i], 60) + "'")
          .expected(names_of_layers(model));
    }
  }
  return frozen;
}

// The last layer that has weights: the one that gives a number for each class.
Index head_of(const ParameterLayout& layout) {
  Index head = -1;
  for (const ParameterEntry& entry : layout.entries) head = std::max(head, entry.layer);
  return head;
}

}  // namespace

TransferConfig transfer_config_from_json(JsonReader& r) {
  TransferConfig c;
  c.init_from = r.text("init_from", "");
  c.init_normalizer = r.boolean("init_normalizer", false);
  c.freeze = r.texts("freeze");
  if (c.init_normalizer && c.init_from.empty()) {
    throw r.error("init_normalizer", "there is no model to take it from").expected("init_from beside it");
  }
  for (const std::string& name : c.freeze) {
    if (name.empty()) throw r.error("freeze", "an empty name");
  }
  return c;
}

void add_to_json(const TransferConfig& c, Json& train) {
  train["init_from"] = c.init_from;
  train["init_normalizer"] = c.init_normalizer;
  train["freeze"] = c.freeze;
}

std::unique_ptr<const SourceModel> open_source(const TransferConfig& config) {
  if (config.init_from.empty()) return nullptr;
  return with_context(init_key, [&] {
    const std::string path = source_path(config);
    return std::make_unique<const SourceModel>(SourceModel{path, sha256_file(path), read_checkpoint(path)});
  });
}

std::string source_sha256(const TransferConfig& config) {
  if (config.init_from.empty()) return "";
  return with_context(init_key, [&] { return sha256_file(source_path(config)); });
}

std::set<std::string> voices_of(const SourceModel& source) {
  return speakers_in(source, {"train_speakers", "validation_speakers", "init_speakers"});
}

void refuse_known_voices(const SourceModel& source, const Manifest& manifest, const Split& split) {
  refuse(source, manifest, split.test, voices_of(source), "test");
  refuse(source, manifest, split.validation, speakers_in(source, {"train_speakers", "init_speakers"}), "validation");
}

std::string take_weights(const SourceModel& source, const Model<float>& model, const std::vector<std::string>& labels,
                         float* params) {
  const Model<float> from = build_model_of(source.checkpoint);
  std::map<std::string, const ParameterEntry*> there;
  for (const ParameterEntry& entry : from.layout().entries) there[entry.name] = &entry;
  const bool other_classes = source.checkpoint.labels != labels;
  const Index head = head_of(model.layout());
  std::size_t taken = 0;
  std::string fresh;
  for (const ParameterEntry& entry : model.layout().entries) {
    const auto found = there.find(entry.name);
    std::string reason;
    if (found == there.end()) {
      reason = "not there";
    } else if (found->second->spec.shape != entry.spec.shape) {
      reason = shape_text(found->second->spec.shape) + " there, " + shape_text(entry.spec.shape) + " here";
    } else if (entry.layer == head && other_classes) {
      reason = "of other classes";
    }
    if (reason.empty()) {
      std::copy_n(source.checkpoint.params.data() + found->second->offset, entry.spec.size(), params + entry.offset);
      ++taken;
    } else {
      fresh += (fresh.empty() ? "" : ", ") + entry.name + " (" + reason + ")";
    }
  }
  if (taken == 0) {
    throw Error(ErrorCode::usage, init_key, "no tensor of " + printable(source.path) + " fits the model")
        .expected("layers of the same names and shapes");
  }
  return "started from " + printable(source.path) + ": " + std::to_string(taken) + " of " +
         std::to_string(model.layout().entries.size()) + " tensors taken" +
         (fresh.empty() ? "" : "; initialised afresh: " + printable(fresh, 600));
}

ParameterLayout layout_with_frozen(const Model<float>& model, const std::vector<std::string>& freeze) {
  ParameterLayout layout = model.layout();
  if (freeze.empty()) return layout;
  const std::vector<bool> frozen = frozen_layers(model, freeze);
  bool any = false;
  for (ParameterEntry& entry : layout.entries) {
    if (frozen[static_cast<std::size_t>(entry.layer)]) entry.spec.trainable = false;
    any = any || entry.spec.trainable;
  }
  if (!any) throw Error(ErrorCode::usage, "train.freeze", "leaves nothing to train");
  return layout;
}

FrozenStatistics::FrozenStatistics(const Model<float>& model, const std::vector<std::string>& freeze) {
  const std::vector<bool> frozen = frozen_layers(model, freeze);
  Index size = 0;
  for (const ParameterEntry& entry : model.layout().entries) {
    if (entry.spec.trainable || !frozen[static_cast<std::size_t>(entry.layer)]) continue;
    offsets_.push_back(entry.offset), sizes_.push_back(entry.spec.size());
    size += entry.spec.size();
  }
  kept_.resize(static_cast<std::size_t>(size));
}

void FrozenStatistics::keep(const float* params) noexcept {
  float* to = kept_.data();
  for (std::size_t i = 0; i < offsets_.size(); ++i) to = std::copy_n(params + offsets_[i], sizes_[i], to);
}

void FrozenStatistics::put_back(float* params) const noexcept {
  const float* from = kept_.data();
  for (std::size_t i = 0; i < offsets_.size(); from += sizes_[i], ++i)
    std::copy_n(from, sizes_[i], params + offsets_[i]);
}

// Greedy with one place to come back to: linear in the text for each '*'.
bool matches_pattern(const std::string& text, const std::string& pattern) {
  std::size_t t = 0, p = 0, star = std::string::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != std::string::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace serene
