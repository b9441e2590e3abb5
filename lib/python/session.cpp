// serene.Session: one leg of a live call.
#include "serene/call/session.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "arguments.h"
#include "bindings.h"

namespace serene::python {
namespace {

constexpr const char* kSessionDoc =
    "Session(recognizer, rate=16000, config=None, on_event=None, *, playbook=None, consent=True)\n\n"
    "Listens to one speaker, the customer of a call, while it lasts.\n\n"
    "recognizer: a Recognizer, shared with any number of sessions, or the path of a model.\n"
    "rate: of the samples in Hz, 8000 to 192000, a multiple of 50.\n"
    "config, playbook: how the call is heard, and its alerts and advice: dicts or paths of JSON files as in\n"
    "    configs/call; None: the usual values, no alerts and no advice.\n"
    "on_event: called with each event, a dict, inside push and finish; None: events wait for poll(). What it raises\n"
    "    comes out of push or finish, which have taken their samples by then; the events after that one come with the\n"
    "    next call, or by poll. It must not use the session itself.\n"
    "consent: False: nothing is recognised until set_consent(True).\n\n"
    "Events depend on the samples and never on how they were cut into pushes. Their fields are those of the lines\n"
    "that `serene call --headless` writes: seq, t_ms (milliseconds of sound), type (call, speech, silence, emotion,\n"
    "state, trend, alert, advice, quality, consent) and those of the type.\n\n"
    "Raises serene.Error for a model, config, playbook or rate that does not fit, and for a session that is used by\n"
    "two threads at once, from its own callback or after finish().";

constexpr const char* kPushDoc =
    "push(samples)\n\n"
    "The next samples: 1-D C-contiguous float32, mono, full scale 1, as many as there are, read where they lie. One\n"
    "that is not finite counts as 0 and is reported by the next event of type quality. Works without the GIL.";

constexpr const char* kLoseDoc =
    "lose(count)\n\n"
    "So many samples were lost on the way, at most an hour: silence in their place, counted as loss.";

constexpr const char* kPollDoc =
    "poll() -> list of dict\n\nThe events since the last poll, in order. Empty with on_event.";

constexpr const char* kFinishDoc =
    "finish()\n\nThe call is over: what is open stops, the event call/end comes last. Afterwards only poll is left.";

constexpr Index kLongestLossS = 3600;

CallModel call_model_of(const py::object& recognizer, const py::object& config, const py::object& playbook) {
  const auto read = [](const py::object& from, const char* name, auto&& parse) {
    const Document document = document_of(from, name);
    return with_context(document.where, [&] {
      JsonReader reader(document.json, "");
      return parse(reader);
    });
  };
  CallConfig call;
  Playbook rules;
  if (!config.is_none()) call = read(config, "config", call_config_from_json);
  if (!playbook.is_none()) rules = read(playbook, "playbook", playbook_from_json);
  if (py::isinstance<Recognizer>(recognizer)) {
    return CallModel(recognizer.cast<const Recognizer&>(), std::move(call), std::move(rules));
  }
  const std::string path = path_of(recognizer, "recognizer");
  const py::gil_scoped_release free_gil;
  return CallModel(Recognizer::open(path), std::move(call), std::move(rules));
}

class PythonSession final : public EventSink {
 public:
  PythonSession(CallModel model, int rate_hz, py::object on_event, bool consent)
      : callback(std::move(on_event)),
        model_(std::move(model)),
        block_(rate_hz * block_ms / 1000),
        // What one block of sound can tell: a few events of its own and a few of each rule.
        most_events_(32 + 6 * model_.playbook().rules.size()),
        session_(model_, {.rate_hz = {rate_hz, rate_hz}, .agent_leg = false, .consent = consent}, with_room()) {}

  // There is room: see make_room.
  void on_event(const Event& event) noexcept override { events_.push_back(event); }

  void push(const py::object& samples) {
    const auto values = float_values(samples, 1, "samples");
    feed(static_cast<Index>(values.size()), [&](Index from, Index n) {
      session_.push(Leg::customer, values.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(n)));
    });
  }

  void lose(Index count) {
    if (count < 0 || count > kLongestLossS * 1000 / block_ms * block_) {
      throw Error(ErrorCode::usage, "count", "out of range").expected("samples of at most an hour");
    }
    feed(count, [&](Index, Index n) { session_.lose(Leg::customer, n); });
  }

  void finish() {
    use([&] {
      const py::gil_scoped_release free_gil;
      make_room();
      session_.finish();
      finished_ = true;
    });
  }

  void set_consent(bool given) {
    use([&] { session_.set_consent(given); });
  }

  void acknowledge(std::int64_t alert) {
    use([&] { session_.acknowledge(alert); });
  }

