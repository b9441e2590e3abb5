#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <thread>

#include "../call/session_fixture.h"
#include "call_counter.h"
#include "calls.h"
#include "serene/audio/wave.h"
#include "serene/serene.h"
#include "temp_folder.h"

// Run it under -DSERENE_SANITIZE=thread too (preset tsan): one case shares a model between threads.
using namespace serene;
using namespace serene::test;

namespace {

constexpr const char* kPlaybook = R"({"rules": [
  {"id": "anger", "alert": true, "severity": "critical", "priority": 90, "signal": {"states": {"angry": 1}},
   "raise_at": 0.7, "windows": 2, "min_speech_s": 1, "clear_below": 0.5, "clear_for_s": 2, "cooldown_s": 5,
   "text": "Anger", "advice": "Slow down.", "reason": "angry"},
  {"id": "quiet", "priority": 10, "signal": {"silence_s": true}, "raise_at": 4, "clear_below": 1, "clear_for_s": 1,
   "advice": "Ask something.", "reason": "silence"}]})";

// A model file, a playbook and a recording, made once.
struct Files {
  TempFolder folder;
  std::string model = folder / "model.safetensors", playbook = folder / "playbook.json", wave = folder / "voice.wav";
  std::vector<float> samples;  // of the recording, as they are in the file

  Files() {
    write_checkpoint(model, loudness_checkpoint());
    std::ofstream(playbook) << kPlaybook;
    write_wave16(wave, voice(1.5, 22050), 22050);
    samples = read_wave(wave).samples;
  }
};

const Files& files() {
  static const Files f;
  return f;
}

struct ModelHandle {
  serene_model* model = nullptr;
  explicit ModelHandle(const std::string& path = files().model, const char* playbook = files().playbook.c_str()) {
    serene_model_options o{};
    o.struct_size = sizeof o;
    o.playbook = playbook;
    REQUIRE_MESSAGE(serene_model_open(path.c_str(), &o, &model) == SERENE_OK, serene_last_error());
  }
  ~ModelHandle() { serene_model_close(model); }
  ModelHandle(const ModelHandle&) = delete;
  ModelHandle& operator=(const ModelHandle&) = delete;
};

struct SessionHandle {
  serene_session* session = nullptr;
  explicit SessionHandle(const serene_model* model, serene_session_options o = {}) {
    o.struct_size = sizeof o;
    REQUIRE_MESSAGE(serene_session_open(model, &o, &session) == SERENE_OK, serene_last_error());
  }
  ~SessionHandle() { serene_session_close(session); }
  SessionHandle(const SessionHandle&) = delete;
  SessionHandle& operator=(const SessionHandle&) = delete;
};

template <class T>
T sized() {
  T value{};
  value.struct_size = sizeof value;
  return value;
}

// Loud, quiet, loud: states, an alert that rises and clears, advice, silence.
std::vector<float> a_call(int rate_hz) {
  return joined({voice(6, rate_hz, 0.3), quiet(6, rate_hz), voice(5, rate_hz, 0.03), voice(2, rate_hz, 0.3)});
}

std::vector<serene_event> in_c(const serene_model* model, std::span<const float> samples, std::size_t piece,
                               int rate_hz, std::size_t queue = 0) {
  std::vector<serene_event> events(4000);
  event_list list{events.data(), events.size(), 0};
  const serene_status status = live_call_in_c(model, samples.data(), samples.size(), piece, rate_hz, queue, &list);
  REQUIRE_MESSAGE(status == SERENE_OK, serene_last_error());
  REQUIRE(list.count <= events.size());
  events.resize(list.count);
  return events;
}

bool same_shares(const double* a, const std::array<double, max_states>& b) {
  return std::memcmp(a, b.data(), sizeof b) == 0;
}

void check_same(const serene_event& c, const Event& e, const CallModel& model) {
  CHECK(c.sequence == e.sequence);
  CHECK(c.time_ms == e.t_ms);
  CHECK(c.at_ms == e.at_ms);
  CHECK(c.duration_ms == e.duration_ms);
  CHECK(c.type == static_cast<int>(e.type));
  CHECK(c.action == static_cast<int>(e.action));
  if (e.type == EventType::emotion || e.type == EventType::state) {
    CHECK(c.state == e.state);
    CHECK(c.previous == e.previous);
    CHECK(c.confidence == e.confidence);
    CHECK(c.state_count == static_cast<int>(model.states().size()));
    CHECK(same_shares(c.probabilities, e.probabilities));
    CHECK(same_shares(c.window, e.window));
    CHECK(c.speech_ms == e.speech_ms);
  }
  if (e.type == EventType::trend) {
    CHECK(c.direction == static_cast<int>(e.direction));
    CHECK(c.slope_per_min == e.slope_per_min);
  }
  if (e.type == EventType::quality) {
    CHECK(c.lamp == static_cast<int>(e.lamp));
    CHECK(c.level_dbfs == e.level_dbfs);
  }
  const bool of_rule = e.type == EventType::alert || e.type == EventType::advice;
  CHECK(std::string(c.rule) == (of_rule ? model.playbook().rules[static_cast<std::size_t>(e.rule)].id : ""));
  if (of_rule) {
    CHECK(c.value == e.value);
    CHECK(c.alert == e.alert);
  }
}

