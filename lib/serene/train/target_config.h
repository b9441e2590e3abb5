// What a clip is trained to answer: its label or its listeners' votes, over which labels, and mixed with others. Keys
// of the section train of a config.
#pragma once

#include "serene/core/json.h"

namespace serene {

enum class TargetKind { label, votes };
// united: the softmax runs over all labels; masked: over those that the clip's corpus has.
enum class LabelSets { united, masked };

struct TargetConfig {
  TargetKind kind = TargetKind::label;  // "targets"
  double votes_weight = 1;              // votes: target = weight * shares of the votes + (1 - weight) * label
  LabelSets label_sets = LabelSets::united;
  double mixup_alpha = 0;        // lambda ~ Beta(alpha, alpha); 0: no mixup
  double mixup_probability = 1;  // that a clip is mixed with another

  bool mixes() const noexcept { return mixup_alpha > 0 && mixup_probability > 0; }  // mixup is on
};

// Reads the keys targets, votes_weight, label_sets, mixup_alpha and mixup_probability of `train`; the caller finishes
// the section. Throws Error(input) that names the key's path.
TargetConfig target_config_from_json(JsonReader& train);
// Adds all of them.
void add_to_json(const TargetConfig& config, Json& train);

}  // namespace serene
