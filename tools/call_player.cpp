#include "call_player.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "serene/call/emotion_batch.h"
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

namespace {

// One call on its way.
class LivePlay {
 public:
  LivePlay(const CallModel& model, PlayedCall& call, EmotionBatch* batch)
      : model_(model), call_(call), session_(model, session_options(call, batch), queue_), input_(session_, queue_) {
    queue_.drain(model_, *call_.outlet);
  }

  // The next 20 ms in. False: the feed is over.
  bool push() {
    obey(call_.outlet->commands(), call_.options, session_);
    return call_.feed->push_next(input_);
  }

  // What came of them out.
  void tell() {
    session_.deliver();
    queue_.drain(model_, *call_.outlet);
    call_.outlet->tick(session_.time_ms());
    if (const std::int64_t now = now_ns(); now - told_ns_ >= 250'000'000) {
      told_ns_ = now;
      call_.outlet->status(session_.time_ms(), queue_.latency().figures());
    }
  }

  void finish(const char* reason) {
    session_.finish(reason);
    queue_.drain(model_, *call_.outlet);
    call_.outlet->status(session_.time_ms(), queue_.latency().figures());
    call_.latency = queue_.latency();
  }

 private:
  static SessionOptions session_options(const PlayedCall& call, EmotionBatch* batch) {
    SessionOptions o;
    o.rate_hz = call.feed->rate_hz();
    o.agent_leg = call.feed->agent_leg();
    o.consent = call.options.consent;
    o.strain_before_min = call.options.strain_before_min;
    o.batch = batch;
    return o;
  }

  const CallModel& model_;
  PlayedCall& call_;
  EventQueue queue_;
  Session session_;
  TimedInput input_;
  std::int64_t told_ns_ = now_ns();
};

// The calls of one thread: those that have not ended, in the order in which they were named.
class SideBySide {
 public:
  SideBySide(const CallModel& model, std::vector<PlayedCall>& calls) : calls_(calls), plays_(calls.size()) {
    constexpr std::size_t kMostTogether = 32;
    if (calls.size() > 1) batch_.emplace(model, static_cast<Index>(std::min(calls.size(), kMostTogether)));
    for (std::size_t i = 0; i < calls.size(); ++i) {
      try {
        plays_[i] = std::make_unique<LivePlay>(model, calls_[i], batch_ ? &*batch_ : nullptr);
      } catch (...) {
        calls_[i].problem = std::current_exception();
      }
    }
  }

  bool any() const {
    return std::any_of(plays_.begin(), plays_.end(), [](const auto& play) { return play != nullptr; });
  }

  void step() {
    std::vector<bool> over(plays_.size());
    for (std::size_t i = 0; i < plays_.size(); ++i) {
      attempt(i, [&] { over[i] = !plays_[i]->push(); });
    }
    if (batch_) batch_->run();
    for (std::size_t i = 0; i < plays_.size(); ++i) {
      if (over[i]) {
        end(i, calls_[i].feed->ending());
      } else {
        attempt(i, [&] { plays_[i]->tell(); });
      }
    }
  }

  void end_all(const char* reason) {
    for (std::size_t i = 0; i < plays_.size(); ++i) end(i, reason);
  }

 private:
  void end(std::size_t i, const char* reason) {
    attempt(i, [&] { plays_[i]->finish(reason); });
    plays_[i].reset();
  }

  // Runs a part of call i, if it still plays; an error ends it.
  template <class F>
  void attempt(std::size_t i, F&& part) {
    if (plays_[i] == nullptr) return;
    try {
      part();
    } catch (...) {
      calls_[i].problem = std::current_exception();
      plays_[i].reset();
    }
  }

  std::vector<PlayedCall>& calls_;
  std::optional<EmotionBatch> batch_;
  std::vector<std::unique_ptr<LivePlay>> plays_;
};

}  // namespace

void play_calls(const CallModel& model, std::vector<PlayedCall>& calls, const std::atomic<bool>& stop) {
  if (calls.empty()) return;
  SideBySide plays(model, calls);
  const PlayClock clock(calls[0].options.speed);
  const bool live = calls[0].feed->live();
  for (std::int64_t t_ms = block_ms; plays.any(); t_ms += block_ms) {
    if (live ? stop.load() : !clock.wait_until(t_ms, stop)) break;
    plays.step();
  }
  plays.end_all("dropped");
}

}  // namespace serene::cli
