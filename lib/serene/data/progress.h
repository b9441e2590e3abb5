// Work over many clips with a running count.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>

#include "serene/core/thread_pool.h"

namespace serene {

// done of total; may come from any thread, one call at a time, with rising `done`.
using DataProgress = std::function<void(std::size_t done, std::size_t total)>;

// Calls task(i, worker) for 0..count-1 in parallel and reports each end.
template <class F>
void for_each_clip(ThreadPool& pool, std::size_t count, const DataProgress& progress, F&& task) {
  std::mutex reporting;
  std::size_t done = 0;
  pool.run(static_cast<Index>(count), [&](Index i, int worker) {
    task(static_cast<std::size_t>(i), worker);
    if (!progress) return;
    const std::lock_guard lock(reporting);
    progress(++done, count);
  });
}

}  // namespace serene
