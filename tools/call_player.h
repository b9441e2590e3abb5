// The player: brings a call's audio to a session in the time of a clock, and takes away what the session tells.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "call_feed.h"
#include "serene/core/json.h"

namespace serene::cli {

// Milliseconds from the entry of the push that brought a window's last sample to the event at the sink.
struct LatencyFigures {
  std::size_t windows = 0;
  double last = 0, median = 0, p99 = 0, max = 0;
};

class LatencyMeter {
 public:
  void add(double ms) { values_.push_back(ms); }
  LatencyFigures figures() const;  // nearest ranks
  // "latency median 1.9 ms, p99 3.1 ms, max 3.4 ms over 83 windows"
  static std::string text(const LatencyFigures& figures);
  static LatencyFigures all(const std::vector<LatencyMeter>& calls);

 private:
  std::vector<double> values_;
};

// What a person at a screen asks of a running call.
struct CallCommand {
  enum class Kind { acknowledge, consent } kind = Kind::acknowledge;
  std::int64_t alert = 0;
  bool given = false;
};

// Where a playing call goes. Used by the thread that plays it.
class CallOutlet {
 public:
  virtual ~CallOutlet() = default;
  // line: the event as one line of JSON.
  virtual void event(const Json& event, const std::string& line) = 0;
  virtual void tick(std::int64_t t_ms) = 0;                                   // each block
  virtual void status(std::int64_t t_ms, const LatencyFigures& latency) = 0;  // every 250 ms of real time
  virtual std::vector<CallCommand> commands() = 0;
};

struct PlayOptions {
  double speed = 1;  // 0: as fast as it goes
  bool consent = true;
  bool consent_may_change = true;  // false: commands of consent are not heard
  double strain_before_min = 0;
};

// One call among those that a thread plays; feed and outlet must outlive the playing.
struct PlayedCall {
  CallFeed* feed = nullptr;
  CallOutlet* outlet = nullptr;
  PlayOptions options;  // the same speed for all
  LatencyMeter latency;
  std::exception_ptr problem;  // what ended the call, if not its feed or `stop`
};

// Plays the calls side by side on the calling thread, 20 ms of each in turn, until all feeds have ended or `stop` is
// set (then they end as "dropped"); windows that are due together go through the model together (call/emotion_batch.h).
// Deadlines are counted from the start, so that nothing drifts. A call that fails leaves the others alone; once it
// runs, everything that was heard is brought to its end.
void play_calls(const CallModel& model, std::vector<PlayedCall>& calls, const std::atomic<bool>& stop);

// The call's own time: call milliseconds that have passed become points of real time.
class PlayClock {
 public:
  explicit PlayClock(double speed);
  // Returns at once when speed is 0 or the moment has passed; false when `stop` was set.
  bool wait_until(std::int64_t t_ms, const std::atomic<bool>& stop) const;

 private:
  double speed_;
  std::int64_t start_ns_;
};

}  // namespace serene::cli
