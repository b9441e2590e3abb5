#include "serene/server/hub.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "serene/core/error.h"

namespace serene {

namespace {

std::string new_boot_name() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()) + "-" +
         std::to_string(::getpid());
}

double latency(double ms) { return std::isfinite(ms) ? std::round(ms * 1000) / 1000 : 0; }

}  // namespace

std::string dump_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json to_json(const CallInfo& info) {
  Json json;
  json["id"] = info.id;
  json["title"] = info.title;
  json["started_at"] = info.started_at;
  json["source"] = info.source;
  json["model"] = info.model;
  json["consent"] = info.consent;
  json["states"] = info.states;
  return json;
}

Hub::Hub(HubLimits limits) : limits_(limits), boot_(new_boot_name()) {}

Hub::Call* Hub::find(const std::string& id) {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : &found->second;
}

const Hub::Call* Hub::find(const std::string& id) const {
  const auto found = calls_.find(id);
  return found == calls_.end() ? nullptr : &found->second;
}

void Hub::append(Call& call, std::string_view key, std::string_view value, bool event) {
  const std::int64_t n = last_ + 1;
  std::string text = "{\"n\":" + std::to_string(n) + ",\"call\":\"" + call.info.id + "\",\"";
  text.append(key).append("\":");
  LogLine line;
  line.n = n;
  line.event_at = text.size();
  line.event_size = event ? value.size() : 0;
  text.append(value).append("}");
  line.text = std::make_shared<const std::string>(std::move(text));
  call.lines.push_back(line);
  log_.emplace_hint(log_.end(), n, std::move(line));
  last_ = n;
  if (listener_) listener_();
}

void Hub::open(CallInfo info) {
  if (!is_call_id(info.id)) {
    throw Error(ErrorCode::usage, "call " + printable(info.id), "not a name for a call")
        .expected("1 to 64 letters, digits, '-', '_' or '.', not '.' first");
  }
  const std::string opened = dump_line(to_json(info));
  const std::lock_guard lock(mutex_);
  const std::string id = info.id;
  if (calls_.count(id) != 0) throw Error(ErrorCode::usage, "call " + id, "there already");
  Call& call = calls_[id];
  call.info = std::move(info);
  call.order = ++opened_;
  append(call, "opened", opened, false);
}

bool Hub::publish(const std::string& id, std::string_view event_line) {
  if (event_line.size() > limits_.line_bytes || event_line.size() < 2 || event_line.front() != '{' ||
      event_line.back() != '}') {
    return false;
  }
  const std::lock_guard lock(mutex_);
  Call* call = find(id);
  if (call == nullptr || call->ended || call->full) return false;
  if (call->events >= limits_.events_per_call) {
    call->full = true;
    append(*call, "full", "true", false);
    return false;
  }
  ++call->events;
  append(*call, "event", event_line, true);
  return true;
}

void Hub::status(const std::string& id, std::int64_t t_ms, double latency_last_ms, double latency_median_ms,
                 double latency_p99_ms) {
  Json json;
  json["call"] = id;
  json["status"]["t_ms"] = t_ms;
  json["status"]["latency_ms"]["last"] = latency(latency_last_ms);
  json["status"]["latency_ms"]["median"] = latency(latency_median_ms);
  json["status"]["latency_ms"]["p99"] = latency(latency_p99_ms);
  std::string text = dump_line(json);
  const std::lock_guard lock(mutex_);
  Call* call = find(id);
  if (call == nullptr) return;
  call->t_ms = t_ms;
  call->status = std::move(text);
  call->status_revision = ++status_revision_;
}

void Hub::set_audio(const std::string& id, CallSound sound) {
  const std::lock_guard lock(mutex_);
  if (Call* call = find(id)) call->sound = std::move(sound);
}

void Hub::add_document(const std::string& id, const std::string& name, std::string type, std::string text) {
  if (!is_call_id(name)) throw Error(ErrorCode::usage, "document " + printable(name), "not a name for a document");
  auto document = std::make_shared<const Document>(Document{name, std::move(type), std::move(text)});
  const std::lock_guard lock(mutex_);
  if (Call* call = find(id)) call->documents[name] = std::move(document);
}

