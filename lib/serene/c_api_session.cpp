#include <algorithm>
#include <atomic>
#include <vector>

#include "serene/c_api_support.h"

namespace serene::c_api {
namespace {

static_assert(SERENE_MOST_STATES == max_states);
static_assert(SERENE_EVENT_CALL == static_cast<int>(EventType::call));
static_assert(SERENE_EVENT_SPEECH == static_cast<int>(EventType::speech));
static_assert(SERENE_EVENT_SILENCE == static_cast<int>(EventType::silence));
static_assert(SERENE_EVENT_EMOTION == static_cast<int>(EventType::emotion));
static_assert(SERENE_EVENT_CONSENT == static_cast<int>(EventType::consent));
static_assert(SERENE_ACTION_START == static_cast<int>(EventAction::start));
static_assert(SERENE_ACTION_RAISED == static_cast<int>(EventAction::raised));
static_assert(SERENE_ACTION_GIVEN == static_cast<int>(EventAction::given));
static_assert(SERENE_DIRECTION_FALLING == static_cast<int>(Direction::falling));
static_assert(SERENE_LAMP_POOR == static_cast<int>(Lamp::poor));
static_assert(SERENE_STATE_NO_SPEECH == state_no_speech);
static_assert(SERENE_STATE_UNCERTAIN == state_uncertain);

constexpr std::size_t kUsualQueue = 512, kLongestQueue = std::size_t{1} << 20;
constexpr std::size_t kLongestLossS = 3600;

serene_event event_of(const Event& e, const CallModel& model) noexcept {
  serene_event out{};
  out.struct_size = sizeof out;
  out.sequence = e.sequence;
  out.time_ms = e.t_ms;
  out.at_ms = e.at_ms;
  out.duration_ms = e.duration_ms;
  out.type = static_cast<serene_event_type>(e.type);
  out.action = static_cast<serene_event_action>(e.action);
  out.rule = out.text = "";
  switch (e.type) {
    case EventType::emotion:
    case EventType::state:
      out.state = e.state, out.previous = e.previous, out.top = e.top;
      out.state_count = static_cast<int32_t>(model.states().size());
      out.confidence = e.confidence;
      std::copy(e.probabilities.begin(), e.probabilities.end(), out.probabilities);
      std::copy(e.window.begin(), e.window.end(), out.window);
      out.window_ms = e.window_ms, out.speech_ms = e.speech_ms;
      break;
    case EventType::trend:
      out.direction = static_cast<int32_t>(e.direction);
      out.negative = e.negative, out.slope_per_min = e.slope_per_min;
      break;
    case EventType::alert:
    case EventType::advice: {
      const Rule& rule = model.playbook().rules[static_cast<std::size_t>(e.rule)];
      out.rule = rule.id.c_str();
      out.text = (e.type == EventType::alert ? rule.text : rule.advice).c_str();
      out.alert = e.alert, out.value = e.value, out.supervisor = e.supervisor ? 1 : 0;
      break;
    }
    case EventType::quality:
      out.lamp = static_cast<int32_t>(e.lamp), out.band_limited = e.band_limited ? 1 : 0;
      out.level_dbfs = e.level_dbfs, out.snr_db = e.snr_db;
      out.clipping = e.clipping, out.loss = e.loss;
      break;
    default:
      break;
  }
  return out;
}

// Events until they are polled: a ring of fixed size, so that nothing allocates in a push.
class EventQueue {
 public:
  explicit EventQueue(std::size_t room) : ring_(room) {}
  std::size_t free() const noexcept { return ring_.size() - count_; }
  // There must be room.
  void put(const Event& e) noexcept { ring_[(first_ + count_++) % ring_.size()] = e; }
  bool take(Event& e) noexcept {
    if (count_ == 0) return false;
    e = ring_[first_];
    first_ = (first_ + 1) % ring_.size();
    --count_;
    return true;
  }

 private:
  std::vector<Event> ring_;
  std::size_t first_ = 0, count_ = 0;
};

}  // namespace
}  // namespace serene::c_api

using namespace serene::c_api;
using serene::Event;

struct serene_session final : serene::EventSink {
  serene_session(std::shared_ptr<const serene_model::Data> d, const serene_session_options& o)
      : data(std::move(d)),
        callback(o.on_event),
        user(o.user),
        rate_hz(o.rate_hz == 0 ? 16000 : o.rate_hz),
        // What one block of sound can tell: a few events of its own and a few of each rule.
        most_events(32 + 6 * data->call->playbook().rules.size()),
        queue(o.on_event != nullptr ? 0 : (o.queue_events == 0 ? kUsualQueue : o.queue_events) + 3 * most_events),
        session(*data->call, {.rate_hz = {rate_hz, rate_hz}, .agent_leg = false, .consent = o.without_consent == 0},
                *this) {}

  void on_event(const Event& e) noexcept override {
    if (callback == nullptr) return queue.put(e);
    const serene_event out = event_of(e, *data->call);
    callback(&out, user);
  }

