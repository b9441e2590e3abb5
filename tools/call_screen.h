// What a screen knows of one call, gathered from its events (live or recorded; nothing in them is trusted).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "call_player.h"
#include "serene/core/json.h"

namespace serene::cli {

// What is known of a call before it plays.
struct CallHeader {
  std::size_t place = 0;  // among the calls of this program, as they were named
  std::string id, title;
  std::string started_at;  // ISO 8601, UTC
  std::string source, model;
  std::string consent;  // given, assumed, required, off
  std::vector<std::string> states;
};

// Values of an event, with a default for what is missing or of another type. Text comes out printable.
std::string text_in(const Json& event, const std::string& key, std::size_t max_chars = 200);
double number_in(const Json& event, const std::string& key);
std::int64_t integer_in(const Json& event, const std::string& key);

// "00:31.2", "1:02:31.2"
std::string clock_text(std::int64_t t_ms);
// A symbol that says the state without colour.
const char* state_icon(const std::string& state, bool utf8);

// Is the customer's or the agent's leg speaking: intervals in milliseconds, the last one open while end is -1.
struct SpeechLane {
  std::deque<std::pair<std::int64_t, std::int64_t>> spans;

  void start(std::int64_t at_ms) { spans.push_back({at_ms, -1}); }
  void stop(std::int64_t at_ms);
  void forget(std::int64_t before_ms);
  // Share of [from, to) that was speech, up to now.
  double share(std::int64_t from_ms, std::int64_t to_ms, std::int64_t now_ms) const;
};

struct ShownAlert {
  std::int64_t number = 0, t_ms = 0;
  std::string severity, text, reason, action;
};

struct CallScreen {
  CallHeader header;
  std::int64_t t_ms = 0;
  bool ended = false;
  std::string ending;
  bool agent_leg = true, consent = true;
  std::map<std::string, double> negative;  // weight of each state
  SpeechLane lanes[leg_count];             // customer, agent
  std::string state = "no_speech", direction = "steady", top;
  double confidence = 0;
  std::vector<std::pair<std::string, double>> probabilities;
  std::deque<double> trend;  // `negative` at each window, newest last
  std::string advice, advice_reason;
  std::deque<ShownAlert> alerts;  // not cleared, oldest first
  std::string quality[leg_count];
  LatencyFigures latency;

  void event(const Json& event);
  // The worst alert that is not cleared; nullptr when there is none.
  const ShownAlert* worst_alert() const;

 private:
  void on_emotion(const Json& event);
  void on_alert(const Json& event, const std::string& action);
};

}  // namespace serene::cli