std::string last_error() { return serene_last_error(); }

}  // namespace

TEST_CASE("c_api: the version of header and library is the same") {
  CHECK(serene_version_number() == SERENE_VERSION_NUMBER);
  CHECK(std::string(serene_version()) == SERENE_VERSION);
  CHECK(SERENE_VERSION_NUMBER_OF(1, 2, 3) == 10203);
}

TEST_CASE("c_api: a recording is recognised as by the C++ API, bit for bit, as file and as samples") {
  const Recognizer recognizer = Recognizer::open(files().model);
  const Recognition expected = recognizer.recognize_file(files().wave);
  const std::size_t n = recognizer.labels().size();
  std::vector<double> p(n), q(n);
  auto result = sized<serene_recognition>(), other = result;
  REQUIRE(recognize_in_c(files().model.c_str(), files().wave.c_str(), p.data(), n, &result) == SERENE_OK);
  CHECK(p == expected.probabilities);
  CHECK(result.label == expected.label);
  CHECK(result.frames == expected.frames);
  CHECK(result.probability == expected.probabilities[static_cast<std::size_t>(expected.label)]);

  const ModelHandle m;
  CHECK(serene_model_label_count(m.model) == n);
  for (std::size_t i = 0; i < n; ++i) CHECK(recognizer.labels()[i] == serene_model_label(m.model, i));
  const std::vector<float>& y = files().samples;
  REQUIRE(serene_recognize_samples(m.model, y.data(), y.size(), 22050, q.data(), n, &other) == SERENE_OK);
  CHECK(q == p);
  CHECK(other.frames == result.frames);
  CHECK(serene_recognize_file(m.model, files().wave.c_str(), nullptr, 0, nullptr) == SERENE_OK);
}

TEST_CASE("c_api: a live call tells what the C++ session tells, for any pieces, by callback and by polling") {
  const ModelHandle m;
  const CallModel model = open_call_model(files().model, {.config = "", .playbook = files().playbook});
  const std::vector<float> samples = a_call(16000);
  Recorder recorder(model);
  Session session(model, {.rate_hz = {16000, 16000}, .agent_leg = false}, recorder);
  session.push(Leg::customer, samples);
  session.finish();
  for (const EventType type : {EventType::alert, EventType::advice, EventType::state, EventType::silence}) {
    CHECK(!recorder.of(type).empty());
  }
  for (const std::size_t piece : {std::size_t{7}, std::size_t{64}, std::size_t{320}, samples.size()}) {
    for (const std::size_t queue : {std::size_t{0}, std::size_t{1}, std::size_t{5000}}) {
      const std::vector<serene_event> events = in_c(m.model, samples, piece, 16000, queue);
      REQUIRE(events.size() == recorder.events.size());
      for (std::size_t i = 0; i < events.size(); ++i) check_same(events[i], recorder.events[i], model);
    }
  }
  CHECK(std::string(serene_model_state(m.model, 1)) == model.states()[1].name);
}

TEST_CASE("c_api: a full queue takes nothing more and loses nothing") {
  const ModelHandle m;
  const std::vector<float> samples = a_call(8000);
  serene_session_options o{};
  o.rate_hz = 8000;
  o.queue_events = 1;
  const SessionHandle s(m.model, o);
  std::size_t taken = 0, total = 0;
  std::vector<float> rest;
  while (serene_session_push(s.session, samples.data(), samples.size(), &taken) == SERENE_OK && total < 50) ++total;
  CHECK(taken < samples.size());
  CHECK(serene_session_push(s.session, samples.data(), samples.size(), &taken) == SERENE_FULL);
  CHECK(taken == 0);
  CHECK(serene_session_finish(s.session) == SERENE_OK);  // there is always room for the farewell
  auto event = sized<serene_event>();
  std::int64_t next = 0;
  while (serene_session_poll(s.session, &event) == SERENE_OK) CHECK(event.sequence == next++);
  CHECK(event.type == SERENE_EVENT_CALL);
  CHECK(event.action == SERENE_ACTION_END);
}

