#include "serene/io/model_texts.h"

namespace serene {

std::map<std::string, std::string> model_texts(const Ensemble& e) {
  const Checkpoint& first = e.members.front();
  return {{"labels", Json(e.labels).dump()},
          {"features", first.features.dump()},
          {"normalizer", first.normalizer.mean.empty() ? "none" : to_json(first.normalizer).dump()},
          {"temperature", Json(e.single() ? first.temperature : e.temperature).dump()},
          {"max_frames", std::to_string(first.max_frames)},
          {"long_clips", to_string(first.long_clips)},
          {"uncertain_below", Json(e.uncertain_below).dump()},
          {"notes", Json(e.notes).dump()}};
}

}  // namespace serene
