// What a file of one model and a file of an ensemble share: tensors and texts of a checkpoint under names that may
// begin with a prefix ("member.0."), and the sum over the whole file. For checkpoint.cpp and ensemble.cpp.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "serene/io/checkpoint.h"
#include "serene/io/safetensors.h"

namespace serene {

// Values of the metadata key "format".
inline constexpr const char* checkpoint_format = "serene-checkpoint-1";
inline constexpr const char* ensemble_format = "serene-ensemble-1";

// SHA-256 over all texts but the sum itself and all tensors, in sorted order: any changed bit of the file's meaning
// shows.
class ContentSum;

// Collects tensors for the writer, and then for the sum in the order of their names.
class CheckpointWriter {
 public:
  // values must stay where they are until write().
  void add(const std::string& name, const std::vector<Index>& shape, std::span<const float> values);
  void add(const std::string& name, const std::vector<Index>& shape, std::span<const double> values);
  void text(const std::string& key, const std::string& value) { metadata_[key] = value; }
  // Weights, normaliser, examples and texts of a checkpoint; without format and state. Throws Error(internal) naming
  // `path` when the weights are not those of the model.
  void add(const std::string& path, const std::string& prefix, const Checkpoint& checkpoint);

  // Whole or not at all (io/atomic_file.h). Throws Error(input) when it cannot be written.
  void write(const std::string& path);

 private:
  SafeTensorsWriter writer_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::function<void(ContentSum&, const std::string&)>> tensors_;
};

// Throws Error(input) when the file's sum is not that of its content.
void check_content_sum(const SafeTensors& file);

// The "format" of the file, "" when it has none.
std::string format_of(const SafeTensors& file);

// What CheckpointWriter::add wrote; takes the names of its tensors out of `unread`. Examples are not replayed here.
// Throws Error(input) naming the place.
Checkpoint take_checkpoint(const SafeTensors& file, const std::string& prefix, std::set<std::string>& unread);

// A file of format checkpoint_format, as read_checkpoint (checkpoint.h) does, which names the file in errors.
Checkpoint checkpoint_from(const SafeTensors& file, const CheckpointOptions& options);

// Labels of a head: at least two, all different. Throws Error(input).
void check_labels(const std::vector<std::string>& labels, const std::string& where);
// A JSON object of texts.
std::map<std::string, std::string> notes_of(const SafeTensors& file, const std::string& key);

// Throws Error(input) naming the first of these tensors.
void refuse_unread(const std::set<std::string>& unread);

}  // namespace serene
