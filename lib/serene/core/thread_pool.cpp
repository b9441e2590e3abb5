#include "serene/core/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "serene/core/error.h"

namespace serene {
namespace {

// Sets flush-to-zero and denormals-are-zero for its lifetime.
class FlushDenormals {
 public:
#if defined(__SSE2__)
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040u); }
  ~FlushDenormals() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#endif
};

}  // namespace

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable wake, done;
  std::vector<std::thread> threads;
  std::uint64_t generation = 0;
  int busy = 0;
  bool stop = false;

  Index count = 0;
  Erased call = nullptr;
  void* task = nullptr;
  std::atomic<Index> next{0};
  std::exception_ptr error;
  Index error_index = 0;

  void work(int worker) noexcept {
    const FlushDenormals guard;
    for (Index i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) {
      try {
        call(task, i, worker);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error || i < error_index) error = std::current_exception(), error_index = i;
      }
    }
  }

  void end() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    wake.notify_all();
    for (auto& t : threads) t.join();
  }

  void loop(int worker) {
    std::uint64_t seen = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      wake.wait(lock, [&] { return stop || generation != seen; });
      if (stop) return;
      seen = generation;
      lock.unlock();
      work(worker);
      lock.lock();
      if (--busy == 0) done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  if (threads < 1 || threads > 1024) {
    throw Error(ErrorCode::usage, "threads", "not a usable number of threads")
        .expected("1..1024")
        .got(std::to_string(threads));
  }
  try {
    for (int worker = 1; worker < threads; ++worker) {
      state_->threads.emplace_back([state = state_.get(), worker] { state->loop(worker); });
    }
  } catch (const std::system_error& e) {
    state_->end();
    throw Error(ErrorCode::usage, "threads", std::string("the system refuses so many: ") + e.what());
  }
}

ThreadPool::~ThreadPool() { state_->end(); }

int ThreadPool::threads() const noexcept { return static_cast<int>(state_->threads.size()) + 1; }

void ThreadPool::run_erased(Index count, Erased call, void* task) {
  State& s = *state_;
  s.count = count, s.call = call, s.task = task;
  s.next.store(0, std::memory_order_relaxed);
  s.error = nullptr;
  const bool shared = count > 1 && !s.threads.empty();
  if (shared) {
    {
      const std::lock_guard lock(s.mutex);
      ++s.generation;
      s.busy = static_cast<int>(s.threads.size());
    }
    s.wake.notify_all();
  }
  s.work(0);
  if (shared) {
    std::unique_lock lock(s.mutex);
    s.done.wait(lock, [&] { return s.busy == 0; });
  }
  if (s.error) std::rethrow_exception(s.error);
}

int available_threads() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace serene
