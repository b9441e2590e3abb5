#include "call_replay.h"

#include <algorithm>
#include <map>
#include <set>

#include "serene/io/file.h"

namespace serene::cli {
namespace {

constexpr std::int64_t kLongestCallMs = 24LL * 3600 * 1000;

bool is(const Json& event, const char* type, const char* action) {
  return event.value("type", Json()) == type && event.value("action", Json()) == action;
}

ReplayEvent event_of(const std::string& line, const std::string& where, std::int64_t after_ms) {
  Json json = parse_json(line, where);
  if (!json.is_object()) throw Error(ErrorCode::input, where, "not an event").expected("an object");
  const auto t = json.find("t_ms");
  if (t == json.end() || !t->is_number_integer() || !json.value("type", Json()).is_string())
    throw Error(ErrorCode::input, where, "not an event").expected("whole t_ms and a type");
  const auto t_ms = t->get<std::int64_t>();
  if (t_ms < after_ms || t_ms > kLongestCallMs)
    throw Error(ErrorCode::input, where + ": t_ms", "out of order or range").got(std::to_string(t_ms));
  json.erase("call");
  return {t_ms, std::move(json)};
}

// Numbers the events as they go out.
class Replayer {
 public:
  explicit Replayer(CallOutlet& outlet) : outlet_(outlet) {}

  void send(Json event) {
    event["seq"] = sequence_++;
    if (event.value("type", Json()) == "alert" && event.value("alert", Json()).is_number_integer()) note(event);
    outlet_.event(event, event.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  void obey(const std::vector<CallCommand>& commands, std::int64_t t_ms) {
    for (const CallCommand& c : commands) {
      if (c.kind != CallCommand::Kind::acknowledge) continue;
      const auto alert = open_.find(c.alert);
      if (alert == open_.end()) continue;
      Json event = alert->second;
      event["t_ms"] = t_ms;
      event["action"] = "acknowledged";
      send(std::move(event));
    }
  }

 private:
  void note(const Json& event) {
    const auto number = event["alert"].get<std::int64_t>();
    const bool open = is(event, "alert", "raised") || is(event, "alert", "escalated");
    if (open && acknowledged_.count(number) == 0) {
      open_[number] = event;
    } else if (!open) {
      open_.erase(number);
      acknowledged_.insert(number);
    }
  }

  CallOutlet& outlet_;
  std::int64_t sequence_ = 0;
  std::map<std::int64_t, Json> open_;  // raised, not acknowledged, not cleared
  std::set<std::int64_t> acknowledged_;
};

}  // namespace

std::vector<ReplayEvent> read_replay(const std::string& path) {
  const std::string text = read_text(path);
  std::vector<ReplayEvent> events;
  std::size_t number = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.empty()) continue;
    const std::string where = printable(path, 500) + ":" + std::to_string(number);
    events.push_back(event_of(line, where, events.empty() ? 0 : events.back().t_ms));
    if (events.size() == 1 && !is(events[0].event, "call", "start"))
      throw Error(ErrorCode::input, where, "a call begins with the event call/start");
  }
  if (events.empty()) throw Error(ErrorCode::input, printable(path, 500), "no events");
  return events;
}

void play_replay(const std::vector<ReplayEvent>& events, CallOutlet& outlet, double speed,
                 const std::atomic<bool>& stop) {
  Replayer replayer(outlet);
  const PlayClock clock(speed);
  std::size_t next = 0;
  std::int64_t told_ms = 0;
  for (std::int64_t t_ms = 0; next < events.size(); t_ms += block_ms) {
    if (!clock.wait_until(t_ms, stop)) break;
    replayer.obey(outlet.commands(), t_ms);
    while (next < events.size() && events[next].t_ms <= t_ms) replayer.send(events[next++].event);
    outlet.tick(t_ms);
    if (static_cast<double>(t_ms - told_ms) >= (speed > 0 ? 250 * speed : 5000)) {
      told_ms = t_ms;
      outlet.status(t_ms, {});
    }
  }
  if (next < events.size() && next > 0) {
    replayer.send(
        Json{{"seq", 0}, {"t_ms", events[next - 1].t_ms}, {"type", "call"}, {"action", "end"}, {"reason", "dropped"}});
  }
}

}  // namespace serene::cli
