// The hub: the memory of all calls of this process, between the players that publish and the viewers that watch.
//
// Every published event gets a number n = 1, 2, 3, ... over all calls and is kept. A viewer is a cursor into that log,
// never a queue: a viewer that is slow, silent or gone costs nothing and delays nobody. Nothing here touches the disk.
// All members are thread-safe; the one lock is held for look-ups and appends only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serene/call/call_record.h"
#include "serene/core/json.h"
#include "serene/server/call_sound.h"

namespace serene {

struct CallInfo {
  std::string id;  // is_call_id
  std::string title;
  std::string started_at;  // ISO 8601, UTC
  std::string source;      // what is played: a scenario, files, the microphone
  std::string model;
  std::string consent;  // "required", "assumed", "off"
  std::vector<std::string> states;
};

// What a viewer asks of the player of a call.
struct Command {
  enum class Kind { acknowledge, consent };
  Kind kind = Kind::acknowledge;
  std::int64_t alert = 0;  // acknowledge: number of the alert within the call
  bool given = false;      // consent
};

struct Document {
  std::string name, type, text;  // type: a media type such as "text/html; charset=utf-8"
};

// One line of the log, ready to send: {"n":123,"call":"id","event":{...}}.
struct LogLine {
  std::int64_t n = 0;
  std::shared_ptr<const std::string> text;
  std::size_t event_at = 0,
              event_size = 0;  // where in text the event itself stands; size 0: "opened", "closed", "full"

  // Valid as long as text.
  std::string_view event() const noexcept { return std::string_view(*text).substr(event_at, event_size); }
};

struct CallState {
  CallInfo info;
  std::int64_t t_ms = 0;
  bool ended = false;
  bool audio = false;
  std::vector<std::string> documents;  // names, sorted
};

// A call with its events at one moment: `lines` are all its events up to number n of the log.
struct CallLog {
  CallState state;
  std::vector<LogLine> lines;
  std::int64_t n = 0;
};

struct HubLimits {
  std::size_t events_per_call =
      200'000;                      // about a day of talk; then the line {"n":..,"call":..,"full":true} and no more
  std::size_t closed_calls = 1000;  // then the call that closed first is forgotten, with its events
  std::size_t line_bytes = 64 * 1024;
  std::size_t waiting_commands = 1000;  // per call; further ones are refused
};

class Hub {
 public:
  explicit Hub(HubLimits limits = {});  // no calls yet
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  // --- players ---
  // Throws Error(usage) for an id that is_call_id refuses or that a call has already.
  void open(CallInfo info);
  // event_line: one JSON object without line end (event_line() of call/event.h). false, and nothing is kept, when the
  // call is unknown, closed or full, or the line is longer than allowed. Never waits for a viewer.
  bool publish(const std::string& call, std::string_view event_line);
  // The latest position and latency (milliseconds from the last sample of a window to its event). Shown, not logged.
  void status(const std::string& call, std::int64_t t_ms, double latency_last_ms, double latency_median_ms,
              double latency_p99_ms);
  void set_audio(const std::string& call, CallSound sound);
  // Replaces a document of the same name. name: "report.html", "summary.json", "events.csv", "events.jsonl"; also after
  // close(). Throws Error(usage) for a name that is_call_id refuses.
  void add_document(const std::string& call, const std::string& name, std::string type, std::string text);
  // No more events; the call stays to be looked at.
  void close(const std::string& call);
  // What viewers have asked since the last time, in order.
  std::vector<Command> take_commands(const std::string& call);

  // --- viewers ---
  // Lines with number > after, in order, together at most max_bytes (but at least one line), of one call or, with "",
  // of all.
  std::vector<LogLine> lines_after(std::int64_t after, const std::string& call, std::size_t max_bytes) const;
  std::int64_t last() const;  // number of the last line, 0 when there is none
  // Names this hub among those of earlier and later processes, whose numbers mean other lines.
  const std::string& boot() const noexcept { return boot_; }
  std::vector<CallState> calls() const;  // in the order of their opening
  std::optional<CallLog> log_of(const std::string& call) const;
  CallSound audio(const std::string& call) const;  // without functions when none is kept
  std::shared_ptr<const Document> document(const std::string& call, const std::string& name) const;
  // Lines {"call":"id","status":{...}} changed since `revision`, which moves on.
  std::vector<std::string> statuses_after(std::int64_t& revision, const std::string& call) const;
  // false when the call is unknown or closed or too many commands wait.
  bool command(const std::string& call, const Command& command);

  // Called after every new line, with the hub's lock held: must be quick and must not call the hub. An empty function
  // removes it; afterwards the old one is never called.
  void on_change(std::function<void()> listener);

 private:
  struct Call {
    CallInfo info;
    std::int64_t order = 0;  // of opening
    std::vector<LogLine> lines;
    std::size_t events = 0;
    bool full = false, ended = false;
    std::int64_t t_ms = 0;
    std::string status;
    std::int64_t status_revision = 0;
    CallSound sound;
    std::map<std::string, std::shared_ptr<const Document>> documents;
    std::deque<Command> commands;
  };

  Call* find(const std::string& id);
  const Call* find(const std::string& id) const;
  void append(Call& call, std::string_view key, std::string_view value, bool event);
  void forget_oldest_closed();
  static CallState state_of(const Call& call);

  const HubLimits limits_;
  const std::string boot_;
  mutable std::mutex mutex_;
  std::map<std::string, Call> calls_;
  std::map<std::int64_t, LogLine> log_;
  std::deque<std::string> closed_;  // in the order of closing
  std::int64_t last_ = 0, opened_ = 0, status_revision_ = 0;
  std::function<void()> listener_;
};

// {"id","title","started_at","source","model","consent","states"}
Json to_json(const CallInfo& info);

// One line of JSON; bytes that are not UTF-8 become U+FFFD.
std::string dump_line(const Json& json);

}  // namespace serene
