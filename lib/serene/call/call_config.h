// How a call is heard: window, smoothing, states and their thresholds, turn-taking, audio quality; with its JSON form
// (configs/call/call.json, every key optional, explained in configs/call/README.md).
#pragma once

#include <string>
#include <vector>

#include "serene/audio/voice_activity.h"
#include "serene/core/json.h"

namespace serene {

// A state of the customer: one or more labels of the model counted together.
struct StateGroup {
  std::string name;
  std::vector<std::string> labels;
  double negative = 0;  // weight in the trend, 0 (pleasant or neutral) to 1 (unpleasant)
};

struct CallConfig {
  double window_s = 3;      // of the customer's speech that the model sees
  double hop_s = 0.5;       // of speech between two windows
  double min_window_s = 1;  // the first windows of a call are shorter, but not below this

  double smoothing_s = 0.5;       // time constant of the probabilities, in seconds of speech
  double uncertain_below = 0.35;  // no state when the best smoothed probability is below this ...
  double certain_above = 0.4;     // ... until it is above this again
  double switch_margin = 0.1;     // a new state must lead the present one by this much ...
  int switch_windows = 1;         // ... for this many windows in a row
  double no_speech_after_s = 12;  // state "no_speech" when the customer has said nothing for so long

  double silence_after_s = 3;    // both legs quiet for so long: a silence
  double overlap_after_s = 0.4;  // both legs speaking for so long: an overlap
  double trend_s = 20;           // seconds of speech over which the trend is a straight line
  double trend_rising = 0.6;  // change of `negative` per minute of speech that counts as rising (falling: minus this)
  double quality_every_s = 2;
  double max_skew_s = 30;  // how far one leg may run ahead of the other

  // Features standardised with mean and deviation of the customer's speech so far, blended with those of the model's
  // training part as if these were prior_s seconds of speech before the call; false: with the training part's alone.
  bool running_normalisation = false;
  double prior_s = 10;

  VoiceActivityConfig voice_activity;
  // Empty: the model's labels with "neutral" and "calm" as one state, and usual weights (angry 1, disgust 0.8,
  // fearful 0.7, sad 0.6, boredom 0.3, surprised 0.2, others 0).
  std::vector<StateGroup> states;
};

// Reads every key by name; unknown keys, wrong types and values out of range throw Error with the key's path. Calls
// finish().
CallConfig call_config_from_json(JsonReader& reader);
Json to_json(const CallConfig& config);
// The groups for a model with these labels: the config's, without labels that the model lacks and without groups that
// become empty, or the usual ones. A label that no group names gets one of its own. Throws Error when a label stands in
// two groups, a name repeats or is "uncertain" or "no_speech", or more than max_states remain.
std::vector<StateGroup> resolve_states(const CallConfig& config, const std::vector<std::string>& labels);

}  // namespace serene