TEST_CASE("c_api: consent, lost sound and acknowledged alerts reach the session") {
  const ModelHandle m;
  serene_session_options o{};
  o.rate_hz = 8000;
  o.without_consent = 1;
  const SessionHandle s(m.model, o);
  const std::vector<float> loud = voice(4, 8000, 0.3);
  auto event = sized<serene_event>();
  const auto seen = [&](int type, int action) {
    bool found = false;
    while (serene_session_poll(s.session, &event) == SERENE_OK) found |= event.type == type && event.action == action;
    return found;
  };
  CHECK(serene_session_push(s.session, loud.data(), loud.size(), nullptr) == SERENE_OK);
  CHECK_FALSE(seen(SERENE_EVENT_EMOTION, SERENE_ACTION_NONE));
  CHECK(serene_session_set_consent(s.session, 1) == SERENE_OK);
  CHECK(serene_session_push(s.session, loud.data(), loud.size(), nullptr) == SERENE_OK);
  CHECK(seen(SERENE_EVENT_ALERT, SERENE_ACTION_RAISED));
  CHECK(serene_session_acknowledge(s.session, 1) == SERENE_OK);
  CHECK(serene_session_push(s.session, loud.data(), loud.size() / 2, nullptr) == SERENE_OK);
  CHECK(seen(SERENE_EVENT_ALERT, SERENE_ACTION_ACKNOWLEDGED));
  std::size_t taken = 0;
  CHECK(serene_session_lose(s.session, 8000 * 4, &taken) == SERENE_OK);
  CHECK(taken == 8000 * 4);
  double loss = 0;
  while (serene_session_poll(s.session, &event) == SERENE_OK) {
    if (event.type == SERENE_EVENT_QUALITY) loss = std::max(loss, event.loss);
  }
  CHECK(loss == 1);
}

TEST_CASE("c_api: what is wrong with a model or recording is a status and a line") {
  serene_model* model = nullptr;
  auto o = sized<serene_model_options>();
  const char* path = files().model.c_str();
  const std::string missing = files().folder / "missing.safetensors";
  CHECK(serene_model_open(missing.c_str(), nullptr, &model) == SERENE_ERROR_NOT_FOUND);
  CHECK(last_error().starts_with(missing + ": "));
  CHECK(serene_model_open(files().wave.c_str(), nullptr, &model) == SERENE_ERROR_INPUT);
  CHECK(serene_model_open(nullptr, nullptr, &model) == SERENE_ERROR_USAGE);
  CHECK(last_error() == "path: is NULL");
  CHECK(serene_model_open(path, nullptr, nullptr) == SERENE_ERROR_USAGE);
  o.precision = 3;
  CHECK(serene_model_open(path, &o, &model) == SERENE_ERROR_USAGE);
  o = {};
  CHECK(serene_model_open(path, &o, &model) == SERENE_ERROR_USAGE);
  CHECK(last_error() == "options: struct_size is not set");
  o = sized<serene_model_options>();
  o.call_config = files().wave.c_str();
  CHECK(serene_model_open(path, &o, &model) == SERENE_ERROR_INPUT);
  CHECK(model == nullptr);
  serene_model_close(nullptr);

  const ModelHandle m;
  const std::size_t n = serene_model_label_count(m.model);
  std::vector<double> p(n, -1.0);
  auto result = sized<serene_recognition>();
  const char* wave = files().wave.c_str();
  CHECK(serene_recognize_file(nullptr, wave, p.data(), n, &result) == SERENE_ERROR_USAGE);
  CHECK(serene_recognize_file(m.model, nullptr, p.data(), n, &result) == SERENE_ERROR_USAGE);
  CHECK(serene_recognize_file(m.model, wave, p.data(), n - 1, &result) == SERENE_ERROR_USAGE);
  CHECK(last_error() == "capacity: too little room for the probabilities (expected 3, got 2)");
  CHECK(serene_recognize_file(m.model, missing.c_str(), p.data(), n, &result) == SERENE_ERROR_NOT_FOUND);
  CHECK(serene_recognize_file(m.model, path, p.data(), n, &result) == SERENE_ERROR_INPUT);
  result.struct_size = 4;
  CHECK(serene_recognize_file(m.model, wave, p.data(), n, &result) == SERENE_ERROR_USAGE);

  std::vector<float> y(8000, 0.1f);
  CHECK(serene_recognize_samples(m.model, nullptr, 5, 8000, p.data(), n, nullptr) == SERENE_ERROR_USAGE);
  CHECK(serene_recognize_samples(m.model, y.data(), 0, 8000, p.data(), n, nullptr) == SERENE_ERROR_INPUT);
  for (const int rate : {-1, 0, 999, 768001, std::numeric_limits<int>::max()}) {
    CHECK(serene_recognize_samples(m.model, y.data(), y.size(), rate, p.data(), n, nullptr) == SERENE_ERROR_USAGE);
  }
  y[77] = NAN;
  CHECK(serene_recognize_samples(m.model, y.data(), y.size(), 8000, p.data(), n, nullptr) == SERENE_ERROR_INPUT);
  CHECK(last_error() == "sample 77: is not finite");
  CHECK(p == std::vector<double>(n, -1.0));  // no error leaves a result

  CHECK(serene_model_label(m.model, n) == nullptr);
  CHECK(serene_model_label(nullptr, 0) == nullptr);
  CHECK(serene_model_label_count(nullptr) == 0);
  CHECK(serene_model_state_count(nullptr) == 0);
  CHECK(serene_model_state(m.model, 99) == nullptr);
}

