// Starting from another model: pre-training on one corpus, fine-tuning on another, with layers that stay as they are.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "serene/core/json.h"
#include "serene/data/splits.h"
#include "serene/io/checkpoint.h"
#include "serene/nn/model.h"

namespace serene {

// Keys of the section train of a config.
struct TransferConfig {
  std::string init_from;            // a checkpoint, or a run folder (its best.safetensors); "": none
  bool init_normalizer = false;     // its normaliser too, instead of one fitted on the training part
  std::vector<std::string> freeze;  // layers that are not trained, by name; '*' stands for any text
};

// Reads init_from, init_normalizer and freeze of `train`; the caller finishes the section. Throws Error(input) that
// names the key's path.
TransferConfig transfer_config_from_json(JsonReader& train);
void add_to_json(const TransferConfig& config, Json& train);

// The model that a run starts from.
struct SourceModel {
  std::string path;
  std::string sha256;  // of the file
  Checkpoint checkpoint;
};

// nullptr when config.init_from is empty. Throws Error under "train.init_from" when the file cannot be used.
std::unique_ptr<const SourceModel> open_source(const TransferConfig& config);

// SHA-256 of the file that config.init_from names; "" for none.
std::string source_sha256(const TransferConfig& config);

// Speakers that trained or chose the model or one that it started from, as its notes say; empty when they do not.
std::set<std::string> voices_of(const SourceModel& source);

// Throws Error(usage) naming a speaker of the test part that the source knows in any way, or one of the validation part
// that it was trained on: scores on them would not be scores on new voices.
void refuse_known_voices(const SourceModel& source, const Manifest& manifest, const Split& split);

// Copies into params (the flat vector of `model`) every tensor of the source whose layer name, tensor name and shape
// agree; the others stay. The last layer with weights is left as well when its classes are not `labels` in this order.
// Returns one line that says what was taken and what was not. Throws Error(usage) when nothing fits.
std::string take_weights(const SourceModel& source, const Model<float>& model, const std::vector<std::string>& labels,
                         float* params);

// The layout with the tensors of the frozen layers as not trainable. Throws Error(usage) under "train.freeze" for a
// name or pattern that no layer has, and when nothing is left to train.
ParameterLayout layout_with_frozen(const Model<float>& model, const std::vector<std::string>& freeze);

// Keeps the moving statistics of frozen layers from moving. put_back() gives params what keep() saw.
class FrozenStatistics {
 public:
  // Throws as layout_with_frozen. params: vectors of the model's layout.
  FrozenStatistics(const Model<float>& model, const std::vector<std::string>& freeze);
  void keep(const float* params) noexcept;
  void put_back(float* params) const noexcept;

 private:
  std::vector<Index> offsets_, sizes_;
  std::vector<float> kept_;
};

// Whether text is what the pattern says, '*' standing for any text (also none).
bool matches_pattern(const std::string& text, const std::string& pattern);

}  // namespace serene
