// Numbered tasks on threads of their own, for work that is coarse and may fail: trials of a search, folds of a
// cross-validation. (Shards of a batch go to the ThreadPool.)
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace serene {

// One use. The first error, by number, stops the others and is thrown.
class Jobs {
 public:
  // Calls task(i) for every i below count, `jobs` (at least 1) at a time, the calling thread among them. Tasks begin in
  // order. Throws what a task threw, once all have ended; no further one begins after it.
  template <class F>
  void run(int jobs, std::size_t count, const F& task) {
    std::vector<std::thread> threads;
    for (int j = 1; j < jobs; ++j) threads.emplace_back([&] { work(count, task); });
    work(count, task);
    for (std::thread& t : threads) t.join();
    if (error_) std::rethrow_exception(error_);
  }

  // Whether a task has failed: a long one may look and end early.
  const std::atomic<bool>& stop() const noexcept { return stop_; }

 private:
  template <class F>
  void work(std::size_t count, const F& task) {
    for (std::size_t i; !stop_ && (i = next_.fetch_add(1)) < count;) {
      try {
        task(i);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!error_ || i < first_) error_ = std::current_exception(), first_ = i;
        stop_ = true;
      }
    }
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::exception_ptr error_;
  std::size_t first_ = 0;
};

}  // namespace serene