TEST_CASE("c_api: what is wrong with a session is a status and a line") {
  const ModelHandle m;
  serene_session* session = nullptr;
  auto o = sized<serene_session_options>();
  CHECK(serene_session_open(nullptr, nullptr, &session) == SERENE_ERROR_USAGE);
  CHECK(serene_session_open(m.model, nullptr, nullptr) == SERENE_ERROR_USAGE);
  for (const int rate : {-8000, 7, 8001, 1 << 30}) {
    o.rate_hz = rate;
    CHECK(serene_session_open(m.model, &o, &session) == SERENE_ERROR_USAGE);
  }
  o = sized<serene_session_options>();
  o.queue_events = std::numeric_limits<std::size_t>::max();
  CHECK(serene_session_open(m.model, &o, &session) == SERENE_ERROR_USAGE);
  o = {};
  CHECK(serene_session_open(m.model, &o, &session) == SERENE_ERROR_USAGE);
  CHECK(session == nullptr);

  auto event = sized<serene_event>();
  const float silence[100] = {};
  CHECK(serene_session_push(nullptr, silence, 100, nullptr) == SERENE_ERROR_USAGE);
  CHECK(serene_session_lose(nullptr, 100, nullptr) == SERENE_ERROR_USAGE);
  CHECK(serene_session_poll(nullptr, &event) == SERENE_ERROR_USAGE);
  CHECK(serene_session_finish(nullptr) == SERENE_ERROR_USAGE);
  CHECK(serene_session_set_consent(nullptr, 1) == SERENE_ERROR_USAGE);
  CHECK(serene_session_acknowledge(nullptr, 1) == SERENE_ERROR_USAGE);
  CHECK(serene_session_close(nullptr) == SERENE_OK);

  const SessionHandle s(m.model);
  CHECK(serene_session_push(s.session, nullptr, 100, nullptr) == SERENE_ERROR_USAGE);
  CHECK(serene_session_push(s.session, nullptr, 0, nullptr) == SERENE_OK);
  CHECK(serene_session_lose(s.session, std::numeric_limits<std::size_t>::max(), nullptr) == SERENE_ERROR_USAGE);
  CHECK(serene_session_poll(s.session, nullptr) == SERENE_ERROR_USAGE);
  event.struct_size = 8;
  CHECK(serene_session_poll(s.session, &event) == SERENE_ERROR_USAGE);
  CHECK(serene_session_acknowledge(s.session, std::numeric_limits<std::int64_t>::min()) == SERENE_OK);
  const float bad[3] = {NAN, INFINITY, -3e38f};
  CHECK(serene_session_push(s.session, bad, 3, nullptr) == SERENE_OK);
  CHECK(serene_session_finish(s.session) == SERENE_OK);
  CHECK(serene_session_finish(s.session) == SERENE_OK);
  CHECK(serene_session_push(s.session, silence, 100, nullptr) == SERENE_ERROR_USAGE);
  CHECK(last_error() == "session: the call is over");
}

