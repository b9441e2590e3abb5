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

bool needs_consent(const Json& event) {
  static const std::set<std::string> kinds{"emotion", "state", "trend", "alert", "advice"};
  return kinds.count(event["type"].get<std::string>()) != 0;
}

// Numbers the events as they go out, and answers what is asked meanwhile.
class Replayer {
 public:
  Replayer(CallOutlet& outlet, bool consent_may_change) : outlet_(outlet), may_change_(consent_may_change) {}

  // An event of the recording.
  void play(Json event) {
    const std::string type = event["type"].get<std::string>();
    if (type == "consent" && withdrawn_) return;
    if (type == "call" && event.value("consent", Json()).is_boolean()) given_ = event["consent"].get<bool>();
    if (type == "consent") given_ = event.value("action", Json()) == "given";
    if (withdrawn_ && needs_consent(event)) return;
    if (type == "alert" && !is(event, "alert", "raised") && open_.count(number_of(event)) == 0) {
      return;  // raised while nothing was shown, or cleared then
    }
    if (is(event, "advice", "withdrawn") && shown_.is_null()) return;
    send(std::move(event));
  }

  void obey(const std::vector<CallCommand>& commands, std::int64_t t_ms) {
    for (const CallCommand& c : commands) {
      if (c.kind == CallCommand::Kind::acknowledge) acknowledge(c.alert, t_ms);
      if (c.kind == CallCommand::Kind::consent && may_change_ && c.given != given_) change_consent(c.given, t_ms);
    }
  }

  void send(Json event) {
    event["seq"] = sequence_++;
    note(event);
    outlet_.event(event, event.dump(-1, ' ', false, Json::error_handler_t::replace));
  }

 private:
  struct OpenAlert {
    Json event;
    bool acknowledged = false;
  };

  static std::int64_t number_of(const Json& event) {
    const auto number = event.find("alert");
    return number != event.end() && number->is_number_integer() ? number->get<std::int64_t>() : -1;
  }

  void note(const Json& event) {
    const bool cleared = is(event, "alert", "cleared");
    if (cleared) open_.erase(number_of(event));
    if (!cleared && event["type"] == "alert") {
      OpenAlert& alert = open_[number_of(event)];
      alert.event = event;
      alert.acknowledged = alert.acknowledged || is(event, "alert", "acknowledged");
    }
    if (is(event, "advice", "shown")) shown_ = event;
    if (is(event, "advice", "withdrawn")) shown_ = Json();
  }

  void repeat(Json event, const char* action, const char* reason, std::int64_t t_ms) {
    event["t_ms"] = t_ms;
    event["action"] = action;
    if (reason != nullptr) event["reason"] = reason;
    send(std::move(event));
  }

  void acknowledge(std::int64_t number, std::int64_t t_ms) {
    const auto alert = open_.find(number);
    if (alert == open_.end() || alert->second.acknowledged) return;
    repeat(alert->second.event, "acknowledged", nullptr, t_ms);
  }

  void change_consent(bool given, std::int64_t t_ms) {
    given_ = given;
    withdrawn_ = !given;
    send(Json{{"seq", 0}, {"t_ms", t_ms}, {"type", "consent"}, {"action", given ? "given" : "withdrawn"}});
    if (given) return;
    while (!open_.empty()) repeat(open_.begin()->second.event, "cleared", "", t_ms);
    if (!shown_.is_null()) repeat(shown_, "withdrawn", "", t_ms);
  }

  CallOutlet& outlet_;
  bool may_change_;
  bool given_ = true, withdrawn_ = false;  // withdrawn_: on the page
  std::int64_t sequence_ = 0;
  std::map<std::int64_t, OpenAlert> open_;  // by number, not cleared
  Json shown_;                              // advice on the screen, or null
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

void play_replay(const std::vector<ReplayEvent>& events, CallOutlet& outlet, const PlayOptions& options,
                 const std::atomic<bool>& stop) {
  Replayer replayer(outlet, options.consent_may_change);
  const PlayClock clock(options.speed);
  std::size_t next = 0;
  std::int64_t told_ms = 0;
  for (std::int64_t t_ms = 0; next < events.size(); t_ms += block_ms) {
    if (!clock.wait_until(t_ms, stop)) break;
    replayer.obey(outlet.commands(), t_ms);
    while (next < events.size() && events[next].t_ms <= t_ms) replayer.play(events[next++].event);
    outlet.tick(t_ms);
    if (static_cast<double>(t_ms - told_ms) >= (options.speed > 0 ? 250 * options.speed : 5000)) {
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
