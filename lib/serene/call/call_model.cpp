#include "serene/call/call_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "serene/call/event.h"
#include "serene/call/speech_window.h"

namespace serene {

CallModel::CallModel(Recognizer recognizer, CallConfig config, Playbook playbook)
    : recognizer_(std::move(recognizer)), config_(std::move(config)), playbook_(std::move(playbook)) {
  for (const FeatureConfig& features : recognizer_.streams()) {
    if (streamable(features)) continue;
    throw Error(ErrorCode::usage, "features", "the model's features cannot be computed from a live call")
        .expected("a preset of frames, mfcc or logmel, with top_db null")
        .got(features.preset)
        .hint("train with the preset mfcc-40 or logmel-64");
  }
  states_ = resolve_states(config_, recognizer_.labels());
  for (const std::string& label : recognizer_.labels()) {
    const auto group = std::find_if(states_.begin(), states_.end(), [&](const StateGroup& g) {
      return std::find(g.labels.begin(), g.labels.end(), label) != g.labels.end();
    });
    group_of_label_.push_back(static_cast<int>(group - states_.begin()));
  }
  for (const RecognizerMember& m : recognizer_.members()) check_member(m);
  const std::vector<std::string> names = state_names();
  for (const Rule& rule : playbook_.rules) {
    if (!rule.states.empty()) state_weights(rule, names);
  }
}

// A window that the graph cannot take must show here and never in a call.
void CallModel::check_member(const RecognizerMember& m) const {
  const WindowFrames frames = window_frames(config_, recognizer_.streams()[m.stream]);
  for (const Index n : {frames.least, frames.most}) {
    with_context("window of " + std::to_string(n) + " frames", [&] {
      m.inference->model().shapes({1, n, m.inference->model().input_channels()});
    });
  }
  const Normalizer& normalizer = m.checkpoint.normalizer;
  const bool plain = std::all_of(normalizer.mean.begin(), normalizer.mean.end(), [](float v) { return v == 0; }) &&
                     std::all_of(normalizer.scale.begin(), normalizer.scale.end(), [](float v) { return v == 1; });
  if (config_.running_normalisation && plain) {
    throw Error(ErrorCode::usage, "model.normalisation", "the model was trained on features that are not standardised")
        .expected("model")
        .got("running");
  }
}

std::vector<std::string> CallModel::state_names() const {
  std::vector<std::string> names;
  for (const StateGroup& g : states_) names.push_back(g.name);
  return names;
}

const char* CallModel::state_name(int state) const noexcept {
  if (state == state_no_speech) return "no_speech";
  if (state < 0 || state >= static_cast<int>(states_.size())) return "uncertain";
  return states_[static_cast<std::size_t>(state)].name.c_str();
}

}  // namespace serene
