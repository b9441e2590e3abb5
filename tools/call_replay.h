// Plays the recorded events of a call again, on the clock, without a model: for demonstrations and tests.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "call_player.h"

namespace serene::cli {

// One line of a recorded call.
struct ReplayEvent {
  std::int64_t t_ms = 0;
  Json event;
};

// Events of a JSONL file: the first is call/start, t_ms never falls. Throws Error naming the file and the line.
std::vector<ReplayEvent> read_replay(const std::string& path);

// Events come when their t_ms has passed, at options.speed. Commands are answered as a session would, and the numbers
// of the events that follow move up: an alert that is acknowledged by an event alert/acknowledged, consent by an event
// consent/given or consent/withdrawn (not when consent_may_change is false).
//
// When consent is withdrawn, open alerts clear and advice goes. Until it is given again nothing of the kinds emotion,
// state, trend, alert and advice is shown; a recording does not tell which rules listen to feelings, so those of
// silence or a poor line rest as well. What began meanwhile stays unseen to its end. Consent that was given or
// withdrawn within the recording counts only while the page has not withdrawn it. A stop ends the call as "dropped".
void play_replay(const std::vector<ReplayEvent>& events, CallOutlet& outlet, const PlayOptions& options,
                 const std::atomic<bool>& stop);

}  // namespace serene::cli
