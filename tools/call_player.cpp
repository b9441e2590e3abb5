#include "call_player.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "serene/eval/text_table.h"

namespace serene::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

// Holds events until the push is over, with the time that each took: writing them out is not part of the latency.
class EventQueue : public EventSink {
 public:
  EventQueue() { waiting_.reserve(256); }
  void entered() noexcept { entered_ns_ = now_ns(); }
  void on_event(const Event& event) noexcept override {
    waiting_.push_back(event);
    if (event.type == EventType::emotion) latency_.add(static_cast<double>(now_ns() - entered_ns_) * 1e-6);
  }
  void drain(const CallModel& model, CallOutlet& outlet) {
    for (const Event& event : waiting_) {
      const std::string line = event_line(event, model);
      outlet.event(parse_json(line, "event"), line);
    }
    waiting_.clear();
  }
  const LatencyMeter& latency() const { return latency_; }

 private:
  std::int64_t entered_ns_ = now_ns();
  std::vector<Event> waiting_;
  LatencyMeter latency_;
};

class TimedInput : public CallInput {
 public:
  TimedInput(Session& session, EventQueue& queue) : session_(session), queue_(queue) {}
  void push(Leg leg, std::span<const float> samples) override {
    queue_.entered();
    session_.push(leg, samples);
  }
  void lose(Leg leg, Index samples) override {
    queue_.entered();
    session_.lose(leg, samples);
  }

 private:
  Session& session_;
  EventQueue& queue_;
};

void obey(const std::vector<CallCommand>& commands, const PlayOptions& options, Session& session) {
  for (const CallCommand& c : commands) {
    if (c.kind == CallCommand::Kind::acknowledge) session.acknowledge(c.alert);
    if (c.kind == CallCommand::Kind::consent && options.consent_may_change) session.set_consent(c.given);
  }
}

}  // namespace

LatencyFigures LatencyMeter::figures() const {
  LatencyFigures f;
  f.windows = values_.size();
  if (values_.empty()) return f;
  f.last = values_.back();
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const auto rank = [&](std::size_t percent) { return sorted[(sorted.size() * percent + 99) / 100 - 1]; };
  f.median = rank(50);
  f.p99 = rank(99);
  f.max = sorted.back();
  return f;
}

std::string LatencyMeter::text(const LatencyFigures& f) {
  return "latency median " + fixed(f.median, 1) + " ms, p99 " + fixed(f.p99, 1) + " ms, max " + fixed(f.max, 1) +
         " ms over " + std::to_string(f.windows) + (f.windows == 1 ? " window" : " windows");
}

LatencyFigures LatencyMeter::all(const std::vector<LatencyMeter>& calls) {
  LatencyMeter together;
  for (const LatencyMeter& m : calls)
    together.values_.insert(together.values_.end(), m.values_.begin(), m.values_.end());
  return together.figures();
}

PlayClock::PlayClock(double speed) : speed_(speed), start_ns_(now_ns()) {}

bool PlayClock::wait_until(std::int64_t t_ms, const std::atomic<bool>& stop) const {
  using std::chrono::nanoseconds;
  if (speed_ > 0) {
    const Clock::time_point deadline{
        nanoseconds(start_ns_ + static_cast<std::int64_t>(1e6 * static_cast<double>(t_ms) / speed_))};
    // Short sleeps: a stop is seen soon.
    for (auto now = Clock::now(); now < deadline && !stop; now = Clock::now()) {
      std::this_thread::sleep_until(std::min(deadline, now + std::chrono::milliseconds(50)));
    }
  }
  return !stop;
}

LatencyMeter play_call(const CallModel& model, CallFeed& feed, CallOutlet& outlet, const PlayOptions& options,
                       const std::atomic<bool>& stop) {
  EventQueue queue;
  SessionOptions so;
  so.rate_hz = feed.rate_hz();
  so.agent_leg = feed.agent_leg();
  so.consent = options.consent;
  so.strain_before_min = options.strain_before_min;
  Session session(model, so, queue);
  TimedInput input(session, queue);
  queue.drain(model, outlet);

  const PlayClock clock(options.speed);
  std::int64_t told_ns = now_ns();
  const char* reason = "dropped";
  for (std::int64_t t_ms = block_ms;; t_ms += block_ms) {
    if (feed.live() ? stop.load() : !clock.wait_until(t_ms, stop)) break;
    obey(outlet.commands(), options, session);
    if (!feed.push_next(input)) {
      reason = feed.ending();
      break;
    }
    queue.drain(model, outlet);
    outlet.tick(session.time_ms());
    if (const std::int64_t now = now_ns(); now - told_ns >= 250'000'000) {
      told_ns = now;
      outlet.status(session.time_ms(), queue.latency().figures());
    }
  }
  session.finish(reason);
  queue.drain(model, outlet);
  outlet.status(session.time_ms(), queue.latency().figures());
  return queue.latency();
}

}  // namespace serene::cli
