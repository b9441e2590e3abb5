// A fixed pool of threads that runs numbered tasks. Results never depend on the number of threads: tasks write to
// places of their own and the caller combines them in order.
#pragma once

#include <memory>
#include <type_traits>

#include "serene/core/types.h"

namespace serene {

class ThreadPool {
 public:
  // threads >= 1 counts the calling thread; 1 starts no thread at all. Throws Error when threads < 1 or > 1024.
  explicit ThreadPool(int threads = 1);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept;  // the calling thread among them

  // Calls task(index, worker) for every index in 0..count-1, 0 <= worker < threads(), and returns when all are done.
  // Two tasks that run at the same time have different workers. Denormal numbers are flushed to zero inside tasks, on
  // the calling thread too, so that a task gives the same bits wherever it runs. Does not allocate. An exception of a
  // task (the one with the lowest index) is rethrown here after all tasks have ended. Not reentrant: one caller at a
  // time, and not from inside a task.
  template <class F>
  void run(Index count, F&& task) {
    using Task = std::remove_reference_t<F>;
    run_erased(
        count, [](void* f, Index index, int worker) { (*static_cast<Task*>(f))(index, worker); },
        const_cast<void*>(static_cast<const void*>(&task)));
  }

 private:
  using Erased = void (*)(void*, Index, int);
  void run_erased(Index count, Erased call, void* task);

  struct State;
  std::unique_ptr<State> state_;
};

// Threads this process may use (its CPU affinity), at least 1.
int available_threads() noexcept;

}  // namespace serene