TEST_CASE("c_api: a model that cannot listen to calls still recognises recordings") {
  TempFolder folder;
  Checkpoint c = loudness_checkpoint();
  c.features["top_db"] = 80;
  const std::string path = folder / "model.safetensors";
  write_checkpoint(path, c);
  serene_model* model = nullptr;
  auto o = sized<serene_model_options>();
  o.playbook = files().playbook.c_str();
  CHECK(serene_model_open(path.c_str(), &o, &model) == SERENE_ERROR_USAGE);  // a playbook asks for calls
  REQUIRE(serene_model_open(path.c_str(), nullptr, &model) == SERENE_OK);
  CHECK(serene_model_state_count(model) == 0);
  CHECK(serene_recognize_file(model, files().wave.c_str(), nullptr, 0, nullptr) == SERENE_OK);
  serene_session* session = nullptr;
  CHECK(serene_session_open(model, nullptr, &session) == SERENE_ERROR_USAGE);
  CHECK(last_error().find("live call") != std::string::npos);
  serene_model_close(model);
}

namespace {

struct Meddler {
  serene_session* session = nullptr;
  int refused = 0, events = 0;
};

void meddle(const serene_event*, void* user) {
  auto& m = *static_cast<Meddler*>(user);
  ++m.events;
  if (m.session == nullptr) return;  // call/start
  const float more[1] = {};
  m.refused += serene_session_push(m.session, more, 1, nullptr) == SERENE_ERROR_USAGE;
  m.refused += serene_session_finish(m.session) == SERENE_ERROR_USAGE;
  m.refused += serene_session_close(m.session) == SERENE_ERROR_USAGE;
}

}  // namespace

TEST_CASE("c_api: a callback cannot use its session, and a session outlives its model's handle") {
  auto m = std::make_unique<ModelHandle>();
  Meddler meddler;
  serene_session_options o{};
  o.rate_hz = 8000;
  o.on_event = meddle;
  o.user = &meddler;
  const SessionHandle s(m->model, o);
  meddler.session = s.session;
  m.reset();
  const std::vector<float> y = voice(4, 8000);
  CHECK(serene_session_push(s.session, y.data(), y.size(), nullptr) == SERENE_OK);
  CHECK(serene_session_finish(s.session) == SERENE_OK);
  CHECK(meddler.events > 5);
  CHECK(meddler.refused == 3 * (meddler.events - 1));
}

TEST_CASE("c_api: threads share a model, and each has its own last error") {
  const ModelHandle m;
  const std::vector<float> call = a_call(8000);
  const std::vector<serene_event> expected = in_c(m.model, call, 160, 8000);
  std::vector<double> p(3);
  REQUIRE(serene_recognize_file(m.model, files().wave.c_str(), p.data(), 3, nullptr) == SERENE_OK);
  CHECK(serene_model_open(nullptr, nullptr, nullptr) == SERENE_ERROR_USAGE);
  const std::string mine = last_error();
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<serene_event> events(expected.size());
      event_list list{events.data(), events.size(), 0};
      bool ok = *serene_last_error() == '\0';
      ok &=
          live_call_in_c(m.model, call.data(), call.size(), 64 + 100 * t, 8000, t % 2 == 0 ? 0 : 8, &list) == SERENE_OK;
      ok &= list.count == expected.size();
      for (std::size_t i = 0; ok && i < events.size(); ++i) ok = events[i].confidence == expected[i].confidence;
      std::vector<double> q(3);
      ok &= serene_recognize_file(m.model, files().wave.c_str(), q.data(), 3, nullptr) == SERENE_OK && q == p;
      ok &= serene_recognize_file(m.model, "no such file", nullptr, 0, nullptr) == SERENE_ERROR_NOT_FOUND;
      ok &= last_error().find("no such file") != std::string::npos;
      good += ok;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 4);
  CHECK(last_error() == mine);
}

TEST_CASE("c_api: push and poll allocate nothing and take no lock") {
  if (!counting_allocations()) return;
  const ModelHandle m;
  serene_session_options o{};
  o.rate_hz = 8000;
  const SessionHandle s(m.model, o);
  const std::vector<float> y = a_call(8000);
  auto event = sized<serene_event>();
  const long before = allocations(), locked = locks(), freed = frees();
  int events = 0;
  bool ok = true;
  for (std::size_t at = 0; at + 64 <= y.size(); at += 64) {
    ok &= serene_session_push(s.session, y.data() + at, 64, nullptr) == SERENE_OK;
    while (serene_session_poll(s.session, &event) == SERENE_OK) ++events;
  }
  ok &= serene_session_finish(s.session) == SERENE_OK;
  CHECK(allocations() == before);
  CHECK(locks() == locked);
  CHECK(frees() == freed);
  CHECK(ok);
  CHECK(events > 20);
}
