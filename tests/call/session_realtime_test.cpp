// Nothing in a push allocates, frees, locks or calls the system: counted over a million pushes, and held by the kernel.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "call_counter.h"
#include "session_fixture.h"

using namespace serene;
using namespace serene::test;

namespace {

struct Marks {
  long allocations = serene::test::allocations(), frees = serene::test::frees(), locks = serene::test::locks();
};

void check_nothing_since(const Marks& before, const char* what) {
  const Marks after;
  CHECK_MESSAGE(after.allocations == before.allocations,
                what << " allocates " << after.allocations - before.allocations);
  CHECK_MESSAGE(after.frees == before.frees, what << " frees " << after.frees - before.frees);
  CHECK_MESSAGE(after.locks == before.locks, what << " locks " << after.locks - before.locks);
}

std::vector<float> telephone_voice() {
  return mu_law(
      joined({quiet(1.3, 8000), voice(5.1, 8000, 0.3), quiet(0.7, 8000), voice(2.3, 8000, 0.03), quiet(3.9, 8000)}));
}

// Pushes both legs in turn, `piece` samples at a time, round and round through the sound; every so often a loss, an
// acknowledgement, a change of consent.
void push_many(Session& session, std::span<const float> sound, Index pushes, std::size_t piece) {
  std::size_t at[2] = {0, sound.size() / 2};
  for (Index i = 0; i < pushes; ++i) {
    const std::size_t leg = static_cast<std::size_t>(i % 2);
    if (at[leg] + piece > sound.size()) at[leg] = 0;
    if (i % 5000 < 2) {
      session.lose(static_cast<Leg>(leg), static_cast<Index>(piece));
    } else {
      session.push(static_cast<Leg>(leg), sound.subspan(at[leg], piece));
    }
    at[leg] += piece;
    if (i % 10007 == 0) session.acknowledge(1 + i / 10007);
    if (i % 200003 == 0) session.set_consent(i % 400006 == 0);
  }
}

}  // namespace

TEST_CASE("the counters count") {
  if (!counting_allocations()) {
    MESSAGE("nothing is counted in this build");
    return;
  }
  const Marks before;
  {
    std::vector<int> v(100);
    CHECK(v.data() != nullptr);
  }
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
  const Marks after;
  CHECK(after.allocations > before.allocations);
  CHECK(after.frees > before.frees);
  CHECK(after.locks == before.locks + 1);
}

TEST_CASE("a million pushes without an allocation or a lock") {
  if (!counting_allocations()) {
    MESSAGE("nothing is counted in this build");
    return;
  }
  const CallModel model = call_model(random_checkpoint());
  const std::vector<float> sound = telephone_voice();
  Counter sink;
  Session session(model, {.rate_hz = {8000, 8000}}, sink);
  constexpr Index kPushes = 1000000;
  const Marks before;
  push_many(session, sound, kPushes, 40);
  session.finish();
  check_nothing_since(before, "a push");
  CHECK(sink.emotions > 1000);
  CHECK(session.emotion_passes() >= sink.emotions);
  MESSAGE(kPushes << " pushes, " << sink.events << " events, " << session.emotion_passes() << " passes of the model, "
                  << session.time_ms() / 1000 << " s of call");
}

TEST_CASE("nor with the strong model's layers, with resampling and with pushes of any size") {
  if (!counting_allocations()) {
    MESSAGE("nothing is counted in this build");
    return;
  }
  Checkpoint c = random_checkpoint();
  c.model = read_json_file(std::string(SERENE_SOURCE_DIR) + "/configs/model_strong.json").at("model");
  const Model<float> graph = build_model_of(c);
  c.params.assign(static_cast<std::size_t>(graph.layout().size), 0.0f);
  initialize<float>(graph.layout(), 9, c.params.data());
  const CallModel model = call_model(std::move(c));
  for (const int rate : {16000, 44100, 48000}) {
    const std::vector<float> sound = joined({quiet(1, rate), voice(4, rate)});
    Counter sink;
    Session session(model, {.rate_hz = {rate, rate}}, sink);
    const Marks before;
    push_many(session, sound, 600, static_cast<std::size_t>(rate / 37));
    session.finish();
    check_nothing_since(before, "a push of the strong model");
    CHECK(sink.emotions > 5);
  }
}

#if defined(__linux__) && defined(SECCOMP_MODE_STRICT)
// In strict mode the kernel kills a process at any system call but read, write, exit and sigreturn.
TEST_CASE("pushes make no system call: the kernel would kill the process") {
  if (!counting_allocations()) {
    MESSAGE("sanitizers call the system on their own");
    return;
  }
  const CallModel model = call_model(random_checkpoint());
  const std::vector<float> sound = telephone_voice();
  // 0: an honest run; 1: one forbidden call, to see that the guard bites.
  for (const int misdeed : {0, 1}) {
    Counter sink;
    Session session(model, {.rate_hz = {8000, 8000}}, sink);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(77);
      push_many(session, sound, 20000, 40);
      session.finish();
      if (misdeed != 0) syscall(SYS_getppid);
      syscall(SYS_exit, sink.emotions > 20 ? 0 : 3);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
      MESSAGE("this machine has no strict seccomp mode; system calls were not checked");
      return;
    }
    if (misdeed == 0) {
      CHECK_MESSAGE((WIFEXITED(status) && WEXITSTATUS(status) == 0), "status " << status);
    } else {
      CHECK(WIFSIGNALED(status));
    }
  }
}
#endif
