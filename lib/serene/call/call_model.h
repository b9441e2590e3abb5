// Everything that the calls of a centre share, immutable: the model, how calls are heard, the playbook. const means
// thread-safe; any number of sessions use one.
#pragma once

#include <string>
#include <vector>

#include "serene/call/call_config.h"
#include "serene/call/playbook.h"
#include "serene/call/recognizer.h"

namespace serene {

class CallModel {
 public:
  // Throws Error: features that cannot be streamed (the label of the preset), states or rules that do not fit.
  CallModel(Recognizer recognizer, CallConfig config, Playbook playbook);

  const Recognizer& recognizer() const noexcept { return recognizer_; }
  const CallConfig& config() const noexcept { return config_; }
  const Playbook& playbook() const noexcept { return playbook_; }
  const std::vector<StateGroup>& states() const noexcept { return states_; }
  std::vector<std::string> state_names() const;  // of states(), in order
  // Group of each label of the model.
  const std::vector<int>& group_of_label() const noexcept { return group_of_label_; }
  // "angry", ..., "no_speech", "uncertain".
  const char* state_name(int state) const noexcept;

 private:
  void check_member(const RecognizerMember& member) const;

  Recognizer recognizer_;
  CallConfig config_;
  Playbook playbook_;
  std::vector<StateGroup> states_;
  std::vector<int> group_of_label_;
};

}  // namespace serene
