// Repeated timing: medians with their spread, and the memory of the process.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "serene/core/json.h"

namespace serene::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Seconds of one call, over many calls. Quantiles take the nearest rank.
struct Times {
  double median = 0, least = 0, most = 0, p99 = 0;
  int calls = 0;
};

Times summary(std::vector<double> seconds);
Json to_json(const Times& times);

// Calls body until `budget` seconds have gone by and it ran at least `least_calls` times; one call before warms up.
template <class Body>
Times repeat(double budget, int least_calls, Body&& body) {
  body();
  std::vector<double> seconds;
  const Clock::time_point start = Clock::now();
  while (static_cast<int>(seconds.size()) < least_calls || seconds_since(start) < budget) {
    const Clock::time_point before = Clock::now();
    body();
    seconds.push_back(seconds_since(before));
  }
  return summary(std::move(seconds));
}

// Largest resident size of this process so far, in bytes.
double peak_memory() noexcept;

// Reproducible values in (-1, 1).
std::vector<float> noise(std::size_t count, unsigned seed);

}  // namespace serene::bench
