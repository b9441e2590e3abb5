#include "serene/core/thread_pool.h"

#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "serene/core/error.h"

using namespace serene;

TEST_CASE("thread pool: every index runs once, whatever the count and the threads") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (const Index count : {0, 1, 2, 3, 7, 8, 9, 64, 1000}) {
      std::vector<int> runs(static_cast<std::size_t>(count));
      std::atomic<bool> worker_in_range{true};
      pool.run(count, [&](Index i, int worker) {
        ++runs[static_cast<std::size_t>(i)];
        if (worker < 0 || worker >= threads) worker_in_range = false;
      });
      CHECK(worker_in_range);
      for (int r : runs) CHECK(r == 1);
    }
  }
}

TEST_CASE("thread pool: tasks that run together have different workers") {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<bool> shared{false};
  pool.run(2000, [&](Index, int worker) {
    auto& mine = inside[static_cast<std::size_t>(worker)];
    if (mine.fetch_add(1) != 0) shared = true;
    mine.fetch_sub(1);
  });
  CHECK_FALSE(shared);
}

TEST_CASE("thread pool: the exception of the lowest index arrives after all tasks, and the pool stays usable") {
  for (const int threads : {1, 4}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      std::atomic<int> finished{0};
      std::string message;
      try {
        pool.run(100, [&](Index i, int) {
          ++finished;
          if (i == 17 || i == 18 || i == 90) throw std::runtime_error(std::to_string(i));
        });
      } catch (const std::runtime_error& e) {
        message = e.what();
      }
      CHECK(message == "17");
      CHECK(finished == 100);
    }
    int after = 0;
    pool.run(1, [&](Index, int) { ++after; });
    CHECK(after == 1);
  }
}

TEST_CASE("thread pool: a pool inside a task of another pool") {
  ThreadPool outer(2);
  std::vector<Index> sums(6);
  outer.run(6, [&](Index i, int) {
    ThreadPool inner(2);
    std::vector<Index> parts(static_cast<std::size_t>(i));
    inner.run(i, [&](Index j, int) { parts[static_cast<std::size_t>(j)] = j + 1; });
    for (Index p : parts) sums[static_cast<std::size_t>(i)] += p;
  });
  for (Index i = 0; i < 6; ++i) CHECK(sums[static_cast<std::size_t>(i)] == i * (i + 1) / 2);
}

TEST_CASE("thread pool: denormal numbers are zero inside tasks and untouched outside") {
  volatile float tiny = std::numeric_limits<float>::min();
  ThreadPool pool(2);
  std::vector<float> halves(8);
  pool.run(8, [&](Index i, int) { halves[static_cast<std::size_t>(i)] = tiny / 2; });
#if defined(__SSE2__)
  for (float h : halves) CHECK(h == 0.0f);
#endif
  CHECK(tiny / 2 > 0.0f);
}

TEST_CASE("thread pool: numbers of threads that make no sense are refused") {
  CHECK_THROWS_AS(ThreadPool(0), Error);
  CHECK_THROWS_AS(ThreadPool(-3), Error);
  CHECK_THROWS_AS(ThreadPool(100000), Error);
  CHECK(available_threads() >= 1);
}