void Hub::close(const std::string& id) {
  const std::lock_guard lock(mutex_);
  Call* call = find(id);
  if (call == nullptr || call->ended) return;
  call->ended = true;
  call->commands.clear();
  append(*call, "closed", "true", false);
  closed_.push_back(id);
  if (closed_.size() > limits_.closed_calls) forget_oldest_closed();
}

void Hub::forget_oldest_closed() {
  const auto found = calls_.find(closed_.front());
  for (const LogLine& line : found->second.lines) log_.erase(line.n);
  calls_.erase(found);
  closed_.pop_front();
}

std::vector<Command> Hub::take_commands(const std::string& id) {
  const std::lock_guard lock(mutex_);
  Call* call = find(id);
  if (call == nullptr) return {};
  std::vector<Command> taken(call->commands.begin(), call->commands.end());
  call->commands.clear();
  return taken;
}

bool Hub::command(const std::string& id, const Command& command) {
  const std::lock_guard lock(mutex_);
  Call* call = find(id);
  if (call == nullptr || call->ended || call->commands.size() >= limits_.waiting_commands) return false;
  call->commands.push_back(command);
  return true;
}

std::vector<LogLine> Hub::lines_after(std::int64_t after, const std::string& id, std::size_t max_bytes) const {
  std::vector<LogLine> taken;
  std::size_t bytes = 0;
  // The comma and the brackets of the array around the lines count as well.
  const auto take = [&](const LogLine& line) {
    bytes += line.text->size() + 2;
    if (!taken.empty() && bytes > max_bytes) return false;
    taken.push_back(line);
    return true;
  };
  const std::lock_guard lock(mutex_);
  if (id.empty()) {
    for (auto at = log_.upper_bound(after); at != log_.end() && take(at->second); ++at) continue;
  } else if (const Call* call = find(id)) {
    auto at = std::upper_bound(call->lines.begin(), call->lines.end(), after,
                               [](std::int64_t n, const LogLine& line) { return n < line.n; });
    for (; at != call->lines.end() && take(*at); ++at) continue;
  }
  return taken;
}

std::int64_t Hub::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

CallState Hub::state_of(const Call& call) {
  CallState state;
  state.info = call.info;
  state.t_ms = call.t_ms;
  state.ended = call.ended;
  state.audio = static_cast<bool>(call.sound);
  for (const auto& [name, document] : call.documents) state.documents.push_back(name);
  return state;
}

std::vector<CallState> Hub::calls() const {
  std::vector<std::pair<std::int64_t, CallState>> ordered;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, call] : calls_) ordered.emplace_back(call.order, state_of(call));
  }
  std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<CallState> list;
  for (auto& [order, state] : ordered) list.push_back(std::move(state));
  return list;
}

std::optional<CallLog> Hub::log_of(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const Call* call = find(id);
  if (call == nullptr) return std::nullopt;
  CallLog log;
  log.state = state_of(*call);
  log.n = last_;
  log.lines.reserve(call->events);
  for (const LogLine& line : call->lines) {
    if (line.event_size > 0) log.lines.push_back(line);
  }
  return log;
}

CallSound Hub::audio(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const Call* call = find(id);
  return call == nullptr ? CallSound{} : call->sound;
}

std::shared_ptr<const Document> Hub::document(const std::string& id, const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const Call* call = find(id);
  if (call == nullptr) return nullptr;
  const auto found = call->documents.find(name);
  return found == call->documents.end() ? nullptr : found->second;
}

std::vector<std::string> Hub::statuses_after(std::int64_t& revision, const std::string& id) const {
  std::vector<std::string> list;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, call] : calls_) {
    if ((id.empty() || name == id) && call.status_revision > revision) list.push_back(call.status);
  }
  revision = status_revision_;
  return list;
}

void Hub::on_change(std::function<void()> listener) {
  const std::lock_guard lock(mutex_);
  listener_ = std::move(listener);
}

}  // namespace serene