  py::list poll() {
    const InUse guard(*this);
    py::list list;
    while (first_ < events_.size()) list.append(take());
    return list;
  }

  std::int64_t time_ms() {
    const InUse guard(*this);
    return session_.time_ms();
  }

  py::object callback;  // or None; in the garbage collector's sight

 private:
  // Keeps a second thread, and the callback, out of a session in use. Made and ended with the GIL.
  struct InUse {
    explicit InUse(PythonSession& s) : session(s) {
      if (s.busy_) throw Error(ErrorCode::usage, "session", "in use by another thread or by its own callback");
      s.busy_ = true;
    }
    ~InUse() { session.busy_ = false; }
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;
    PythonSession& session;
  };

  // Events of a block, of the one before that waits for its end, and of the farewell: so on_event never allocates.
  void make_room() {
    const std::size_t wanted = events_.size() + 3 * most_events_;
    if (events_.capacity() < wanted) events_.reserve(std::max(wanted, 2 * events_.capacity()));
  }
  PythonSession& with_room() { return make_room(), *this; }

  template <class F>
  void use(F&& work) {
    const InUse guard(*this);
    if (finished_) throw Error(ErrorCode::usage, "session", "the call is over");
    work();
    if (!callback.is_none()) {
      while (first_ < events_.size()) callback(take());
    }
  }

  // Gives count samples to take(from, how many), a block at most at a time.
  template <class F>
  void feed(Index count, F&& take_samples) {
    use([&] {
      const py::gil_scoped_release free_gil;
      for (Index done = 0; done < count; done += block_) {
        make_room();
        take_samples(done, std::min(block_, count - done));
      }
    });
  }

  // The first event that waits.
  py::object take() {
    py::object event = python_of_text(event_line(events_[first_], model_));
    if (++first_ == events_.size()) events_.clear(), first_ = 0;
    return event;
  }

  const CallModel model_;
  const Index block_;
  const std::size_t most_events_;
  std::vector<Event> events_;  // those from first_ on wait
  std::size_t first_ = 0;
  bool busy_ = false, finished_ = false;
  serene::Session session_;  // sends its first event when it is made: comes last
};

std::unique_ptr<PythonSession> open(const py::object& recognizer, int rate, const py::object& config,
                                    py::object on_event, const py::object& playbook, bool consent) {
  if (!on_event.is_none() && PyCallable_Check(on_event.ptr()) == 0) {
    throw py::type_error("on_event: must be callable");
  }
  return std::make_unique<PythonSession>(call_model_of(recognizer, config, playbook), rate, std::move(on_event),
                                         consent);
}

// A callback often refers to its own session: the garbage collector must see the circle.
void show_callback(PyHeapTypeObject* heap_type) {
  PyTypeObject& type = heap_type->ht_type;
  type.tp_flags |= Py_TPFLAGS_HAVE_GC;
  const static auto session_of = [](PyObject* self) -> PythonSession* {
    auto held = reinterpret_cast<py::detail::instance*>(self)->get_value_and_holder();
    return held.holder_constructed() ? held.value_ptr<PythonSession>() : nullptr;
  };
  type.tp_traverse = [](PyObject* self, visitproc visit, void* arg) -> int {
    Py_VISIT(Py_TYPE(self));
    if (const PythonSession* session = session_of(self)) Py_VISIT(session->callback.ptr());
    return 0;
  };
  type.tp_clear = [](PyObject* self) -> int {
    if (PythonSession* session = session_of(self)) session->callback = py::none();
    return 0;
  };
}

}  // namespace

void bind_session(py::module_& m) {
  py::class_<PythonSession>(m, "Session", py::custom_type_setup(show_callback), kSessionDoc)
      .def(py::init(&open), py::arg("recognizer"), py::arg("rate") = 16000, py::arg("config") = py::none(),
           py::arg("on_event") = py::none(), py::kw_only(), py::arg("playbook") = py::none(), py::arg("consent") = true)
      .def("push", &PythonSession::push, kPushDoc, py::arg("samples"))
      .def("lose", &PythonSession::lose, kLoseDoc, py::arg("count"))
      .def("poll", &PythonSession::poll, kPollDoc)
      .def("finish", &PythonSession::finish, kFinishDoc)
      .def("set_consent", &PythonSession::set_consent, py::arg("given"),
           "set_consent(given)\n\nThe customer agrees or objects; takes effect with the next block of sound.")
      .def("acknowledge", &PythonSession::acknowledge, py::arg("alert"),
           "acknowledge(alert)\n\nSomeone has seen the alert of this number: it no longer escalates.")
      .def_property_readonly("time_ms", &PythonSession::time_ms, "Milliseconds of sound heard so far, in steps of 20.");
}

}  // namespace serene::python