  // Room for the events of a block, and after it of the unfinished block and the farewell of finish.
  bool room() const noexcept { return callback != nullptr || queue.free() >= 3 * most_events; }

  // Takes count samples through take(from, how many), a block at most at a time.
  template <class Take>
  serene_status feed(std::size_t count, std::size_t* taken, Take&& take) noexcept {
    const auto block = static_cast<std::size_t>(rate_hz) * serene::block_ms / 1000;
    std::size_t done = 0;
    while (done < count && room()) {
      const std::size_t n = std::min(block, count - done);
      take(done, n);
      done += n;
    }
    if (taken != nullptr) *taken = done;
    return done < count ? SERENE_FULL : SERENE_OK;
  }

  const std::shared_ptr<const serene_model::Data> data;
  const serene_event_callback callback;
  void* const user;
  const int rate_hz;
  const std::size_t most_events;
  EventQueue queue;
  bool finished = false;
  std::atomic_flag busy;
  serene::Session session;
};

namespace {

// Keeps a second thread, and a callback, out of a session in use. f: serene_status().
template <class F>
serene_status exclusively(serene_session* s, F&& f) noexcept {
  if (s == nullptr) return fail(SERENE_ERROR_USAGE, "session: is NULL");
  if (s->busy.test_and_set(std::memory_order_acquire)) {
    return fail(SERENE_ERROR_USAGE, "session: in use by another thread or by its own callback");
  }
  const serene_status status = f();
  s->busy.clear(std::memory_order_release);
  return status;
}

serene_status refuse_finished() noexcept { return fail(SERENE_ERROR_USAGE, "session: the call is over"); }

}  // namespace

serene_status serene_session_open(const serene_model* model, const serene_session_options* options,
                                  serene_session** session) {
  return guarded([&] {
    need(model, "model");
    need(session, "session");
    const serene_session_options o = known_part(options, "options");
    if (o.queue_events > kLongestQueue) {
      throw serene::Error(serene::ErrorCode::usage, "options.queue_events", "too many")
          .expected("at most " + std::to_string(kLongestQueue))
          .got(std::to_string(o.queue_events));
    }
    if (!model->data->call) {
      throw serene::Error(serene::ErrorCode::usage, "model", "cannot listen to calls: " + model->data->why_no_call);
    }
    *session = std::make_unique<serene_session>(model->data, o).release();
  });
}

serene_status serene_session_push(serene_session* session, const float* samples, size_t count, size_t* taken) {
  return exclusively(session, [&]() noexcept {
    if (samples == nullptr && count > 0) return fail(SERENE_ERROR_USAGE, "samples: is NULL");
    if (session->finished) return refuse_finished();
    return session->feed(count, taken, [&](std::size_t from, std::size_t n) {
      session->session.push(serene::Leg::customer, {samples + from, n});
    });
  });
}

serene_status serene_session_lose(serene_session* session, size_t count, size_t* taken) {
  return exclusively(session, [&]() noexcept {
    if (session->finished) return refuse_finished();
    if (count > kLongestLossS * static_cast<std::size_t>(session->rate_hz)) {
      return fail(SERENE_ERROR_USAGE, "count: more than an hour was lost");
    }
    return session->feed(count, taken, [&](std::size_t, std::size_t n) {
      session->session.lose(serene::Leg::customer, static_cast<serene::Index>(n));
    });
  });
}

serene_status serene_session_poll(serene_session* session, serene_event* event) {
  return exclusively(session, [&]() noexcept {
    if (event == nullptr) return fail(SERENE_ERROR_USAGE, "event: is NULL");
    if (event->struct_size < sizeof *event) return fail(SERENE_ERROR_USAGE, "event: struct_size is not set");
    Event next;
    if (!session->queue.take(next)) return static_cast<serene_status>(SERENE_EMPTY);
    give(event_of(next, *session->data->call), event);
    return static_cast<serene_status>(SERENE_OK);
  });
}

serene_status serene_session_set_consent(serene_session* session, int32_t given) {
  return exclusively(session, [&]() noexcept {
    if (session->finished) return refuse_finished();
    session->session.set_consent(given != 0);
    return static_cast<serene_status>(SERENE_OK);
  });
}

serene_status serene_session_acknowledge(serene_session* session, int64_t alert) {
  return exclusively(session, [&]() noexcept {
    if (session->finished) return refuse_finished();
    session->session.acknowledge(alert);
    return static_cast<serene_status>(SERENE_OK);
  });
}

serene_status serene_session_finish(serene_session* session) {
  return exclusively(session, [&]() noexcept {
    session->session.finish();
    session->finished = true;
    return static_cast<serene_status>(SERENE_OK);
  });
}

serene_status serene_session_close(serene_session* session) {
  if (session == nullptr) return SERENE_OK;
  const serene_status status = exclusively(session, []() noexcept { return static_cast<serene_status>(SERENE_OK); });
  if (status == SERENE_OK) delete session;
  return status;
}
