#include "serene/train/target_config.h"

namespace serene {
namespace {

// Below this a Beta variate is 0 or 1 but for rounding.
constexpr double least_alpha = 1e-3;

}  // namespace

TargetConfig target_config_from_json(JsonReader& r) {
  TargetConfig c;
  c.kind = r.choice("targets", {"label", "votes"}, "label") == "votes" ? TargetKind::votes : TargetKind::label;
  c.votes_weight = r.number_in("votes_weight", 0, 1, c.votes_weight);
  const bool masked = r.choice("label_sets", {"united", "masked"}, "united") == "masked";
  c.label_sets = masked ? LabelSets::masked : LabelSets::united;
  c.mixup_alpha = r.number_in("mixup_alpha", 0, 100, c.mixup_alpha);
  if (c.mixup_alpha > 0 && c.mixup_alpha < least_alpha) {
    throw r.error("mixup_alpha", "out of range").expected("0, or 0.001 to 100").got(Json(c.mixup_alpha).dump());
  }
  c.mixup_probability = r.number_in("mixup_probability", 0, 1, c.mixup_probability);
  return c;
}

void add_to_json(const TargetConfig& c, Json& train) {
  train["targets"] = c.kind == TargetKind::votes ? "votes" : "label";
  train["votes_weight"] = c.votes_weight;
  train["label_sets"] = c.label_sets == LabelSets::masked ? "masked" : "united";
  train["mixup_alpha"] = c.mixup_alpha;
  train["mixup_probability"] = c.mixup_probability;
}

}  // namespace serene
