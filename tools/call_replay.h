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

// Events come when their t_ms has passed. An alert that is acknowledged meanwhile is answered as a session would, with
// an event alert/acknowledged; the numbers of the events that follow move up. A stop ends the call as "dropped".
void play_replay(const std::vector<ReplayEvent>& events, CallOutlet& outlet, double speed,
                 const std::atomic<bool>& stop);

}  // namespace serene::cli
