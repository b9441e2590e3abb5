#include "call_station.h"

#ifdef SERENE_WITH_SERVER
#include <mutex>
#include <optional>

#include "serene/server/dashboard_server.h"
#include "serene/server/history.h"
#include "serene/server/hub.h"
#include "serene/server/strain.h"

namespace serene::cli {

struct CallStation::Impl {
  Hub hub;
  std::optional<DashboardServer> server;
  std::mutex mutex;  // of the history
  std::optional<History> history;
};

CallStation::CallStation() : impl_(std::make_unique<Impl>()) {}
CallStation::~CallStation() = default;

std::string CallStation::open_dashboard(int port) {
  DashboardOptions options;
  options.port = port;
  impl_->server.emplace(impl_->hub, options);
  return impl_->server->url();
}

void CallStation::open_history(const std::string& path, int keep_days) {
  HistoryOptions options;
  options.keep_days = keep_days;
  impl_->history.emplace(path.empty() ? History::default_path() : path, options);
}

bool CallStation::has_dashboard() const noexcept { return impl_->server.has_value(); }
bool CallStation::has_history() const noexcept { return impl_->history.has_value(); }

void CallStation::open(const CallRecord& call, const std::vector<std::string>& states) {
  if (!has_dashboard()) return;
  impl_->hub.open({call.id, call.title, call.started_at, call.source, call.model, call.consent, states});
}

void CallStation::publish(const std::string& id, const std::string& line) {
  if (has_dashboard()) impl_->hub.publish(id, line);
}

void CallStation::status(const std::string& id, std::int64_t t_ms, const LatencyFigures& latency) {
  if (has_dashboard()) impl_->hub.status(id, t_ms, latency.last, latency.median, latency.p99);
}

void CallStation::offer_sound(const std::string& id, const CallAudio& audio,
                              std::shared_ptr<const std::atomic<std::int64_t>> played_ms) {
  if (has_dashboard()) impl_->hub.set_audio(id, recorded_sound(audio.rate_hz, audio.samples, std::move(played_ms)));
}

std::vector<CallCommand> CallStation::commands(const std::string& id) {
  std::vector<CallCommand> list;
  if (!has_dashboard()) return list;
  for (const serene::Command& c : impl_->hub.take_commands(id)) {
    const bool consent = c.kind == serene::Command::Kind::consent;
    list.push_back({consent ? CallCommand::Kind::consent : CallCommand::Kind::acknowledge, c.alert, c.given});
  }
  return list;
}

void CallStation::add_document(const std::string& id, const std::string& name, const std::string& type,
                               const std::string& text) {
  if (has_dashboard()) impl_->hub.add_document(id, name, type, text);
}

void CallStation::close(const std::string& id) {
  if (has_dashboard()) impl_->hub.close(id);
}

void CallStation::begin_record(const CallRecord& call) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->history) impl_->history->begin(call);
}

bool CallStation::has_record(const std::string& id) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->history) return false;
  try {
    impl_->history->get(id);
    return true;
  } catch (const Error& e) {
    if (e.code() == ErrorCode::not_found) return false;
    throw;
  }
}

double CallStation::strain_before_min(const Playbook& playbook) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->history ? serene::strain_before_min(*impl_->history, playbook) : 0.0;
}

void CallStation::append_record(const std::string& id, std::span<const std::string> lines) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->history) impl_->history->append(id, lines);
}

void CallStation::end_record(const std::string& id, const std::string& reason) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->history) impl_->history->end(id, reason);
}

}  // namespace serene::cli

#else

namespace serene::cli {

struct CallStation::Impl {};

CallStation::CallStation() = default;
CallStation::~CallStation() = default;

std::string CallStation::open_dashboard(int) {
  throw Error(ErrorCode::usage, "--web", "this program was built without the dashboard")
      .hint("build with -DSERENE_SERVER=ON");
}
void CallStation::open_history(const std::string& path, int) {
  if (!path.empty()) {
    throw Error(ErrorCode::usage, "--history", "this program was built without the history")
        .hint("build with -DSERENE_SERVER=ON");
  }
}
bool CallStation::has_dashboard() const noexcept { return false; }
bool CallStation::has_history() const noexcept { return false; }
void CallStation::open(const CallRecord&, const std::vector<std::string>&) {}
void CallStation::publish(const std::string&, const std::string&) {}
void CallStation::status(const std::string&, std::int64_t, const LatencyFigures&) {}
void CallStation::offer_sound(const std::string&, const CallAudio&, std::shared_ptr<const std::atomic<std::int64_t>>) {}
std::vector<CallCommand> CallStation::commands(const std::string&) { return {}; }
void CallStation::add_document(const std::string&, const std::string&, const std::string&, const std::string&) {}
void CallStation::close(const std::string&) {}
void CallStation::begin_record(const CallRecord&) {}
bool CallStation::has_record(const std::string&) { return false; }
double CallStation::strain_before_min(const Playbook&) { return 0; }
void CallStation::append_record(const std::string&, std::span<const std::string>) {}
void CallStation::end_record(const std::string&, const std::string&) {}

}  // namespace serene::cli

#endif
