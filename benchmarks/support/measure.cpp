#include "support/measure.h"

#include <sys/resource.h>

#include <cmath>

namespace serene::bench {

Times summary(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const auto quantile = [&](double q) {
    const double rank = std::ceil(q * static_cast<double>(seconds.size()));
    return seconds[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
  };
  return {quantile(0.5), seconds.front(), seconds.back(), quantile(0.99), static_cast<int>(seconds.size())};
}

Json to_json(const Times& t) {
  return {{"median_s", t.median}, {"min_s", t.least}, {"max_s", t.most}, {"p99_s", t.p99}, {"calls", t.calls}};
}

double peak_memory() noexcept {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

// A linear congruential generator is random enough for timing and needs no library.
std::vector<float> noise(std::size_t count, unsigned seed) {
  std::vector<float> values(count);
  for (float& v : values) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
  }
  return values;
}

}  // namespace serene::bench
